"""`connbeat test config`: may the agent start with this configuration?"""

import sys

from connbeat.cli.options import Options
from connbeat.cli.settings import load_settings


def run(options: Options) -> int:
    load_settings(options)
    sys.stdout.write("Config OK\n")
    return 0
