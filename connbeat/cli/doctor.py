"""`connbeat doctor`: what the agent can see here, what it cannot, and what would change that."""

import os
import platform
import sys

import msgspec

from connbeat.agent.build import Observation, build_observation
from connbeat.agent.look import looking
from connbeat.agent.sight import read_sight
from connbeat.capture.advice import CAPABILITIES, Sight, lacks
from connbeat.capture.ladder import Rung
from connbeat.cli.options import Options
from connbeat.cli.settings import load_settings
from connbeat.clock import SystemClock
from connbeat.discovery.pod_links import PodLinks
from connbeat.telemetry.metrics import Metrics


class Diagnosis(msgspec.Struct, frozen=True):
    """What `doctor` found, in the order it is printed; `--json` prints it as it is."""

    kernel: str
    python: str
    docker: str
    processes: int
    unreadable_processes: int
    capabilities: dict[str, bool]
    namespaces: dict[str, str]
    missing: list[str]
    kubernetes: str = ""  # where no kubelet runs


def run(options: Options) -> int:
    """Exit code 0, whatever is missing: a lower rung works, too."""
    settings = load_settings(options)
    clock = SystemClock()
    observation = build_observation(settings, dict(os.environ), clock, Metrics())
    with looking(observation, clock):
        for _ in observation.observer.poll():
            pass
        diagnosis = diagnose(observation, read_sight(observation))
    if options.as_json:
        sys.stdout.buffer.write(msgspec.json.encode(diagnosis) + b"\n")
    else:
        sys.stdout.write(render(diagnosis))
    return 0


def diagnose(observation: Observation, sight: Sight) -> Diagnosis:
    seen = observation.observer.seen
    return Diagnosis(
        kernel=platform.release(),
        python=platform.python_version(),
        docker=engine_line(observation),
        processes=sum(len(target.pids) for target in seen.targets.values()),
        unreadable_processes=len(seen.unreadable_pids),
        capabilities={
            name: bool(sight.capabilities >> bit & 1) for name, bit in CAPABILITIES.items()
        },
        namespaces={
            str(netns): standing.rung.label + (f" ({standing.missing})" if standing.missing else "")
            for netns, standing in observation.snapshots.standings().items()
        },
        missing=[f"{lack.what}: {lack.give}" for lack in lacks(sight)],
        kubernetes=pods_line(observation.pods),
    )


def render(diagnosis: Diagnosis) -> str:
    lines = [
        f"kernel        {diagnosis.kernel}",
        f"python        {diagnosis.python}",
        f"docker        {diagnosis.docker}",
        *([f"kubernetes    {diagnosis.kubernetes}"] if diagnosis.kubernetes else []),
        f"processes     {diagnosis.processes} seen, {diagnosis.unreadable_processes} unreadable",
        f"capabilities  {', '.join(_capability(*item) for item in diagnosis.capabilities.items())}",
        f"namespaces    {len(diagnosis.namespaces)}; the highest rung is {max(Rung).label}",
        *(f"  {netns}  {rung}" for netns, rung in diagnosis.namespaces.items()),
    ]
    if diagnosis.missing:
        lines.append("not seen, and what to give:")
        lines += [f"  {text}" for text in diagnosis.missing]
    else:
        lines.append("nothing is missing")
    return "\n".join(lines) + "\n"


def engine_line(observation: Observation) -> str:
    watcher = observation.watcher
    if watcher is None:
        return "off (enable_docker: false)"
    if not watcher.is_connected:
        return f"no engine answers at {watcher.address}; containers are known by their id alone"
    return f"{len(observation.registry.running())} containers run"


def pods_line(pods: PodLinks | None) -> str:
    return f"the pods of {pods.count} containers are known" if pods is not None else ""


def _capability(name: str, has: bool) -> str:
    return f"{name} {'yes' if has else 'no'}"
