"""Where the log goes, from the settings. Pure."""

from connbeat.config.schema import Settings
from connbeat.telemetry.log import LogSettings
from connbeat.telemetry.log_targets import LogFiles


def log_settings(settings: Settings, *, is_start: bool = True) -> LogSettings:
    """As the configuration says; where it says nothing, stderr.

    Without `is_start` a log that goes to files goes on where it was, whatever happens at a start.
    """
    config = settings.logging
    to_files = config.to_files
    if to_files is None:
        to_files = config.to_stderr is False and not config.to_syslog
    to_stderr = config.to_stderr
    if to_stderr is None:
        to_stderr = not to_files and not config.to_syslog
    return LogSettings(
        level=config.level,
        selectors=config.selectors,
        to_stderr=to_stderr,
        to_syslog=config.to_syslog,
        files=_files(settings, is_start=is_start) if to_files else None,
        is_json=config.json,
    )


def _files(settings: Settings, *, is_start: bool) -> LogFiles:
    config = settings.logging_files
    return LogFiles(
        directory=config.path or settings.path.logs,
        name=config.name,
        rotate_every_bytes=config.rotateeverybytes,
        keep_files=config.keepfiles,
        permissions=config.permissions,
        interval_seconds=config.interval_seconds,
        rotate_on_startup=config.rotateonstartup and is_start,
    )
