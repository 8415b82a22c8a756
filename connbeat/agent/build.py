"""Build: the only place that knows every class. Settings in, wired stages out, nothing started."""

import os
import re
import socket
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import msgspec

import connbeat
from connbeat.agent.delivery.deliver import DeliveryWorker
from connbeat.agent.delivery.outputs import build_outputs, delivery_policy
from connbeat.agent.delivery.queues import Queues, build_queues
from connbeat.agent.monitoring.identity import Identity, identify
from connbeat.agent.observe import EventMaker, Observer, ObserverThread
from connbeat.agent.processing import build_processing
from connbeat.agent.shedding import build_shedding
from connbeat.agent.volume import build_volume, plan_policy, shortest_interval_ns
from connbeat.attribution.inodes import InodeIndex
from connbeat.attribution.lineage import Lineage
from connbeat.attribution.owners import OwnerResolver
from connbeat.attribution.processes import ProcessTable
from connbeat.capture.exec_child import ExecChild
from connbeat.capture.execs import ExecSource
from connbeat.capture.kernel import KernelSource
from connbeat.capture.ladder import Rung
from connbeat.capture.nat import NatSource, NatWatch
from connbeat.capture.reader import CapturePolicy, SnapshotReader
from connbeat.clock import Clock
from connbeat.config.schema import ConnbeatConfig, Settings
from connbeat.connections.teller import Volume
from connbeat.connections.tracker import Tracker, TrackerPolicy
from connbeat.discovery.cgroups import parse_cgroup
from connbeat.discovery.docker import DockerWatcher
from connbeat.discovery.docker_host import read_docker_host
from connbeat.discovery.engine_follower import EngineFollower
from connbeat.discovery.namespaces import NamespaceReader
from connbeat.discovery.pod_links import PodLinks, pod_links
from connbeat.discovery.registry import ContainerRegistry
from connbeat.events.document import DocumentBuilder, Documents
from connbeat.events.policy import DocumentPolicy
from connbeat.linux.procfs import ProcFs
from connbeat.linux.tracefs import open_tracefs
from connbeat.telemetry.metrics import Metrics

_DIGITS = {"millisecond": 3, "microsecond": 6, "nanosecond": 9}
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Observation(msgspec.Struct, frozen=True):
    """What sees: without outputs, as `show` and `doctor` use it."""

    observer: Observer
    snapshots: SnapshotReader
    registry: ContainerRegistry
    watcher: DockerWatcher | None
    pods: PodLinks | None
    procfs: ProcFs


class Agent(msgspec.Struct, frozen=True):
    """Everything that runs."""

    observation: Observation
    observer_thread: ObserverThread
    builder: Documents
    queues: Queues
    workers: tuple[DeliveryWorker, ...]
    execs: ExecSource
    metrics: Metrics
    identity: Identity


def build_agent(
    settings: Settings, environ: Mapping[str, str], clock: Clock, *, dry_run: bool
) -> Agent:
    """Wire the agent. With `dry_run` events are made and counted, and go nowhere."""
    metrics = Metrics()
    execs = ExecSource(partial(start_exec_reader, settings.connbeat), metrics)
    identity = build_identity(settings)
    builder = build_documents(settings, environ, identity)
    volume = build_volume(settings, builder, _boot_prefix(), metrics)
    observation = build_observation(settings, environ, clock, metrics, execs=execs, volume=volume)
    outputs = {} if dry_run else build_outputs(settings, clock, metrics)
    queues = build_queues(settings, tuple(outputs), clock, metrics)
    processing = build_processing(settings.processors, clock, metrics)
    return Agent(
        observation=observation,
        observer_thread=ObserverThread(
            observation.observer,
            EventMaker(builder, clock, metrics, processing),
            queues.intake,
            poll_interval_ns=int(settings.connbeat.poll_interval_seconds * 1e9),
            clock=clock,
            metrics=metrics,
        ),
        builder=builder,
        workers=tuple(
            DeliveryWorker(
                output,
                queue,
                delivery_policy(name, settings, clock, metrics),
                metrics=metrics,
                clock=clock,
            )
            for (name, output), queue in zip(outputs.items(), queues.places, strict=True)
        ),
        execs=execs,
        queues=queues,
        metrics=metrics,
        identity=identity,
    )


def build_observation(  # noqa: PLR0913  what differs between an agent and a look
    settings: Settings,
    environ: Mapping[str, str],
    clock: Clock,
    metrics: Metrics,
    *,
    execs: ExecSource | None = None,
    volume: Volume | None = None,
    is_look: bool = False,
) -> Observation:
    """What sees. Without `execs` processes are not read at their exec: for a look or two.

    Without `volume` everything is told singly. For a look (`is_look`) the kernel is not asked to
    tell what happens either. That is of no use to what shows one moment, and where it tells of
    handshakes a dump leaves them out.
    """
    config = settings.connbeat
    procfs = ProcFs()
    registry = ContainerRegistry()
    watcher = None
    if config.enable_docker is not False:
        watcher = DockerWatcher(
            EngineFollower(registry, metrics, clock),
            metrics,
            clock,
            environ=environ,
            is_wanted=config.enable_docker is True,
        )
    pods = pod_links(registry, clock)
    processes = ProcessTable(procfs, metrics, parse_cgroup, with_environ=config.expose_environ)
    lineage = Lineage(procfs, processes, metrics)
    capture = capture_policy(settings, environ)
    told = min(capture.highest, Rung.DUMP) if is_look else capture.highest
    kernel = KernelSource(procfs, lineage, told, clock=clock, metrics=metrics, execs=execs)
    nat = NatSource(procfs, capture.highest, metrics)
    snapshots = SnapshotReader(procfs, capture, NatWatch(kernel, nat), metrics)
    observer = Observer(
        namespaces=NamespaceReader(procfs),
        snapshots=snapshots,
        kernel=kernel,
        nat=nat,
        processes=processes,
        lineage=lineage,
        owners=OwnerResolver(InodeIndex(procfs, metrics), processes, procfs.holds_socket, registry),
        tracker=Tracker(
            tracker_policy(settings),
            pods or registry,
            processes,
            metrics,
            translator=nat,
            volume=volume,
        ),
        clock=clock,
        metrics=metrics,
        shedding=build_shedding(config, execs, metrics),
    )
    return Observation(observer, snapshots, registry, watcher, pods, procfs)


def start_exec_reader(config: ConnbeatConfig) -> ExecChild:
    """Raises CaptureError where the trace cannot be had."""
    return ExecChild(open_tracefs(), ProcFs(), with_environ=config.expose_environ)


def build_identity(settings: Settings) -> Identity:
    hostname = socket.gethostname()
    return identify(
        name=settings.name or hostname,
        hostname=hostname,
        version=connbeat.__version__,
        path_data=settings.path.data,
    )


def build_documents(
    settings: Settings, environ: Mapping[str, str], identity: Identity
) -> Documents:
    policy, docker_host = document_policy(settings), read_docker_host(environ)
    if settings.schema == "ecs":
        from connbeat.events.ecs import EcsDocumentBuilder, EcsNames  # noqa: PLC0415  who chose it

        names = EcsNames(
            boot=_boot_prefix(), agent_id=identity.uuid, ephemeral_id=identity.ephemeral_id
        )
        return EcsDocumentBuilder(policy, docker_host, names)
    return DocumentBuilder(policy, docker_host)


def document_policy(settings: Settings) -> DocumentPolicy:
    config = settings.connbeat
    hostname = socket.gethostname()
    return DocumentPolicy(
        name=settings.name or hostname,
        hostname=hostname,
        version=connbeat.__version__,
        tags=settings.tags,
        fields=settings.fields,
        fields_under_root=settings.fields_under_root,
        expose_process_info=config.expose_process_info,
        expose_cmdline=config.expose_cmdline,
        expose_environ=config.expose_environ,
        docker_environment=frozenset(config.docker_environment),
        redact=config.redact,
        timestamp_digits=_DIGITS[settings.timestamp_precision],
    )


def tracker_policy(settings: Settings) -> TrackerPolicy:
    config = settings.connbeat
    return TrackerPolicy(
        id_prefix=_boot_prefix(),
        plan=plan_policy(settings),
        max_connections=config.max_connections,
        own_pid=0 if config.report_self else os.getpid(),
        with_host=config.enable_local_connections,
    )


def capture_policy(settings: Settings, environ: Mapping[str, str]) -> CapturePolicy:
    """How high to climb: `capture`, or the original's switch `enable_tcp_diag`."""
    files = tuple(
        Path(path) if (path := environ.get(name)) else None
        for name in ("PROC_NET_TCP", "PROC_NET_TCP6")
    )
    # An ongoing event is to have counters of its own interval.
    fresh_ns = min(CapturePolicy().fresh_ns, shortest_interval_ns(settings))
    return CapturePolicy(_highest(settings.connbeat), (files[0], files[1]), fresh_ns)


def _highest(config: ConnbeatConfig) -> Rung:
    if config.capture == "auto":
        return Rung.PROCFS if config.enable_tcp_diag is False else max(Rung)
    return Rung[config.capture.upper()]


def _boot_prefix() -> str:
    """16 hexadecimal digits of the kernel's random id of this boot: unique in any fleet."""
    return re.sub("[^0-9a-f]", "", _BOOT_ID.read_text())[:16]
