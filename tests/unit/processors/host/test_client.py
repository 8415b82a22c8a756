import platform
import threading
from collections.abc import Iterator

import pytest

from connbeat.processors.host import client
from connbeat.processors.host.client import HostReader, read_host
from connbeat.processors.host.processor import HostMetadataConfig
from tests.deliveries import FakeClock


def test_this_host_has_a_name_and_a_system_and_no_loopback_address() -> None:
    host = read_host(with_addresses=True)
    assert host["hostname"] == platform.node()
    assert host["os"]["kernel"] == platform.release()
    assert "127.0.0.1" not in host.get("ip", [])
    assert "ip" not in read_host(with_addresses=False)


def test_it_is_read_at_the_start_and_again_when_it_is_old(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = FakeClock()
    answers: Iterator[dict[str, str] | OSError] = iter(
        [{"id": "1"}, OSError("gone"), {"id": "1"}, {"id": "2"}]
    )

    def answer(**_: object) -> dict[str, str]:
        one = next(answers)
        if isinstance(one, OSError):
            raise one
        return one

    monkeypatch.setattr(client, "read_host", answer)
    reader = HostReader(HostMetadataConfig(cache_ttl_seconds=60), clock)
    assert reader.facts() is None
    seen: list[object] = []
    done = threading.Event()

    def look() -> None:
        seen.append(reader.facts())
        if len(seen) == 4:
            reader.close()
            done.set()

    clock.on_wait = look
    reader.start()
    assert done.wait(10)
    assert seen == [{"id": "1"}] * 3 + [{"id": "2"}]
    assert seen[0] is seen[2], "what did not change stays the same object"
    assert clock.waits == [60] * 4
