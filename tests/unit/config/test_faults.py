import pytest

from connbeat.config.faults import Findings
from connbeat.config.tree import Place
from connbeat.errors import ConfigError


def test_faults_come_file_by_file_and_line_by_line_and_flags_last() -> None:
    findings = Findings()
    findings.fault(Place("-E"), "k", "flag")
    findings.fault(Place("b.yml", 9), "k", "nine")
    findings.fault(Place("a.yml", 1), "k", "one")
    findings.fault(Place("b.yml", 2), "", "two")
    findings.fault(Place("b.yml", 2), "", "two")

    with pytest.raises(ConfigError) as caught:
        findings.raise_faults()

    assert caught.value.faults == (
        "b.yml:2: two",
        "b.yml:9: k: nine",
        "a.yml:1: k: one",
        "-E: k: flag",
    )


def test_warnings_stop_nothing() -> None:
    findings = Findings()
    findings.warn(Place("a.yml", 1), "k", "odd")
    findings.raise_faults()
    assert findings.warnings == ("a.yml:1: k: odd",)


def test_a_finding_is_one_line_whatever_the_key_holds() -> None:
    findings = Findings()
    findings.warn(Place("a.yml", 1), "k\n\x1b[31m\u2028é", "odd")
    assert findings.warnings == (r"a.yml:1: k\n\x1b[31m\u2028é: odd",)
