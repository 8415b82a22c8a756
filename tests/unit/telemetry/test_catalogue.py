from connbeat.telemetry.catalogue import metrics_reference
from connbeat.telemetry.metrics import Metric
from tests.unit.config.goldens import ROOT, assert_golden


def test_the_page_is_that_of_this_version() -> None:
    assert_golden(ROOT / "docs" / "metrics.md", metrics_reference())


def test_every_metric_has_its_row_below_a_section() -> None:
    page = metrics_reference()
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert len(rows) == len(Metric)
    assert page.index("## Capture") < page.index("| `")
    assert all(line.count(" | ") == 3 for line in rows)
