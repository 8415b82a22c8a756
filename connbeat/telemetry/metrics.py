"""Every number the agent publishes about itself: name, kind, meaning, and what to do about it.

One catalogue, so that a name cannot be misspelt and a dashboard can be checked against it. Names
follow Prometheus: `connbeat_<what>_<unit>_total` for counters. Thread-safe.
"""

import bisect
import enum
import itertools
import threading
from collections.abc import Mapping

import msgspec


class Kind(enum.StrEnum):
    """A counter only grows; a gauge is the present; an info is a constant 1 with telling labels.

    A histogram counts observed values: how many, their sum, how many up to each of some limits.
    """

    COUNTER = "counter"
    GAUGE = "gauge"
    INFO = "info"
    HISTOGRAM = "histogram"


class _Info(msgspec.Struct, frozen=True):
    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    limits: tuple[float, ...] = ()


def _counter(name: str, text: str, *labels: str) -> _Info:
    return _Info(name, Kind.COUNTER, text, labels)


def _gauge(name: str, text: str, *labels: str) -> _Info:
    return _Info(name, Kind.GAUGE, text, labels)


#: From a file on a quick disk to a destination about to be given up.
_BATCH_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metric(enum.Enum):
    """The catalogue. The help text says what it means and, where it can be bad, the remedy."""

    # capture
    POLLS = _counter("connbeat_polls_total", "Polls of all namespaces.")
    POLLS_FAILED = _counter(
        "connbeat_polls_failed_total",
        "Polls that ended in an error of our own; the log has the traceback. Please report it.",
    )
    DUMPS = _counter("connbeat_dumps_total", "Namespaces read, by source.", "source")
    DUMPS_SKIPPED = _counter(
        "connbeat_dumps_skipped_total", "Namespaces not read: their own counters had not changed."
    )
    DUMPS_FAILED = _counter(
        "connbeat_dumps_failed_total", "Namespaces that could not be read, by reason.", "reason"
    )
    DUMPS_INTERRUPTED = _counter(
        "connbeat_dumps_interrupted_total",
        "Dumps the kernel called inconsistent on every try; the next poll makes up for it.",
    )
    ROWS_MALFORMED = _counter(
        "connbeat_rows_malformed_total", "Rows that did not follow the format and were left out."
    )
    CLOSES_OVERRUN = _counter(
        "connbeat_closes_overrun_total",
        "Times the kernel lost close messages for want of room; a dump heals what it can.",
    )
    TRACE_PAGES_LOST = _counter(
        "connbeat_trace_pages_lost_total",
        "Pages of the trace before which records were overwritten; a dump heals what it can.",
    )
    TRACE_RECORDS_LOST = _counter(
        "connbeat_trace_records_lost_total",
        "Records overwritten before them, as far as the kernel counted.",
    )
    TRACE_PAGES_BAD = _counter(
        "connbeat_trace_pages_bad_total", "Pages of the trace that made no sense. Please report it."
    )
    TRACE_RECORDS_MALFORMED = _counter(
        "connbeat_trace_records_malformed_total", "Records of the trace that could not be read."
    )
    TRACES_REFUSED = _counter(
        "connbeat_traces_refused_total",
        "Connections whose transitions were not followed: too many at once.",
    )
    SOURCES_LOST = _counter(
        "connbeat_sources_lost_total",
        "Times a source failed at run time; the rung below took over.",
        "source",
    )
    EXECS_LOST = _counter(
        "connbeat_execs_lost_total",
        "Processes not read at their exec, by cause: budget (too many in that second), overrun "
        "(the kernel had no room for them), untaken (the agent had not). The short-lived ones of "
        "them have no command line.",
        "cause",
    )
    NAT_LOOKUPS = _counter(
        "connbeat_nat_lookups_total", "Connections asked for in the kernel's connection tracking."
    )
    NAT_TRANSLATED = _counter(
        "connbeat_nat_translated_total", "Of those, how many have another address at the other end."
    )
    NAT_LOOKUPS_FAILED = _counter(
        "connbeat_nat_lookups_failed_total",
        "Questions that the connection tracking did not answer; their connections have no `nat`.",
    )
    NAMESPACES = _gauge("connbeat_namespaces", "Network namespaces known, by rung.", "rung")
    CAPTURE_AGE = _gauge(
        "connbeat_capture_age_seconds",
        "Time since the capture thread last brought something to its end; it does so four times a "
        "second. If it grows, capture hangs: the agent is to be restarted.",
    )
    # attribution
    WALKS = _counter("connbeat_fd_walks_total", "Walks over processes' descriptors.")
    WALKED_FDS = _counter("connbeat_fd_walked_total", "Descriptors read in those walks.")
    WALKS_CUT = _counter(
        "connbeat_fd_walks_cut_total", "Walks ended by their budget; the rest is found at the next."
    )
    OWNERS_UNKNOWN = _counter(
        "connbeat_owners_unknown_total", "Sockets reported without a process, by reason.", "reason"
    )
    THREADS = _gauge("connbeat_threads", "Threads whose lineage is held.")
    PROCESSES = _gauge("connbeat_processes", "Processes held in the table.")
    # connections
    CONNECTIONS = _gauge("connbeat_connections", "Connections open now.")
    LISTENERS = _gauge("connbeat_listeners", "Listeners open now.")
    COVERAGE = _gauge(
        "connbeat_coverage",
        "Connections taken up, of those the kernel counted itself, over all namespaces; 1 is all. "
        "The counters of losses say why it is less.",
    )
    COVERAGE_LOWEST = _gauge("connbeat_coverage_lowest", "The same of the worst namespace.")
    COVERAGE_UNKNOWN = _gauge(
        "connbeat_coverage_unknown_namespaces",
        "Namespaces that vanished between two readings of their counters.",
    )
    REPORTS = _counter("connbeat_reports_total", "Events reported, by kind.", "kind")
    SHEDDING = _gauge(
        "connbeat_shedding", "1 while connbeat.cpu_budget makes everything be told in summaries."
    )
    SHEDDING_SECONDS = _counter("connbeat_shedding_seconds_total", "Seconds of that so far.")
    SHEDDING_CHANGES = _counter(
        "connbeat_shedding_changes_total",
        "Changes of that, by what they were to: cpu_budget (more CPU was used), buffer_overrun (the"
        " kernel had no room for what it told), calm. Often, the budget is too small.",
        "to",
    )
    SUMMARISED = _counter(
        "connbeat_summarised_total",
        "Events that were not sent but counted in summaries, by kind.",
        "kind",
    )
    SUMMARY_GROUPS = _gauge(
        "connbeat_summarised_groups",
        "Groups of connections that go on from one summary to the next.",
    )
    SUMMARY_FOLDED = _counter(
        "connbeat_summarised_folded_total",
        "Of them, how many are in a summary that leaves out something for want of room, by what it"
        " left out last; raise connbeat.summarise.max_keys.",
        "without",
    )
    REPORTS_FAILED = _counter(
        "connbeat_reports_failed_total",
        "Reports lost to an error of our own; the log has the traceback. Please report it.",
    )
    RELAYED = _counter(
        "connbeat_relayed_total",
        "Calls of docker-proxy, by outcome: joined to the connection they serve; or not, and the "
        "container's event names docker-proxy: ambiguous (several waited at that moment), early "
        "(within a second of the agent's start or of lost records).",
        "outcome",
    )
    CONNECTIONS_OVER_LIMIT = _counter(
        "connbeat_connections_over_limit_total",
        "Connections not taken up because the limit was reached; raise connbeat.max_connections.",
    )
    # discovery
    CONTAINERS = _gauge("connbeat_containers", "Containers that run now.")
    TOMBSTONES_DROPPED = _counter(
        "connbeat_container_tombstones_dropped_total",
        "Ended containers forgotten early because too many ended at once; late connections of "
        "theirs have the id alone.",
    )
    DOCKER_REQUESTS = _counter("connbeat_docker_requests_total", "Calls of the Docker API.", "call")
    DOCKER_EVENTS = _counter("connbeat_docker_events_total", "Events the Docker engine sent.")
    DOCKER_LOST = _counter(
        "connbeat_docker_connections_lost_total", "Event streams that ended; each was reopened."
    )
    # processors
    PROCESSOR_FILTERED = _counter(
        "connbeat_processor_events_filtered_total",
        "Events dropped by a processor, as the configuration says.",
        "processor",
    )
    PROCESSOR_FAILURES = _counter(
        "connbeat_processor_failures_total",
        "Times a processor could not do its work on an event, which went on; the log says why.",
        "processor",
    )
    EVENTS_HELD = _gauge(
        "connbeat_processor_events_held", "Events that wait for a look-up of a processor."
    )
    EVENTS_HURRIED = _counter(
        "connbeat_processor_events_hurried_total",
        "Events that went on without the look-up, by reason: late (no answer in time), full (too "
        "many waited) or stop.",
        "reason",
    )
    DNS_LOOKUPS = _counter(
        "connbeat_dns_lookups_total",
        "Names asked for, by outcome: found, no_name, failed (the log says why), or refused (too "
        "many were to be asked for, or for too long).",
        "outcome",
    )
    # queue and delivery
    QUEUE_EVENTS = _gauge("connbeat_queue_events", "Events waiting, by output.", "output")
    QUEUE_BYTES = _gauge("connbeat_queue_bytes", "Bytes waiting, by output.", "output")
    QUEUE_FILL = _gauge(
        "connbeat_queue_fill_ratio",
        "How full the output's queue is, of its nearest limit; at 1 the oldest events go. 0 for a "
        "disk queue without limit.",
        "output",
    )
    QUEUE_AGE = _gauge(
        "connbeat_queue_oldest_event_age_seconds",
        "Age of the oldest event that waits for the output; 0 if none does.",
        "output",
    )
    SPOOL_BYTES = _gauge("connbeat_spool_bytes", "What the spool takes on disk, with its log.")
    SPOOL_EVENTS_WRITTEN = _counter(
        "connbeat_spool_events_written_total", "Events written to the spool and synced."
    )
    SPOOL_COMMITS = _counter("connbeat_spool_commits_total", "Transactions of the spool.")
    SPOOL_COMMIT_SECONDS = _counter(
        "connbeat_spool_commit_seconds_total",
        "Time these took, with the sync; near a second each second, the disk is too slow.",
    )
    SPOOL_FAILURES = _counter(
        "connbeat_spool_failures_total",
        "Times the spool could not be written or read, by reason: disk_full, disk_error or"
        " spool_damaged. Events then wait in memory; the log says more.",
        "reason",
    )
    EVENTS_DELIVERED = _counter(
        "connbeat_output_events_delivered_total", "Events the output took.", "output"
    )
    EVENTS_RETRIED = _counter(
        "connbeat_output_events_retried_total", "Events sent again after a failure.", "output"
    )
    EVENTS_DROPPED = _counter(
        "connbeat_output_events_dropped_total",
        "Events given up: lost. The reason says why and the log has the first of each.",
        "output",
        "reason",
    )
    EVENTS_FILTERED = _counter(
        "connbeat_output_events_filtered_total",
        "Events not meant for the output: its `when` did not fit.",
        "output",
    )
    DEAD_LETTERS = _counter(
        "connbeat_output_dead_letters_total",
        "Of the events given up, how many went to the output's dead letter file.",
        "output",
    )
    OUTPUT_FAILURES = _counter(
        "connbeat_output_failures_total",
        "Calls of an output that failed as a whole, by kind: transient (the destination's trouble;"
        " sent again) or unexpected (our own; the log has the traceback. Please report it).",
        "output",
        "kind",
    )
    EVENTS_IN_FLIGHT = _gauge(
        "connbeat_output_events_in_flight", "Events the output is sending now.", "output"
    )
    SENT_BYTES = _counter(
        "connbeat_output_sent_bytes_total",
        "Bytes of the documents handed to the output, each time they were.",
        "output",
    )
    BATCH_SECONDS = _Info(
        "connbeat_output_batch_seconds",
        Kind.HISTOGRAM,
        "How long the output took for a batch, whatever became of it.",
        ("output",),
        _BATCH_SECONDS,
    )
    OUTPUT_STALLED = _gauge(
        "connbeat_output_stalled_seconds",
        "How long the output has been trying and nothing got through; 0 if all is well. Its events "
        "wait. The log names the error, and `connbeat test output` tries it step by step.",
        "output",
    )
    # the agent itself
    BUILD = _Info(
        "connbeat_build_info", Kind.INFO, "Always 1; the version.", ("version", "python_version")
    )
    UPTIME = _gauge("connbeat_uptime_seconds", "Time since the agent's start.")
    HTTP_REQUESTS = _counter(
        "connbeat_http_requests_total", "Requests the endpoint answered, by status code.", "code"
    )
    CPU_SECONDS = _counter("connbeat_cpu_seconds_total", "CPU the agent used, user and system.")
    MEMORY_BYTES = _gauge("connbeat_memory_bytes", "Resident memory of the agent.")
    OPEN_FDS = _gauge("connbeat_open_fds", "File descriptors the agent holds.")


class Sample(msgspec.Struct, frozen=True):
    """One number: the metric, its labels in the catalogue's order, the value.

    A histogram has two, with a `suffix` each: `_count` and `_sum`.
    """

    metric: Metric
    labels: tuple[str, ...]
    value: float
    suffix: str = ""


class Histogram(msgspec.Struct, frozen=True):
    """What was observed: how many values up to each limit, how many at all, and their sum."""

    metric: Metric
    labels: tuple[str, ...]
    counts: tuple[int, ...]
    count: int
    sum: float


class _Observed:
    """The values of one histogram. `counts` has one place more than there are limits."""

    __slots__ = ("counts", "sum")

    def __init__(self, limits: int) -> None:
        self.counts = [0] * (limits + 1)
        self.sum = 0.0


class Metrics:
    """The numbers of one agent. Handed in, never global. Every method may be called by any thread.

    A label missing from the call or not in the catalogue raises KeyError: a bug, and the first
    test to come by shows it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[tuple[Metric, tuple[str, ...]], float] = {}
        self._observed: dict[tuple[Metric, tuple[str, ...]], _Observed] = {}

    def add(self, metric: Metric, amount: float = 1, /, **labels: str) -> None:
        key = metric, _ordered(metric, labels)
        with self._lock:
            self._values[key] = self._values.get(key, 0) + amount

    def set(self, metric: Metric, value: float, /, **labels: str) -> None:
        key = metric, _ordered(metric, labels)
        with self._lock:
            self._values[key] = value

    def observe(self, metric: Metric, value: float, /, **labels: str) -> None:
        """One more value of a histogram."""
        key = metric, _ordered(metric, labels)
        limits = metric.value.limits
        with self._lock:
            observed = self._observed.setdefault(key, _Observed(len(limits)))
            observed.counts[bisect.bisect_left(limits, value)] += 1
            observed.sum += value

    def get(self, metric: Metric, /, **labels: str) -> float:
        return self._values.get((metric, _ordered(metric, labels)), 0)

    def total(self, metric: Metric) -> float:
        """The sum over all labels."""
        with self._lock:
            return sum(value for (name, _), value in self._values.items() if name is metric)

    def samples(self) -> tuple[Sample, ...]:
        """Every number set so far, in the catalogue's order."""
        with self._lock:
            items = list(self._values.items())
        samples = [Sample(metric, labels, value) for (metric, labels), value in items]
        for one in self.histograms():
            samples.append(Sample(one.metric, one.labels, one.count, "_count"))
            samples.append(Sample(one.metric, one.labels, one.sum, "_sum"))
        samples.sort(key=lambda one: (_ORDER[one.metric], one.labels, one.suffix))
        return tuple(samples)

    def histograms(self) -> tuple[Histogram, ...]:
        """Every histogram with a value."""
        with self._lock:
            items = [(*key, list(one.counts), one.sum) for key, one in self._observed.items()]
        return tuple(
            Histogram(metric, labels, tuple(itertools.accumulate(counts[:-1])), sum(counts), total)
            for metric, labels, counts, total in items
        )


_ORDER = {metric: index for index, metric in enumerate(Metric)}


def _ordered(metric: Metric, labels: Mapping[str, str]) -> tuple[str, ...]:
    names = metric.value.labels
    if len(names) != len(labels):
        raise KeyError(f"{metric.value.name} has the labels {names}, not {tuple(labels)}")
    return tuple(labels[name] for name in names)
