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
    settings, warnings = read_settings(options, environment)
    for warning in warnings:
        sys.stderr.write(f"warning: {warning}\n")
    return settings


def read_settings(
    options: Options, environment: Mapping[str, str]
) -> tuple[Settings, tuple[str, ...]]:
    """The same, printing nothing: settings and warnings."""
    loaded = load(sources_of(options), environment)
    logging = with_log_flags(loaded.settings.logging, options)
    warnings = loaded.warnings
    if (logging.to_stderr, logging.to_files, logging.to_syslog) == (False, False, False):
        warnings += ("logging: it goes nowhere; to_stderr: true would show it",)
    return msgspec.structs.replace(loaded.settings, logging=logging), warnings


def load_configuration(options: Options, environment: Mapping[str, str]) -> Loaded:
    """With what it came from, and without the log flags. Prints warnings to stderr."""
    loaded = load(sources_of(options), environment)
    for warning in loaded.warnings:
        sys.stderr.write(f"warning: {warning}\n")
    return loaded


def sources_of(options: Options) -> Sources:
    """What the command line says about the configuration."""
    paths = options.paths._asdict()
    return Sources(
        files=options.config_files,
        overrides=options.overrides,
        paths={f"path.{name}": path for name, path in paths.items() if path is not None},
        are_unknown_keys_faults=options.unknown_keys == "error",
        has_strict_permissions=options.strict_permissions,
    )


def with_log_flags(logging: LoggingConfig, options: Options) -> LoggingConfig:
    """The logging section as `-e`, `-v` and `-d` change it."""
    if options.log_to_stderr:
        logging = msgspec.structs.replace(logging, to_stderr=True, to_syslog=False, to_files=False)
    if options.verbose and logging.level != "debug":
        logging = msgspec.structs.replace(logging, level="info")
    if options.debug_selectors:
        logging = msgspec.structs.replace(logging, level="debug", selectors=options.debug_selectors)
    return logging
