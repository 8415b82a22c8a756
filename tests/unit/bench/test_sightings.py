import json

from bench.sightings import of_agent, of_ss, of_tcplife
from bench.truth import Sighting


def document(**changes: object) -> str:
    return json.dumps(
        {
            "local_port": 40000,
            "remote_port": 9000,
            "local_process": {"binary": "load", "cmdline": "load once", "pid": 7},
            "connection": {"id": "x-1", "netns": 4026532178},
            "container": {"id": "c0", "name": "web"},
            **changes,
        }
    )


def test_an_event_is_a_sighting_of_its_end() -> None:
    (one,) = of_agent([document()], 4026532178)
    assert one == Sighting("x-1", 40000, 9000, 7, "load once", "web")


def test_events_of_other_namespaces_and_of_listeners_are_left_out() -> None:
    assert list(of_agent([document(), document(connection=None)], 1)) == []


def test_an_event_without_a_process_or_container_has_none() -> None:
    (one,) = of_agent([document(local_process={"binary": "?"}, container=None)], 4026532178)
    assert (one.pid, one.container) == (0, "")


def test_a_row_of_ss_names_the_process_if_ss_knew_it() -> None:
    rows = of_ss(
        [
            'ESTAB     0 0  127.0.0.1:33218  127.0.0.1:9000 users:(("load",pid=3256,fd=5))\n',
            "TIME-WAIT 0 0  127.0.0.1:33219  127.0.0.1:9001\n",
            "ESTAB     0 0  [::1]:5  [::1]:6\n",
            "State Recv-Q Send-Q\n",
        ]
    )
    assert [(row.local_port, row.remote_port, row.pid) for row in rows] == [
        (33218, 9000, 3256),
        (33219, 9001, 0),
        (5, 6, 0),
    ]


def test_each_row_of_tcplife_is_a_connection_of_its_own() -> None:
    rows = list(
        of_tcplife(
            [
                "PID   COMM       LADDR   LPORT RADDR   RPORT TX_KB RX_KB MS\n",
                "3256  load       127.0.0.1 33218 127.0.0.1 9000 0 0 5.31\n",
                "3256  load       127.0.0.1 33218 127.0.0.1 9000 0 0 5.40\n",
            ]
        )
    )
    assert [(row.local_port, row.remote_port, row.pid) for row in rows] == [(33218, 9000, 3256)] * 2
    assert rows[0].identity != rows[1].identity
