"""Web: nginx under wrk, both in a network namespace of their own, as busy as the machine lets them.

nginx has a configuration, folders and a port of its own; the system's is not touched.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from bench.agent_log import COVERAGE, last_totals, losses
from bench.cases.traffic import check_running
from bench.commands import BenchError, Program, call, pause
from bench.figures import Measurement
from bench.observers import Observer, Scene
from bench.overhead.pairs import Served, compare_served, in_turns
from bench.overhead.snmp import opened_ends
from bench.overhead.wrk import WrkResult, parse_wrk
from bench.setup import Setup
from bench.usage import Stopwatch

_PORT = 18080
_NEEDED = ("nginx", "wrk", "unshare", "nsenter", "ip")
_CONNECTIONS = 64
_START_SECONDS = 5.0
_STEP_SECONDS = 0.1
#: An observer has told all once its output has not grown for so long.
_QUIET_SECONDS = 2.5
_LONGEST_DRAIN_SECONDS = 30.0
#: The namespace of the run before is taken apart meanwhile.
_PAUSE_SECONDS = 1.0

_CONFIGURATION = """\
daemon off;
user root;
worker_processes {workers};
pid {folder}/nginx.pid;
error_log stderr error;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  keepalive_requests 1000000000;
  server {{
    listen 127.0.0.1:{port} backlog=4096 reuseport;
    location / {{ return 200 "it works\\n"; }}
  }}
}}
"""


def measure(
    setup: Setup, observer: Observer, *, pairs: int, seconds: int, keeps_alive: bool
) -> Iterator[Measurement]:
    """A pair is a run alone and a run watched, right after each other. One more before, to warm up.

    Raises BenchError if nginx or wrk cannot be had.
    """
    missing = [command for command in _NEEDED if shutil.which(command) is None]
    if missing:
        raise BenchError(f"there is no {' and no '.join(missing)} here")
    _serve(setup, None, 1, keeps_alive=keeps_alive)
    for pair in range(pairs):
        served = {
            who: _serve(setup, who, seconds, keeps_alive=keeps_alive)
            for who in in_turns((None, observer), pair)
        }
        yield Measurement(observer.name, compare_served(served[None], served[observer]))


def _serve(setup: Setup, observer: Observer | None, seconds: int, *, keeps_alive: bool) -> Served:
    folder = setup.folder()
    pause(_PAUSE_SECONDS)
    with _nginx(folder) as server:
        scene = Scene(folder, server.pid, Path(f"/proc/{server.pid}/ns/net").stat().st_ino)
        if observer is None:
            result = _wrk(server.pid, seconds, keeps_alive=keeps_alive)
            served = Served(result.requests_per_second, result.errors)
        else:
            with observer.start(scene) as program:
                pause(observer.settle_seconds)
                watch = Stopwatch([program.pid])
                result = _wrk(server.pid, seconds, keeps_alive=keeps_alive)
                _drain(scene, observer)
                check_running(program, scene)
                cpu_seconds = watch.cpu_seconds()
            ends = opened_ends(Path(f"/proc/{server.pid}/net/snmp").read_text())
            served = Served(
                result.requests_per_second,
                result.errors,
                ends,
                _told(observer, scene),
                cpu_seconds,
                _own_words(scene),
            )
    shutil.rmtree(folder)  # the events of one run are up to 300 MB
    return served


@contextlib.contextmanager
def _nginx(folder: Path) -> Iterator[Program]:
    configuration = folder / "nginx.conf"
    configuration.write_text(
        _CONFIGURATION.format(folder=folder, port=_PORT, workers=os.cpu_count())
    )
    # Without --fork both exec: the process that was started is nginx itself in the end.
    start = f"ip link set lo up && exec nginx -p {folder} -c {configuration}"
    with Program(["unshare", "--net", "sh", "-c", start], output=folder / "nginx.txt") as program:
        waited = 0.0
        while not _listens(program.pid):
            if waited > _START_SECONDS or not program.is_running:
                raise BenchError(f"nginx: {(folder / 'nginx.log').read_text().strip()[-300:]}")
            pause(_STEP_SECONDS)
            waited += _STEP_SECONDS
        yield program


def _listens(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return f":{_PORT:04X} 00000000:0000 0A" in Path(f"/proc/{pid}/net/tcp").read_text()
    return False


def _wrk(pid: int, seconds: int, *, keeps_alive: bool) -> WrkResult:
    header = () if keeps_alive else ("--header", "Connection: close")
    text = call(
        *("nsenter", f"--net=/proc/{pid}/ns/net", "wrk", f"--threads={os.cpu_count()}"),
        *(f"--connections={_CONNECTIONS}", f"--duration={seconds}s", *header),
        f"http://127.0.0.1:{_PORT}/",
    )
    try:
        return parse_wrk(text)
    except ValueError as error:
        raise BenchError(str(error)) from error


def _drain(scene: Scene, observer: Observer) -> None:
    """Wait until it has told what it knows."""
    output = scene.events if scene.events.exists() else scene.output
    size, quiet, waited = -1, 0.0, 0.0
    while quiet < max(_QUIET_SECONDS, observer.lag_seconds) and waited < _LONGEST_DRAIN_SECONDS:
        pause(_STEP_SECONDS)
        waited += _STEP_SECONDS
        before, size = size, output.stat().st_size
        quiet = quiet + _STEP_SECONDS if size == before else 0.0


def _told(observer: Observer, scene: Scene) -> int:
    """The ends it told of, each counted once."""
    found = observer.sightings(scene)
    return len({one.identity for one in found if _PORT in (one.local_port, one.remote_port)})


def _own_words(scene: Scene) -> dict[str, float]:
    """What an agent says of itself: the share it took up, and what it counted as lost."""
    with scene.output.with_suffix(".log").open() as lines:
        totals = last_totals(lines)
    coverage = {"coverage %": 100 * totals[COVERAGE]} if COVERAGE in totals else {}
    return coverage | losses(totals)
