"""Documents for properties: few names, so that they meet, with dots and without."""

from hypothesis import strategies as st

NAMES = ("a", "b", "a.b", "a.b.c", "b.a", "type")
_leaves = st.integers(0, 3) | st.sampled_from(["", "x", '{"a": 1}', "127.0.0.1"]) | st.booleans()
_values = st.recursive(
    _leaves,
    lambda inner: (
        st.dictionaries(st.sampled_from(NAMES), inner, max_size=3) | st.lists(inner, max_size=2)
    ),
    max_leaves=8,
)
documents = st.dictionaries(st.sampled_from(NAMES), _values, max_size=4)
names = st.sampled_from(NAMES)
