import json
from typing import Any

from connbeat.agent.monitoring.health import Health, Reason
from connbeat.agent.monitoring.identity import Identity
from connbeat.agent.monitoring.stats import (
    Pipeline,
    Process,
    Sighted,
    info_document,
    state_document,
    stats_document,
)
from connbeat.capture.advice import Lack
from connbeat.capture.ladder import Rung, Standing
from connbeat.queue.drops import QUEUE_FULL
from connbeat.telemetry.http_message import json_body
from connbeat.telemetry.metrics import Metric, Metrics
from connbeat.telemetry.self_usage import Usage
from tests.metricbeat import read_state, read_stats

IDENTITY = Identity(name="n1", hostname="h1", uuid="u", ephemeral_id="e", version="1.2.3")
PROCESS = Process(
    usage=Usage(
        user_seconds=2.5,
        system_seconds=0.5,
        memory_bytes=30_000_000,
        private_bytes=20_000_000,
        open_fds=12,
    ),
    threads=6,
    fd_limits=(1024, 4096),
    uptime_seconds=61.5,
    cores=4,
    load=(1.0, 0.5, 0.2),
    architecture="x86_64",
    kernel="6.1",
)
PIPELINE = Pipeline(outputs=("http", "file"), queue="mem", max_events=1000)


def stats(metrics: Metrics | None = None, *, is_well: bool = True) -> dict[str, Any]:
    """As somebody on the other side reads it."""
    sighted = Sighted(
        {1: Standing(Rung.NAT, ""), 2: Standing(Rung.PROCFS, "CAP_SYS_ADMIN")},
        [Lack("counters", "CAP_SYS_ADMIN")],
    )
    health = Health("ready") if is_well else Health("not_ready", (Reason("starting", "Soon."),))
    document = stats_document(
        IDENTITY, PROCESS, PIPELINE, metrics or Metrics(), sighted=sighted, health=health
    )
    found: dict[str, Any] = json.loads(json_body(document))
    return found


def at(document: dict[str, Any], path: str) -> Any:
    for key in path.split("."):
        document = document[key]
    return document


def fetch(path: str) -> str:
    documents = {
        "/": info_document(IDENTITY),
        "/state": state_document(IDENTITY, PROCESS, PIPELINE),
        "/stats": stats(busy()),
    }
    return json_body(documents[path]).decode()


def test_metricbeat_finds_every_number_where_it_looks_for_it() -> None:
    found = read_stats(fetch)
    assert found["libbeat.output.type"] == "http,file"
    assert found["libbeat.output.events.acked"] == 120
    assert (found["beat"], found["name"], found["hostname"]) == ("connbeat", "n1", "h1")
    assert (found["uuid"], found["version"]) == ("u", "1.2.3")


def test_metricbeat_finds_the_state() -> None:
    found = read_state(fetch)
    assert found["service.name"] == "connbeat"
    assert found["service.id"] == "u"
    assert found["output.name"] == "http,file"
    assert found["queue.name"] == "mem"
    assert found["management.enabled"] is False


def test_the_process_figures_are_in_the_units_of_the_names() -> None:
    found = stats()
    assert at(found, "beat.cpu.user.time.ms") == 2500
    assert at(found, "beat.cpu.total.value") == 3000
    assert at(found, "beat.info.uptime.ms") == 61_500
    assert at(found, "beat.memstats.rss") == 30_000_000
    assert at(found, "beat.handles") == {"limit": {"hard": 4096, "soft": 1024}, "open": 12}
    assert at(found, "system.load.norm") == {"1": 0.25, "5": 0.125, "15": 0.05}


def busy() -> Metrics:
    """Of 100 reports one could not be written; 90 events an output, of which some got through."""
    metrics = Metrics()
    metrics.add(Metric.REPORTS, 100, kind="closed")
    metrics.add(Metric.REPORTS_FAILED, 1)
    metrics.add(Metric.PROCESSOR_FILTERED, 2, processor="drop_event")
    for output, delivered in (("http", 40), ("file", 80)):
        metrics.add(Metric.EVENTS_DELIVERED, delivered, output=output)
        metrics.add(Metric.EVENTS_RETRIED, 7, output=output)
        metrics.add(Metric.EVENTS_DROPPED, 2, output=output, reason=QUEUE_FULL)
        metrics.add(Metric.EVENTS_DROPPED, 3, output=output, reason="refused")
        metrics.set(Metric.EVENTS_IN_FLIGHT, 5, output=output)
        metrics.set(Metric.QUEUE_EVENTS, 9, output=output)
        metrics.set(Metric.QUEUE_FILL, 0.009, output=output)
        metrics.add(Metric.OUTPUT_FAILURES, 4, output=output, kind="transient")
        metrics.observe(Metric.BATCH_SECONDS, 0.1, output=output)
    metrics.add(Metric.OWNERS_UNKNOWN, 6, reason="exited")
    metrics.set(Metric.COVERAGE, 0.99)
    metrics.set(Metric.OUTPUT_STALLED, 31, output="http")
    return metrics


def test_one_output_is_told_as_it_is_and_all_together_as_their_sum() -> None:
    found = stats(busy())
    http, file = found["connbeat"]["outputs"]["http"], found["connbeat"]["outputs"]["file"]
    assert http["events"] == {
        "acked": 40,
        "active": 5,
        "batches": 1,
        "dead_letter": 0,
        "dropped": 3,
        "duplicates": 0,
        "failed": 7,
        "toomany": 0,
        "total": 55,
    }
    for key, value in found["libbeat"]["output"]["events"].items():
        assert value == http["events"][key] + file["events"][key]
    assert http["write"]["errors"] == 4
    assert http["stalled_seconds"] == 31
    assert http["dropped"] == {QUEUE_FULL: 2, "refused": 3}
    assert http["queue"]["events"] == 9


def test_what_the_queue_gave_up_is_the_pipeline_s_loss_and_not_the_output_s() -> None:
    pipeline = stats(busy())["libbeat"]["pipeline"]
    assert pipeline["events"] == {
        "active": 18,
        "dropped": 4,
        "failed": 1,
        "filtered": 2,
        "published": 97,
        "retry": 14,
        "total": 100,
    }
    assert pipeline["queue"] == {
        "acked": 126,
        "filled": {"bytes": 0, "events": 18, "pct": 0.009},
        "max_events": 1000,
    }


def test_our_own_part_has_rungs_what_would_raise_them_coverage_and_the_unknown() -> None:
    own = stats(busy(), is_well=False)["connbeat"]
    assert own["capture"]["namespaces"] == {
        "1": {"rung": "nat"},
        "2": {"rung": "procfs", "missing": "CAP_SYS_ADMIN"},
    }
    assert own["capture"]["rungs"]["nat"] == own["capture"]["rungs"]["procfs"] == 1
    assert own["capture"]["would_show_more"] == [{"what": "counters", "give": "CAP_SYS_ADMIN"}]
    assert own["coverage"]["ratio"] == 0.99
    assert own["unknown"] == {"exited": 6}
    assert own["health"]["reasons"] == [{"reason": "starting", "detail": "Soon."}]
    assert own["metrics"]["connbeat_output_events_delivered_total"] == {"file": 80, "http": 40}
