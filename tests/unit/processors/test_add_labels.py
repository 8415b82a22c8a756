from tests.unit.processors.trying import EVENT, failure, tried

LABELS = """
- add_labels:
    labels:
      number: 1
      with.dots: test
      nested: {with.dots: nested}
      array: [do, re, {with.field: mi}]
"""


def test_nested_names_are_flattened() -> None:
    assert tried(LABELS) == {
        **EVENT,
        "labels": {
            "number": 1,
            "with.dots": "test",
            "nested.with.dots": "nested",
            "array.0": "do",
            "array.1": "re",
            "array.2.with.field": "mi",
        },
    }


def test_labels_that_are_there_stay() -> None:
    document = {"labels": {"a": 1, "number": 2}}
    result = tried("- add_labels.labels: {number: 3}", document)
    assert result == {"labels": {"a": 1, "number": 3}}
    assert document == {"labels": {"a": 1, "number": 2}}


def test_labels_that_are_no_section_are_left_alone() -> None:
    assert failure("- add_labels.labels: {a: 1}", {"labels": "x"}) == "labels is no section"
