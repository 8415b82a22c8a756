import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.model.connections import Direction, RemoteParty, Report
from connbeat.model.containers import Container
from connbeat.model.processes import UnknownReason
from connbeat.views.table import format_address, format_bytes, render_table
from tests.builders import address, connection_report, counters, listener_report, process

WEB = Container("c" * 64, name="web")
NGINX = process(4242, "/usr/sbin/nginx")
CURL = process(7, "/usr/bin/curl")


def test_the_table_is_listeners_then_connections_the_host_s_own_first() -> None:
    reports: list[Report] = [
        connection_report(
            "172.18.0.3:45678",
            "172.18.0.2:80",
            owner=CURL,
            container=Container("d" * 64),
            remote=RemoteParty(NGINX, WEB),
            counters=counters(sent=74, received=1270),
        ),
        connection_report("[2001:db8::1]:22", "[2001:db8::2]:9", direction=Direction.INBOUND),
        listener_report("0.0.0.0:80", owner=NGINX, container=WEB),
        listener_report("[::]:22", owner=process(1, "/usr/sbin/sshd")),
        listener_report("127.0.0.1:9", owner=UnknownReason.NOT_PERMITTED),
    ]
    assert render_table(reports) == (
        "PROCESS           PID  CONTAINER     DIR  STATE        LOCAL             "
        "REMOTE                     SENT  RECEIVED\n"
        "? not_permitted                           listen       127.0.0.1:9\n"
        "sshd                1                     listen       [::]:22\n"
        "nginx            4242  web                listen       0.0.0.0:80\n"
        "? not_found                          in   established  [2001:db8::1]:22  [2001:db8::2]:9\n"
        "curl                7  dddddddddddd  out  established  172.18.0.3:45678  "
        "172.18.0.2:80 (web/nginx)  74 B    1.2 KB\n"
        "3 listeners, 2 connections\n"
    )


def test_an_empty_table_has_its_heading_and_says_so() -> None:
    heading, count = render_table([]).splitlines()
    assert heading.split()[0] == "PROCESS"
    assert count == "0 listeners, 0 connections"


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60))
def test_no_name_a_process_or_container_chose_controls_the_terminal(
    binary: str, name: str, other: str
) -> None:
    owner = process(1, executable=f"/bin/{binary}")
    report = connection_report(
        owner=owner,
        container=Container("c" * 64, name=name),
        remote=RemoteParty(process(2, executable=f"/bin/{other}"), None),
    )
    table = render_table([report, listener_report(owner=owner)])
    assert len(table.split("\n")) == 5
    assert table.replace("\n", "").isprintable()


def test_escape_sequences_and_writing_from_right_to_left_become_question_marks() -> None:
    table = render_table([listener_report(owner=process(1, executable="/bin/a\x1b[2J\u202eb\n"))])
    assert "a?[2J?b?" in table


def test_only_long_names_are_cut() -> None:
    table = render_table([listener_report(owner=process(1, executable="/bin/" + "x" * 60))])
    assert "x" * 47 + "…  " in table
    assert "x" * 48 not in table


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 B"),
        (17, "17 B"),
        (1023, "1023 B"),
        (1024, "1.0 KB"),
        (1270, "1.2 KB"),
        (1024**2 - 1, "1.0 MB"),
        (1024**2, "1.0 MB"),
        (5 * 1024**3, "5.0 GB"),
        (1024**4, "1.0 TB"),
        (2**64 - 1, "16777216.0 TB"),
    ],
)
def test_bytes_are_counted_as_ls_counts_them(count: int, shown: str) -> None:
    assert format_bytes(count) == shown


@given(st.integers(0, 2**64 - 1))
def test_no_figure_but_terabytes_has_more_than_four_digits_before_its_point(count: int) -> None:
    figure, unit = format_bytes(count).split()
    assert unit == "TB" or float(figure) < 1024


def test_an_ipv6_address_stands_in_brackets() -> None:
    assert format_address(*address("[::1]:80")) == "[::1]:80"
    assert format_address(*address("127.0.0.1:80")) == "127.0.0.1:80"
