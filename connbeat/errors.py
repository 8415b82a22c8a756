"""The exception tree: what a call could not do.

Results of attempts are values (`connbeat.model.batches.Outcome`), never exceptions. A library's
own exceptions stop at the module that imports the library and become one of these.
"""


class ConnbeatError(Exception):
    """Anything connbeat itself refuses or could not do."""


class ConfigError(ConnbeatError):
    """The configuration cannot be used; `faults` lists every reason, one line each."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class KeystoreError(ConnbeatError):
    """The keystore cannot be used; the message says why and never quotes a secret."""


class DiscoveryError(ConnbeatError):
    """The container engine could not be asked."""


class CaptureError(ConnbeatError):
    """Sockets of one namespace could not be read this time."""


class NetnsGone(CaptureError):  # noqa: N818  a fact about the namespace, and the field's word for it
    """The namespace, or the process that led to it, ended."""


class ProcessGone(CaptureError):  # noqa: N818  as above
    """The process ended, or its pid belongs to another by now."""


class NotFound(CaptureError):  # noqa: N818  as above
    """The kernel has no such socket or object."""


class NotPermitted(CaptureError):  # noqa: N818  as above
    """A capability is missing; the message names it."""


class DumpInterrupted(CaptureError):  # noqa: N818  as above
    """The kernel said NLM_F_DUMP_INTR on every try: the table moved under the dump."""


class Malformed(CaptureError):  # noqa: N818  as above
    """Bytes that do not follow the format; the message quotes them."""


class QueueError(ConnbeatError):
    """A queue could not do its work."""


class SpoolDamaged(QueueError):  # noqa: N818  what it is, as the log says it
    """The spool on disk cannot be trusted any more; the message says where it is wrong."""


class SpoolUnavailable(QueueError):  # noqa: N818  as above
    """The spool cannot be used now; `reason` is the word that counts what is lost by it."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class OutputError(ConnbeatError):
    """An output could not do its work."""


class Permanent(OutputError):  # noqa: N818  the delivery vocabulary: permanent and transient
    """The same call will always fail."""


class Transient(OutputError):  # noqa: N818  as above
    """The call may succeed later; `after_seconds` is the earliest time the other side wants."""

    def __init__(self, message: str, after_seconds: float = 0.0) -> None:
        super().__init__(message)
        self.after_seconds = after_seconds
