"""`python -m connbeat` and the executable `connbeat`."""

import sys

from connbeat.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
