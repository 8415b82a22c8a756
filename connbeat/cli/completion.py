"""`connbeat completion`: what a shell needs to complete a command line of ours.

The scripts hold all they offer, so that a key press starts no Python. They are made from the same
tables as the parser, and can be written when a package is built: nothing in them is of this
machine. What differs between shells stands in `shells`.
"""

import pkgutil
import sys

import connbeat
from connbeat.cli.commands import COMMANDS
from connbeat.cli.flags import FLAGS, MORE_FLAGS
from connbeat.cli.options import Options
from connbeat.cli.shells.bash import bash_script
from connbeat.cli.shells.fish import fish_script
from connbeat.cli.shells.offers import Offers
from connbeat.cli.shells.zsh import zsh_script
from connbeat.config.option import Status
from connbeat.config.options import OPTIONS

_SCRIPTS = {"bash": bash_script, "zsh": zsh_script, "fish": fish_script}


def run(options: Options) -> int:
    sys.stdout.write(_SCRIPTS[options.command.removeprefix("completion ")](offers()))
    return 0


def offers() -> Offers:
    """What this version has."""
    rooms = pkgutil.iter_modules(connbeat.__path__)
    return Offers(
        version=connbeat.__version__,
        commands=COMMANDS,
        flags=FLAGS,
        more_flags=MORE_FLAGS,
        settings=tuple(key for key, option in OPTIONS.items() if option.status is Status.USED),
        selectors=tuple(sorted(room.name for room in rooms if room.ispkg)),
    )
