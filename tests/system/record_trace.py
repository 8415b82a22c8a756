"""Records what this machine's kernel traces of a known story, for the tests that decode it.

Writes `tests/data/trace/linux-X.Y`: the `format` files, the pages, the destroy messages, and the
story as the program tells it that made the sockets (`trace_story.py`). Review reads the diff.
"""

import json
import os
import platform
import sys
from pathlib import Path

from connbeat.capture.closes import CloseSocket
from connbeat.capture.formats import (
    DESTROY,
    ERROR,
    ERROR_FILTER,
    EXEC,
    EXIT,
    FORK,
    STATE,
    STATE_FILTER,
)
from connbeat.linux.netns import entered
from connbeat.linux.procfs import ProcFs
from connbeat.linux.recvmmsg import Inbox, Message
from connbeat.linux.tracefs import Tracefs, TraceInstance, open_tracefs, page_size
from tests.system.harness import PREFIX, Netns
from tests.traces import DATA, to_json, write_hex

PROGRAM = Path(__file__).with_name("trace_story.py")
EVENTS = (STATE, ERROR, DESTROY, FORK, EXEC, EXIT)
TARGET = DATA / ("linux-" + ".".join(platform.release().split(".")[:2]))


def record(tracefs: Tracefs, netns: Netns) -> None:
    """Until it was alone on the machine: nobody else's programs go into the data."""
    while True:
        pages, messages, story = play(tracefs, netns)
        recorded = b"".join(pages)
        if recorded.count(b"/bin/") == 1 and b"/usr/" not in recorded:
            break
    used = [page[: 16 + (int.from_bytes(page[8:16], "little") & 0xFFFFF)] for page in pages]
    comment = f"What tests/system/trace_story.py did, {platform.release()}, byte order little"
    write_hex(TARGET / "pages.hex", comment, used)
    write_hex(TARGET / "messages.hex", comment, [data for _, data in messages])
    (TARGET / "story.json").write_text(to_json(story))


def play(
    tracefs: Tracefs, netns: Netns
) -> tuple[list[bytes], list[Message], dict[str, list[object]]]:
    program = netns.start(sys.executable, str(PROGRAM))
    assert program.stdout is not None
    program.stdout.readline()
    instance = TraceInstance(tracefs, "golden", ProcFs(), 1024)
    instance.enable(STATE, STATE_FILTER)
    instance.enable(ERROR, ERROR_FILTER)
    for event in (DESTROY, FORK, EXEC, EXIT):
        instance.enable(event)
    with entered(Path("/run/netns", netns.name), netns.inode):
        closes = CloseSocket(Inbox(), all_namespaces=False)
    instance.start()
    story = json.loads(program.communicate("go\n")[0])
    pages = instance.read_pages(page_size(tracefs), 1000)
    messages: list[Message] = []
    closes.drain(messages, 1000)
    closes.close()
    instance.close()
    return pages, messages, story


def record_formats(tracefs: Tracefs) -> None:
    for event in EVENTS:
        path = TARGET / "events" / event / "format"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text((tracefs.root / "events" / event / "format").read_text())
    header = (tracefs.root / "events/header_page").read_text()
    (TARGET / "events/header_page").write_text(header)


def main() -> None:
    assert sys.byteorder == "little"
    assert os.geteuid() == 0
    tracefs = open_tracefs()
    netns = Netns(f"{PREFIX}-trace")
    try:
        record_formats(tracefs)
        record(tracefs, netns)
    finally:
        netns.close()
        tracefs.close()


if __name__ == "__main__":
    main()
