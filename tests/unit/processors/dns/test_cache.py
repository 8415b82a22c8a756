from hypothesis import given
from hypothesis import strategies as st

from connbeat.processors.dns.cache import NameCache


def test_a_name_is_known_for_its_time() -> None:
    cache = NameCache(most_names=5, most_failures=5)
    cache.add("1.2.3.4", "x.example", 100)
    assert (cache.get("1.2.3.4", 99), cache.get("1.2.3.4", 100)) == ("x.example", None)


def test_that_there_is_none_is_known_for_its_time_as_well() -> None:
    cache = NameCache(most_names=5, most_failures=5)
    cache.add("1.2.3.4", "", 100)
    assert (cache.get("1.2.3.4", 99), cache.get("1.2.3.4", 100)) == ("", None)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(["", "x", "y"])), max_size=30))
def test_the_last_answer_counts_and_there_are_never_too_many(
    answers: list[tuple[str, str]],
) -> None:
    cache = NameCache(most_names=3, most_failures=2)
    for address, name in answers:
        cache.add(address, name, 10)
        assert cache.get(address, 5) == name
    known = [cache.get(address, 5) for address in "abcdef"]
    assert sum(bool(name) for name in known) <= 3
    assert known.count("") <= 2
    for address, name in dict(answers).items():
        assert cache.get(address, 5) in (name, None)
