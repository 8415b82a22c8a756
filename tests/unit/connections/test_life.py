import msgspec
from hypothesis import given
from hypothesis import strategies as st

from connbeat.connections.life import Life, begin, begin_closed, key_of, life_id
from connbeat.model.connections import Direction
from connbeat.model.sockets import Socket, TcpState
from connbeat.model.traces import Close, Trace
from tests.builders import counters, listening, owned, process, row

CALL = row("10.0.0.1:5000", "10.0.0.2:80", cookie=7, inode=70, counters=counters())


def life(socket: Socket = CALL) -> Life:
    return begin(1, key_of(socket), socket, 1)


def held_by(pid: int, one: Life) -> Life:
    one.attribution = owned(pid)
    return one


def changed(**fields: object) -> Socket:
    return msgspec.structs.replace(CALL, **fields)


def test_the_cookie_is_the_key() -> None:
    assert key_of(CALL) == 7


def test_without_a_cookie_the_addresses_are_the_key_and_for_listeners_the_inode_too() -> None:
    first, second = changed(cookie=0, inode=1), changed(cookie=0, inode=2)
    assert key_of(first) == key_of(second) != 0
    web, twin = listening("0.0.0.0:80", inode=1), listening("0.0.0.0:80", inode=2)
    assert key_of(web) != key_of(twin)


def test_a_later_row_is_of_the_connection_while_addresses_and_inode_agree() -> None:
    known = life()
    assert known.is_of(CALL)
    assert known.is_of(changed(state=TcpState.FIN_WAIT2, inode=0, counters=None))
    assert not known.is_of(changed(inode=71))
    assert not known.is_of(changed(local_port=5001))
    assert not known.is_of(changed(remote_port=81))
    assert not known.is_of(changed(remote_ip=bytes([10, 0, 0, 3])))


def test_a_row_that_lost_its_inode_and_counters_takes_them_from_nobody() -> None:
    known = life()
    known.update(changed(state=TcpState.FIN_WAIT2, inode=0, counters=None), 2)
    assert (known.inode, known.socket.counters) == (70, CALL.counters)
    assert (known.state, known.is_held, known.seen) == (TcpState.FIN_WAIT2, False, 2)


def test_an_inode_that_comes_only_now_makes_the_owner_unknown_again() -> None:
    known = held_by(1, life(changed(inode=0)))
    known.update(CALL, 2)
    assert (known.inode, known.attribution) == (70, None)
    known = held_by(70, known)
    known.update(CALL, 3)
    assert known.attribution == owned(70)


def test_ids_with_a_cookie_survive_a_restart_and_name_host_boot_and_namespace() -> None:
    assert life_id("boot", life(), 1) == life_id("boot", life(), 2) == "boot-1-7"
    other = begin(2, 7, CALL, 1)
    assert (
        len({life_id("boot", life(), 1), life_id("b2", life(), 1), life_id("boot", other, 1)}) == 3
    )


def test_ids_without_a_cookie_differ_by_addresses_and_time() -> None:
    socket, other = changed(cookie=0), changed(cookie=0, local_port=5001)
    ids = {
        life_id("b", life(socket), 1),
        life_id("b", life(socket), 2),
        life_id("b", life(other), 1),
    }
    assert len(ids) == 3
    assert life_id("b", life(socket), 1) in ids


def test_a_socket_s_second_connection_has_an_id_of_its_own() -> None:
    again = life()
    again.is_reused = True
    assert life_id("b", again, 9) != life_id("b", life(), 9)


@st.composite
def ends(draw: st.DrawFn) -> Close:
    """A connection's end, with its trace, with half of it, or without."""
    socket = changed(state=TcpState.CLOSE, inode=0)
    if draw(st.booleans()):
        socket = msgspec.structs.replace(socket, counters=None)
    if not draw(st.booleans()):
        return Close(1, socket, 9, None)
    trace = Trace(77, draw(st.sampled_from(list(Direction))), draw(st.sampled_from([0, 5])))
    trace.process = process(3, container=draw(st.sampled_from(["", "c" * 64])))
    trace.process = draw(st.sampled_from([None, trace.process]))
    return Close(1, socket, 9, trace)


@given(ends(), st.booleans())
def test_a_life_that_begins_with_its_end_is_as_one_that_began_and_ended(
    close: Close, is_table_older: bool
) -> None:
    one_by_one = begin(1, 7, close.socket, 4)
    one_by_one.is_table_older = is_table_older
    one_by_one.finish(close)
    at_once = begin_closed(1, close, 4, is_table_older=is_table_older)
    assert msgspec.structs.asdict(at_once) == msgspec.structs.asdict(one_by_one)
