from hypothesis import given
from hypothesis import strategies as st

from connbeat.connections.life import Life, begin, key_of
from connbeat.connections.pairs import PairIndex
from connbeat.model.connections import Address
from tests.builders import address, row

A, B = "10.0.0.1:5000", "10.0.0.2:80"


def end(local: str, remote: str, netns: int = 1, nat: str = "") -> Life:
    socket = row(local, remote)
    life = begin(netns, key_of(socket), socket, 1)
    life.nat = Address(*address(nat)) if nat else None
    return life


def pair(*polls: list[Life]) -> PairIndex:
    index = PairIndex()
    for ends in polls:
        index.add(ends)
    return index


def test_two_ends_find_each_other_in_one_poll_or_in_two() -> None:
    for split in (0, 1, 2):
        here, there = end(A, B), end(B, A)
        index = pair([here, there][:split], [here, there][split:])
        assert here.peer is there
        assert there.peer is here
        assert len(index) == 0


def test_ends_in_two_namespaces_find_each_other() -> None:
    here, there = end(A, B, 1), end(B, A, 2)
    pair([here], [there])
    assert here.peer is there


def test_loopback_means_something_only_within_its_namespace() -> None:
    here, there = end("127.0.0.1:5000", "127.0.0.1:80", 1), end("127.0.0.1:80", "127.0.0.1:5000", 2)
    near = end("127.0.0.1:80", "127.0.0.1:5000", 1)
    index = pair([here, there])
    assert len(index) == 2
    index.add([near])
    assert here.peer is near
    assert there.peer is None


def test_the_other_end_in_the_same_namespace_is_nearer() -> None:
    here, near, far = end(A, B, 1), end(B, A, 1), end(B, A, 2)
    pair([far, near, here])
    assert here.peer is near
    assert far.peer is None


def test_isolated_networks_with_one_plan_make_no_pair_in_whatever_order_they_come() -> None:
    for order in ((0, 1, 2, 3), (0, 3, 1, 2), (3, 2, 1, 0)):
        ends = [end(A, B, 1), end(B, A, 2), end(A, B, 3), end(B, A, 4)]
        pair([ends[index] for index in order])
        assert [one.peer for one in ends] == [None] * 4


def test_one_end_with_two_others_has_no_pair() -> None:
    here, first, second = end(A, B, 1), end(B, A, 2), end(B, A, 3)
    pair([first], [second], [here])
    assert [one.peer for one in (here, first, second)] == [None] * 3


def test_a_connection_to_itself_is_not_its_own_other_end() -> None:
    alone = end("127.0.0.1:5000", "127.0.0.1:5000")
    index = pair([alone])
    assert alone.peer is None
    index.discard(alone)
    assert len(index) == 0


def test_a_caller_of_a_published_port_finds_the_container_that_answers() -> None:
    published, inside = "192.168.2.243:8080", "172.17.0.2:80"
    for is_caller_first in (True, False):
        caller, server = end(A, published, 1, nat=inside), end(inside, A, 2)
        ends = [caller, server] if is_caller_first else [server, caller]
        index = pair(ends[:1], ends[1:])
        assert caller.peer is server
        assert len(index) == 0


def test_a_caller_of_a_published_port_finds_the_proxy_that_answers_for_it() -> None:
    published = "192.168.2.243:8080"
    caller, proxy = end(A, published, 1, nat="172.17.0.2:80"), end(published, A, 1)
    index = pair([caller], [proxy])
    assert caller.peer is proxy
    assert len(index) == 0


PORTS = st.integers(1, 3)
ENDS = st.builds(
    lambda ips, local, remote, netns, nat: end(
        f"{ips[0]}:{local}", f"{ips[1]}:{remote}", netns, nat=f"{ips[2]}:{local}" if nat else ""
    ),
    st.tuples(*[st.sampled_from(["10.0.0.1", "10.0.0.2", "127.0.0.1"])] * 3),
    PORTS,
    PORTS,
    st.integers(1, 3),
    st.booleans(),
)


@given(st.lists(st.lists(ENDS, max_size=4), max_size=5), st.randoms())
def test_pairs_are_mutual_and_what_is_discarded_leaves_nothing(
    polls: list[list[Life]], rng: "object"
) -> None:
    index = pair(*polls)
    ends = [life for poll in polls for life in poll]
    for life in ends:
        assert life.peer is None or life.peer.peer is life
        assert life.peer is not life
    rng.shuffle(ends)  # type: ignore[attr-defined]  # hypothesis' own Random
    for life in ends:
        index.discard(life)
        index.discard(life)
    assert len(index) == 0
