"""The table of `connbeat show`: listeners, then connections, as a person likes to read them."""

from collections.abc import Sequence

from connbeat.model.addresses import format_ip
from connbeat.model.connections import ConnectionReport, ListenerReport, Party, RemoteParty, Report
from connbeat.model.processes import Process

_COLUMNS = ("PROCESS", "PID", "CONTAINER", "DIR", "STATE", "LOCAL", "REMOTE", "SENT", "RECEIVED")
_RIGHT = frozenset({"PID", "SENT", "RECEIVED"})
_DIRECTIONS = {"inbound": "in", "outbound": "out", "unknown": "?"}
_WIDEST = 48


def render_table(reports: Sequence[Report]) -> str:
    """One line each under a heading; the last line counts. Nothing is cut but long names."""
    listeners = [report for report in reports if isinstance(report, ListenerReport)]
    connections = [report for report in reports if isinstance(report, ConnectionReport)]
    rows = [_listener_row(report) for report in sorted(listeners, key=_listener_order)]
    rows += [_connection_row(report) for report in sorted(connections, key=_connection_order)]
    widths = [
        max(len(name), *(len(row[index]) for row in rows)) if rows else len(name)
        for index, name in enumerate(_COLUMNS)
    ]
    lines = [_line(_COLUMNS, widths), *(_line(row, widths) for row in rows)]
    lines.append(f"{len(listeners)} listeners, {len(connections)} connections")
    return "\n".join(lines) + "\n"


def format_bytes(count: int) -> str:
    """`17 B`, `1.2 KB`, `3.4 GB`: powers of 1024, as `ls -h` counts."""
    size = float(count)
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1023.95:  # what would be rounded to 1024.0 is 1.0 of the next
            return f"{count} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TB"


def format_address(ip: bytes, port: int) -> str:
    text = format_ip(ip)
    return f"[{text}]:{port}" if len(ip) == 16 else f"{text}:{port}"


def _listener_row(report: ListenerReport) -> tuple[str, ...]:
    local = format_address(report.ip, report.port)
    return (*_who(report.local), "", "listen", local, "", "", "")


def _connection_row(report: ConnectionReport) -> tuple[str, ...]:
    counters = report.counters
    return (
        *_who(report.local),
        _DIRECTIONS[report.direction],
        report.state,
        format_address(report.local_ip, report.local_port),
        format_address(report.remote_ip, report.remote_port) + _whom(report.remote),
        format_bytes(counters.bytes_sent) if counters else "",
        format_bytes(counters.bytes_received) if counters else "",
    )


def _who(party: Party) -> tuple[str, str, str]:
    owner, container = party.owner, party.container
    name = (container.name or container.id[:12]) if container else ""
    if isinstance(owner, Process):
        return _printable(owner.binary), str(owner.pid), _printable(name)
    return f"? {owner}", "", _printable(name)


def _whom(remote: RemoteParty | None) -> str:
    """The other end's name, where it is on this host."""
    if remote is None:
        return ""
    names = [remote.container.name or remote.container.id[:12]] if remote.container else []
    if remote.process:
        names.append(remote.process.binary)
    return f" ({_printable('/'.join(names))})" if names else ""


def _printable(text: str) -> str:
    """A process chooses its own name: no control sequence of it reaches the terminal."""
    clean = "".join(char if char.isprintable() else "?" for char in text)
    return clean if len(clean) <= _WIDEST else clean[: _WIDEST - 1] + "…"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (
        cell.rjust(width) if name in _RIGHT else cell.ljust(width)
        for name, cell, width in zip(_COLUMNS, cells, widths, strict=True)
    )
    return "  ".join(padded).rstrip()


def _listener_order(report: ListenerReport) -> tuple[str, int, bytes]:
    return _name(report.local), report.port, report.ip


def _connection_order(report: ConnectionReport) -> tuple[str, str, bytes, int, int]:
    binary, _, _ = _who(report.local)
    return _name(report.local), binary, report.remote_ip, report.remote_port, report.local_port


def _name(party: Party) -> str:
    """The host's own first, then by container."""
    return party.container.name or party.container.id if party.container else ""
