"""What the command line said: the one argument of every command's `run(options) -> int`.

A NamedTuple, because `connbeat --version` shall not pay for msgspec.
"""

from typing import Literal, NamedTuple

UnknownKeys = Literal["error", "warn"]


class PathOverrides(NamedTuple):
    """`--path.*`; None where it was not given."""

    home: str | None = None
    config: str | None = None
    data: str | None = None
    logs: str | None = None


class Options(NamedTuple):
    """The command line. Nothing of it has been checked against a file yet.

    Commands turn it into settings with `connbeat.cli.settings.load_settings(options)`, which also
    applies `-e`, `-v` and `-d` to the logging section and prints the warnings to stderr.
    """

    command: str = "run"
    config_files: tuple[str, ...] = ()  # -c, in order; empty: look in the usual places
    overrides: tuple[str, ...] = ()  # -E, in order, as given: "key=value" or "key"
    log_to_stderr: bool = False  # -e
    verbose: bool = False  # -v: at least level info
    debug_selectors: tuple[str, ...] = ()  # -d: level debug, for these selectors
    dry_run: bool = False  # -N: count events, send none
    unknown_keys: UnknownKeys = "error"  # --unknown-keys
    strict_permissions: bool = True  # --strict.perms
    paths: PathOverrides = PathOverrides()
    as_json: bool = False  # --json, of the commands that print for people
    es_version: str = ""  # --es.version, of `export template`
    key: str = ""  # the word after `keystore add` and `keystore remove`
    force: bool = False  # --force, of `keystore create` and `keystore add`
    from_stdin: bool = False  # --stdin, of `keystore add`
    ready: bool = False  # --ready, of `health`
    warnings: tuple[str, ...] = ()  # flags that were accepted and do nothing
