from prometheus_client.parser import text_string_to_metric_families

from connbeat.telemetry.exposition import CONTENT_TYPE, expose
from connbeat.telemetry.metrics import Kind, Metric, Metrics


def filled() -> Metrics:
    """Every metric of the catalogue, with labels of an awkward kind."""
    metrics = Metrics()
    for number, metric in enumerate(Metric):
        labels = {name: f'{name} "\n\\ é' for name in metric.value.labels}
        if metric.value.kind is Kind.HISTOGRAM:
            metrics.observe(metric, 0.3, **labels)
        else:
            metrics.set(metric, number + 0.5, **labels)
    return metrics


def test_everything_is_read_back_by_prometheus_own_parser_as_it_was() -> None:
    families = {
        family.name: family for family in text_string_to_metric_families(expose(filled()).decode())
    }
    assert len(families) == len(Metric)
    for number, metric in enumerate(Metric):
        info = metric.value
        family = families[info.name.removesuffix("_total")]
        assert family.documentation == info.help
        assert family.type == ("gauge" if info.kind is Kind.INFO else info.kind)
        labels = {name: f'{name} "\n\\ é' for name in info.labels}
        if info.kind is not Kind.HISTOGRAM:
            (sample,) = family.samples
            assert (sample.name, sample.value) == (info.name, number + 0.5)
            assert sample.labels == labels


#: As `promtool check metrics` has them.
UNITS = ("seconds", "bytes", "ratio")
NO_UNITS = {"ms", "milliseconds", "minutes", "hours", "kb", "mb", "kilobytes", "percent", "count"}
TYPES = {"counter", "gauge", "histogram", "summary"}


def test_what_is_served_passes_a_lint_of_names() -> None:
    families = list(text_string_to_metric_families(expose(filled()).decode()))
    assert len({family.name for family in families}) == len(families)
    for family in families:
        words = family.name.removesuffix("_info").split("_")
        assert words[0] == "connbeat"
        assert "total" not in words, f"{family.name}: only a counter's sample has it, at its end"
        assert not set(words) & (NO_UNITS | TYPES), family.name
        assert not set(words[:-1]) & set(UNITS), f"{family.name}: the unit comes last"
        assert family.documentation.endswith(".")
        for sample in family.samples:
            assert sample.name.endswith("_total") == (family.type == "counter")


def test_a_histogram_has_a_bucket_a_limit_and_one_for_all() -> None:
    metrics = Metrics()
    metrics.observe(Metric.BATCH_SECONDS, 0.3, output="x")
    metrics.observe(Metric.BATCH_SECONDS, 99, output="x")
    (family,) = [
        one
        for one in text_string_to_metric_families(expose(metrics).decode())
        if one.type == "histogram"
    ]
    found = {(sample.name[29:], sample.labels.get("le")): sample.value for sample in family.samples}
    assert found["_bucket", "0.25"] == 0
    assert found["_bucket", "0.5"] == found["_bucket", "30.0"] == 1
    assert found["_bucket", "+Inf"] == found["_count", None] == 2
    assert found["_sum", None] == 99.3


def test_counters_without_labels_begin_at_nought_and_what_is_not_known_is_not_there() -> None:
    text = expose(Metrics()).decode()
    assert "\nconnbeat_polls_total 0.0\n" in text
    assert "connbeat_coverage" not in text
    assert "connbeat_output_events_dropped_total" not in text


def test_a_label_that_is_no_unicode_does_not_cost_the_page() -> None:
    metrics = Metrics()
    metrics.add(Metric.DUMPS_FAILED, reason="\udcff")
    assert b"udcff" in expose(metrics)


def test_the_type_is_the_text_format_s() -> None:
    assert CONTENT_TYPE.startswith("text/plain; version=0.0.4")
