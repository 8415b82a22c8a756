"""Where the log goes. Pure: settings and what runs the agent come in."""

from connbeat.cli.options import Environment
from connbeat.config.schema import LogFilesConfig, Settings
from connbeat.telemetry.log import LogSettings
from connbeat.telemetry.log_targets import LogFiles


def log_settings(settings: Settings, environment: Environment) -> LogSettings:
    """As the configuration says; where it says nothing, files if they are configured, or stderr.

    What runs in a container or under systemd logs to stderr unless it is told to write files.
    """
    logging = settings.logging
    to_files = logging.to_files
    if to_files is None:
        is_elsewhere = logging.to_syslog or logging.to_stderr
        has_section = settings.logging_files is not None and environment == "default"
        to_files = has_section or (logging.to_stderr is False and not is_elsewhere)
    to_stderr = logging.to_stderr
    if to_stderr is None:
        to_stderr = not to_files and not logging.to_syslog
    return LogSettings(
        level=logging.level,
        selectors=logging.selectors,
        to_stderr=to_stderr,
        to_syslog=logging.to_syslog,
        files=_files(settings) if to_files else None,
        is_json=logging.json,
    )


def _files(settings: Settings) -> LogFiles:
    config = settings.logging_files or LogFilesConfig()
    return LogFiles(
        directory=config.path or settings.path.logs,
        name=config.name,
        rotate_every_bytes=config.rotateeverybytes,
        keep_files=config.keepfiles,
        permissions=config.permissions,
        interval_seconds=config.interval_seconds,
        rotate_on_startup=config.rotateonstartup,
    )
