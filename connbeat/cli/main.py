"""The front of the command line: one command is found, its module imported, its exit code given.

`exit_codes` says what they mean. What is wrong goes to stderr, one line each.
"""

import errno
import importlib
import os
import sys
from collections.abc import Sequence

from connbeat.cli.arguments import HelpWanted, parse_arguments
from connbeat.cli.exit_codes import FAILURE, INTERRUPTED, OK, USAGE
from connbeat.errors import ConfigError, ConnbeatError

# Only the module of the command that was asked for is imported: `version` needs no YAML.
_MODULES = {
    "run": "connbeat.cli.run",
    "show": "connbeat.cli.show",
    "doctor": "connbeat.cli.doctor",
    "setup": "connbeat.cli.setup",
    "health": "connbeat.cli.health",
    "version": "connbeat.cli.version",
    "test config": "connbeat.cli.testing",
    "test output": "connbeat.cli.outputs",
    "export config": "connbeat.cli.export",
    "export config-schema": "connbeat.cli.export",
    "export schema": "connbeat.cli.export",
    "export fields": "connbeat.cli.export",
    "export template": "connbeat.cli.elasticsearch",
    "export ilm-policy": "connbeat.cli.elasticsearch",
    "export man": "connbeat.cli.man",
    "completion bash": "connbeat.cli.completion",
    "completion zsh": "connbeat.cli.completion",
    "completion fish": "connbeat.cli.completion",
    "keystore create": "connbeat.cli.keystore",
    "keystore add": "connbeat.cli.keystore",
    "keystore list": "connbeat.cli.keystore",
    "keystore remove": "connbeat.cli.keystore",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command to its end and returns the exit code. Raises nothing of ours."""
    try:
        code = _dispatch(sys.argv[1:] if argv is None else argv)
        if sys.stdout is not None:  # started without one
            sys.stdout.flush()
    except ConfigError as error:
        _complain(*error.faults)
        return USAGE
    except ConnbeatError as error:
        _complain(f"connbeat: {error}")
        return FAILURE
    except BrokenPipeError:
        _close_stdout()
        return FAILURE
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _complain(f"connbeat: {error.strerror}")
        _close_stdout()
        return FAILURE
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


def _dispatch(argv: Sequence[str]) -> int:
    try:
        options = parse_arguments(argv)
    except HelpWanted as wanted:
        sys.stdout.write(str(wanted))
        return OK
    _complain(*(f"warning: {text}" for text in options.warnings))
    run = importlib.import_module(_MODULES[options.command]).run
    return int(run(options))


def _complain(*lines: str) -> None:
    for line in lines:
        sys.stderr.write(f"{line}\n")


def _close_stdout() -> None:
    """Nobody takes our output any more; Python would complain about it once more at exit."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
