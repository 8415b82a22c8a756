"""From the command line to settings, for every command that needs some."""

import os
import sys
from collections.abc import Mapping

import msgspec

from connbeat.cli.options import Options
from connbeat.config.load import Loaded, Sources, load
from connbeat.config.schema import LoggingConfig, Settings


def load_settings(options: Options, environment: Mapping[str, str] = os.environ) -> Settings:
    """Reads the files and prints warnings to stderr. Raises ConfigError with every fault."""
    settings = load_configuration(options, environment).settings
    logging = with_log_flags(settings.logging, options)
    if (logging.to_stderr, logging.to_files, logging.to_syslog) == (False, False, False):
        sys.stderr.write("warning: logging: it goes nowhere; to_stderr: true would show it\n")
    return msgspec.structs.replace(settings, logging=logging)


def load_configuration(options: Options, environment: Mapping[str, str]) -> Loaded:
    """The same with what it came from, and without the log flags."""
    paths = options.paths._asdict()
    sources = Sources(
        files=options.config_files,
        overrides=options.overrides,
        paths={f"path.{name}": path for name, path in paths.items() if path is not None},
        are_unknown_keys_faults=options.unknown_keys == "error",
        has_strict_permissions=options.strict_permissions,
    )
    loaded = load(sources, environment)
    for warning in loaded.warnings:
        sys.stderr.write(f"warning: {warning}\n")
    return loaded


def with_log_flags(logging: LoggingConfig, options: Options) -> LoggingConfig:
    """The logging section as `-e`, `-v` and `-d` change it."""
    if options.log_to_stderr:
        logging = msgspec.structs.replace(logging, to_stderr=True, to_syslog=False, to_files=False)
    if options.verbose and logging.level != "debug":
        logging = msgspec.structs.replace(logging, level="info")
    if options.debug_selectors:
        logging = msgspec.structs.replace(logging, level="debug", selectors=options.debug_selectors)
    return logging
