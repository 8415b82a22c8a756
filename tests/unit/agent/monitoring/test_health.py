import pytest

from connbeat.agent.monitoring.health import HANG_SECONDS, STALLED_SECONDS, Facts, alive, ready
from connbeat.agent.monitoring.vitals import OutputVitals


def facts(
    *outputs: OutputVitals,
    age: float = 0.2,
    has_begun: bool = True,
    is_stopping: bool = False,
    trouble: str = "",
) -> Facts:
    return Facts(
        has_begun=has_begun,
        is_stopping=is_stopping,
        capture_age_seconds=age,
        outputs=outputs,
        spool_trouble=trouble,
    )


def output(stalled: float = 0.0, fill: float = 0.1, drop_age: float | None = None) -> OutputVitals:
    return OutputVitals("http", stalled, fill, drop_age)


WELL = facts(output())


def test_an_agent_that_works_is_alive_and_ready() -> None:
    assert (alive(WELL).status, alive(WELL).reasons) == ("alive", ())
    assert (ready(WELL).status, ready(WELL).reasons) == ("ready", ())


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (facts(has_begun=False), "starting"),
        (facts(is_stopping=True), "stopping"),
        (facts(is_stopping=True, age=HANG_SECONDS), "stopping"),
        (facts(age=HANG_SECONDS), "capture_hangs"),
        (facts(age=HANG_SECONDS, has_begun=False), "capture_hangs"),
        (facts(trouble="disk_full"), "spool_unavailable"),
        (facts(output(stalled=STALLED_SECONDS)), "output_stalled"),
        (facts(output(drop_age=5)), "queue_drops"),
        (facts(output(drop_age=5, fill=1)), "queue_drops"),
        (facts(output(fill=0.96)), "queue_full"),
    ],
)
def test_what_is_wrong_is_named(found: Facts, reason: str) -> None:
    health = ready(found)
    assert (health.status, [one.reason for one in health.reasons]) == ("not_ready", [reason])


@pytest.mark.parametrize(
    "found",
    [
        facts(output(stalled=STALLED_SECONDS - 1)),
        facts(output(drop_age=61)),
        facts(output(fill=0.94)),
        facts(age=HANG_SECONDS - 1),
    ],
)
def test_what_passes_by_is_no_reason(found: Facts) -> None:
    assert ready(found).status == "ready"


def test_everything_that_is_wrong_is_told_with_whose_it_is() -> None:
    health = ready(facts(output(stalled=45, fill=1), output(), trouble="disk_full"))
    assert [(one.reason, one.output) for one in health.reasons] == [
        ("spool_unavailable", ""),
        ("output_stalled", "http"),
        ("queue_full", "http"),
    ]
    assert "45s" in health.reasons[1].detail


def test_only_a_capture_that_hangs_is_a_reason_to_be_restarted() -> None:
    wrong = facts(output(stalled=999, fill=1, drop_age=0), has_begun=False, trouble="disk_full")
    assert alive(wrong).status == "alive"
    assert alive(facts(age=HANG_SECONDS)).status == "hangs"
    assert alive(facts(age=HANG_SECONDS)).reasons
    assert alive(facts(age=HANG_SECONDS, is_stopping=True)).status == "alive"
