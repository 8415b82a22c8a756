"""`connbeat run`: the agent, until a signal ends it."""

import logging
import os
from functools import partial

from connbeat.agent.build import build_agent
from connbeat.agent.logs import log_settings
from connbeat.agent.priority import apply_priority
from connbeat.agent.reloader import Reloader
from connbeat.agent.supervise import Supervisor
from connbeat.cli.options import Options
from connbeat.cli.settings import load_settings, read_settings
from connbeat.clock import SystemClock
from connbeat.telemetry.log import set_up, tell_of_broken_threads

log = logging.getLogger(__name__)


def run(options: Options) -> int:
    settings = load_settings(options)
    environ = dict(os.environ)
    refused = apply_priority(settings.nice, settings.max_procs)  # before the log has its thread
    set_up(log_settings(settings))
    tell_of_broken_threads()
    for setting, error in refused.items():
        log.warning("A setting is not permitted here. setting=%s error=%s", setting, error)
    clock = SystemClock()
    agent = build_agent(settings, environ, clock, dry_run=options.dry_run)
    reloader = Reloader(agent, settings, partial(read_settings, options, environ), clock)
    return Supervisor(agent, reloader, environ, clock).run()
