"""`connbeat show`: what is open at this moment, once."""

import os
import sys

from connbeat.agent.build import build_documents, build_identity, build_observation
from connbeat.agent.look import looking
from connbeat.agent.observe import EventMaker
from connbeat.agent.sight import read_sight
from connbeat.capture.advice import lacks
from connbeat.cli.options import Options
from connbeat.cli.settings import load_settings
from connbeat.clock import SystemClock
from connbeat.model.connections import ConnectionReport, Report
from connbeat.telemetry.metrics import Metrics
from connbeat.views.table import render_table

#: The first poll names almost everything; a socket in doubt is looked for once more.
_POLLS = 2


def run(options: Options) -> int:
    settings = load_settings(options)
    clock = SystemClock()
    environ = dict(os.environ)
    metrics = Metrics()
    by_id: dict[str, Report] = {}
    observation = build_observation(settings, environ, clock, metrics, is_look=True)
    with looking(observation, clock):
        for _ in range(_POLLS):
            by_id |= {report.id: report for report in observation.observer.poll()}
        sight = read_sight(observation)
    reports = [report for report in by_id.values() if _is_open(report)]
    if options.as_json:
        documents = build_documents(settings, environ, build_identity(settings))
        maker = EventMaker(documents, clock, metrics)
        for event in maker.make(reports, observation.observer.host_netns):
            sys.stdout.buffer.write(event.body + b"\n")
        return 0
    sys.stdout.write(render_table(reports))
    for lack in lacks(sight):
        sys.stderr.write(f"not seen: {lack.what}; give {lack.give}\n")
    return 0


def _is_open(report: Report) -> bool:
    return not isinstance(report, ConnectionReport) or report.closed_ns is None
