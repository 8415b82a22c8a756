"""`connbeat run`: the agent, until a signal ends it."""

import os
from functools import partial

from connbeat.agent.build import build_agent
from connbeat.agent.reloader import Reloader
from connbeat.agent.supervise import Supervisor
from connbeat.cli.options import Options
from connbeat.cli.settings import load_settings, read_settings
from connbeat.clock import SystemClock
from connbeat.telemetry.log import LogSettings, set_up


def run(options: Options) -> int:
    settings = load_settings(options)
    environ = dict(os.environ)
    level, selectors = settings.logging.level, settings.logging.selectors
    set_up(LogSettings(level=level, selectors=selectors))
    clock = SystemClock()
    agent = build_agent(settings, environ, clock, dry_run=options.dry_run)
    reloader = Reloader(agent, settings, partial(read_settings, options, environ), clock)
    return Supervisor(agent, reloader, environ, clock).run()
