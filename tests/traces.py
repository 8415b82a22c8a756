"""Trace pages for tests: a small writer of our own, and what a kernel really wrote.

The writer follows include/linux/ring_buffer.h word by word and shares nothing with connbeat's
reader. Its event formats are not the kernel's: other ids, other offsets, gaps between the fields.
"""

import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from connbeat.linux.tracefs import EventFormat, Tracefs, parse_format

DATA = Path(__file__).parent / "data" / "trace"

#: Every recording, `linux-X.Y`; one more kernel is one more folder.
RECORDINGS = sorted(folder.name for folder in DATA.iterdir() if folder.is_dir())

MISSED, STORED = 1 << 31, 1 << 30
PADDING, TIME_EXTEND, TIME_STAMP = 29, 30, 31


# Pages


def word(kind: int, delta: int) -> bytes:
    return struct.pack("<I", kind | delta << 5)


def short_event(record: bytes, delta: int = 0) -> bytes:
    padded = record + bytes(-len(record) % 4)
    assert 4 <= len(padded) <= 112, "too long for a short event"
    return word(len(padded) // 4, delta) + padded


def long_event(record: bytes, delta: int = 0) -> bytes:
    padded = record + bytes(-len(record) % 4)
    return word(0, delta) + struct.pack("<I", 4 + len(padded)) + padded


def discarded_event(record: bytes, delta: int = 1) -> bytes:
    """`rb_event_discard`: the length stands in the first word, and 0 has become 1."""
    assert delta > 0
    padded = record + bytes(-len(record) % 4)
    return word(PADDING, delta) + struct.pack("<I", len(padded)) + padded[4:]


def time_extend(delta: int) -> bytes:
    return word(TIME_EXTEND, delta & 0x7FFFFFF) + struct.pack("<I", delta >> 27)


def time_stamp(time_ns: int) -> bytes:
    stamp = time_ns & ((1 << 59) - 1)
    return word(TIME_STAMP, stamp & 0x7FFFFFF) + struct.pack("<I", stamp >> 27)


def page(
    time_ns: int, *words: bytes, missed: int | None = None, flags: int = 0, size: int = 4096
) -> bytes:
    """A page; `missed` is the number of events lost before it that stands behind the last."""
    body = b"".join(words)
    commit = len(body) | flags
    if missed is not None:
        commit |= MISSED | STORED
        body += struct.pack("<Q", missed)
    made = struct.pack("<QQ", time_ns, commit) + body
    assert len(made) <= size
    return made.ljust(size, b"\0")


# Records

_CODES = {(1, False): "B", (2, False): "H", (4, False): "I", (8, False): "Q",
          (1, True): "b", (2, True): "h", (4, True): "i", (8, True): "q"}  # fmt: skip


def format_text(name: str, number: int, fields: Iterable[tuple[str, int, int, bool]]) -> str:
    """A `format` file: (declaration, offset, size, signed) of each field."""
    lines = "".join(
        f"\tfield:{declaration};\toffset:{offset};\tsize:{size};\tsigned:{signed:d};\n"
        for declaration, offset, size, signed in fields
    )
    return f'name: {name}\nID: {number}\nformat:\n{lines}\nprint fmt: "none"\n'


_COMMON = [
    ("unsigned short common_type", 0, 2, False),
    ("unsigned char common_flags", 3, 1, False),
    ("int common_pid", 8, 4, True),
]

#: As no kernel has them: gaps everywhere, 32-bit where it has 64, long where it has short.
FORMAT_TEXTS = {
    "state": format_text("inet_sock_set_state", 71, [
        *_COMMON,
        ("const void * skaddr", 24, 8, False),
        ("short oldstate", 34, 2, True),
        ("short newstate", 40, 2, True),
        ("__u32 sport", 44, 4, False),
        ("__u16 dport", 50, 2, False),
        ("__u32 family", 56, 4, False),
        ("__u8 protocol", 60, 1, False),
        ("__u8 saddr[4]", 61, 4, False),
        ("__u8 daddr[4]", 67, 4, False),
        ("__u8 saddr_v6[16]", 73, 16, False),
        ("__u8 daddr_v6[16]", 91, 16, False),
    ]),
    "error": format_text("inet_sk_error_report", 72, [
        *_COMMON,
        ("int error", 16, 4, True),
        ("__u16 sport", 22, 2, False),
        ("__u16 dport", 26, 2, False),
        ("__u16 family", 30, 2, False),
        ("__u8 daddr[4]", 33, 4, False),
        ("__u8 daddr_v6[16]", 41, 16, False),
    ]),
    "icmp": format_text("icmp_send", 77, [
        *_COMMON,
        ("int type", 20, 4, True),
        ("int code", 28, 4, True),
        ("__u8 saddr[4]", 33, 4, False),
        ("__u8 daddr[4]", 38, 4, False),
    ]),
    "destroy": format_text("tcp_destroy_sock", 73, [
        *_COMMON,
        ("const void * skaddr", 16, 8, False),
        ("__u64 sock_cookie", 40, 8, False),
    ]),
    "fork": format_text("task_newtask", 74, [
        *_COMMON,
        ("pid_t pid", 16, 4, True),
        ("char comm[TASK_COMM_LEN]", 24, 16, False),
        ("unsigned long clone_flags", 48, 8, False),
    ]),
    "exec": format_text("sched_process_exec", 75, [
        *_COMMON,
        ("__data_loc char[] filename", 20, 4, False),
        ("pid_t pid", 28, 4, True),
    ]),
    "exit": format_text("sched_process_exit", 76, [
        *_COMMON,
        ("char comm[TASK_COMM_LEN]", 12, 16, False),
        ("pid_t pid", 36, 4, True),
    ]),
}  # fmt: skip
FORMATS = {name: parse_format(text) for name, text in FORMAT_TEXTS.items()}


def record(event: EventFormat, values: Mapping[str, int | bytes], tail: bytes = b"") -> bytes:
    """One record, everything that is not said filled with 0xEE; `tail` is its dynamic part."""
    end = max(field.offset + field.size for field in event.fields.values())
    made = bytearray(b"\xee" * end)
    for name, value in {"common_type": event.id, "common_flags": 0, **values}.items():
        field = event.fields[name]
        if isinstance(value, bytes):
            made[field.offset : field.offset + field.size] = value.ljust(field.size, b"\0")
        else:
            code = _CODES[field.size, field.is_signed]
            struct.pack_into("<" + code, made, field.offset, value)
    return bytes(made) + tail


# What a kernel wrote


class KnownSocket(msgspec.Struct, frozen=True):
    """A socket as the program knows it that made it; ports and addresses as text, `ip:port`."""

    role: str
    cookie: int
    pid: int
    local: str = ""
    remote: str = ""
    sent: int = 0
    received: int = 0


class KnownProcess(msgspec.Struct, frozen=True):
    pid: int
    parent: int
    executed: str = ""


class Story(msgspec.Struct, frozen=True):
    """What happened while the kernel recorded."""

    sockets: list[KnownSocket]
    processes: list[KnownProcess]


class Recording:
    """`tests/data/trace/<name>`: formats, pages and destroy messages of one story."""

    def __init__(self, name: str) -> None:
        self.folder = DATA / name
        self.tracefs = Tracefs(self.folder)
        self.story = msgspec.json.decode((self.folder / "story.json").read_bytes(), type=Story)

    def pages(self) -> list[bytes]:
        """As read, each filled up with zeros again."""
        return [used.ljust(4096, b"\0") for used in _read_hex(self.folder / "pages.hex")]

    def messages(self) -> list[bytes]:
        return _read_hex(self.folder / "messages.hex")

    def sockets(self, role: str) -> list[KnownSocket]:
        return [known for known in self.story.sockets if known.role == role]


def write_hex(path: Path, comment: str, blocks: Iterable[bytes]) -> None:
    lines = [f"# {comment}"]
    for block in blocks:
        lines += ["", *(block[start : start + 48].hex() for start in range(0, len(block), 48))]
    path.write_text("\n".join(lines) + "\n")


def _read_hex(path: Path) -> list[bytes]:
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    return [bytes.fromhex(block) for block in "\n".join(lines).strip().split("\n\n")]


def to_json(story: dict[str, list[Any]]) -> str:
    """One line a socket or process, so that a diff can be read."""
    parts = []
    for key, rows in story.items():
        text = ",\n  ".join(msgspec.json.encode(row).decode() for row in rows)
        parts.append(f' "{key}": [\n  {text}\n ]')
    return "{\n" + ",\n".join(parts) + "\n}\n"
