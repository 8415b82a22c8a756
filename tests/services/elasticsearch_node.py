"""A real Elasticsearch on loopback: started, killed, restarted, and asked what it has.

It comes from Maven's packages (`elasticsearch/node.sh`), needs a JDK of 17 or later and 300 MB, and
is ready after three seconds. Start one a module; heavy use belongs to the system tests.
"""

import atexit
import fcntl
import functools
import json
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

_SCRIPT = Path(__file__).parent / "elasticsearch" / "node.sh"
_CACHE = Path(__file__).parents[2] / ".cache"
_READY_SECONDS = 90.0
_ANSWER_SECONDS = 20.0


def missing_for_elasticsearch() -> str:
    """Why there can be no node here, "" if there can."""
    absent = [command for command in ("java", "javac", "mvn") if shutil.which(command) is None]
    are_fetched = all((_CACHE / f"elasticsearch-{major}" / "ok").exists() for major in (7, 8))
    if "java" in absent or (absent and not are_fetched):
        return f"needs {' and '.join(absent)}: see scripts/test-setup"
    return ""


@functools.cache
def shared_node(major: int = 8) -> "ElasticsearchNode":
    """One for everybody who leaves nothing behind (`clear`); it ends with the process."""
    folder = TemporaryDirectory(prefix="connbeat-elasticsearch-")
    node = ElasticsearchNode(Path(folder.name) / "node", major=major)
    node.start()
    atexit.register(folder.cleanup)
    atexit.register(node.stop)
    return node


def fetch(major: int) -> Path:
    """Where the node's jars are; they are fetched once, whoever comes first."""
    _CACHE.mkdir(exist_ok=True)
    home = _CACHE / f"elasticsearch-{major}"
    with (_CACHE / "elasticsearch.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run([_SCRIPT, "build", str(major), home], check=True)
    return home


class ElasticsearchNode:
    """The node's process and its data. `with` starts it and stops it."""

    def __init__(self, folder: Path, *settings: str, major: int = 8) -> None:
        """`settings` are `key=value`, as in elasticsearch.yml."""
        self._folder = folder
        self._settings = settings
        self._major = major
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.port

    def start(self) -> None:
        """Returns when it takes documents. It keeps its port and its data."""
        home = fetch(self._major)
        self._folder.mkdir(exist_ok=True)
        command = [str(_SCRIPT), "run", str(self._major), str(home), str(self._folder)]
        with (self._folder / "node.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, str(self.port), *self._settings],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + _READY_SECONDS
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                text = (self._folder / "node.log").read_text()[-3000:]
                raise AssertionError(f"Elasticsearch does not answer: {text}")
            time.sleep(0.1)

    def kill(self) -> None:
        """As a power cut would, but for the page cache."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def pause(self) -> None:
        """It accepts connections and answers nothing until `resume`."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """The JSON of an answer. Raises urllib.error.HTTPError for anything but 2xx."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.url + path, data, {"content-type": "application/json"}, method=method
        )
        with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS) as answer:
            return json.load(answer)

    def documents(self, index: str) -> Iterator[dict[str, Any]]:
        """Every document, in no order: `_id`, `_index`, `_source`, and `_seq_no` of its arrival."""
        self.ask("POST", f"/{index}/_refresh")
        after: list[Any] = []
        while True:
            body: dict[str, Any] = {
                "size": 5000,
                "sort": ["_doc"],
                "query": {"match_all": {}},
                "seq_no_primary_term": True,
            }
            if after:
                body["search_after"] = after
            hits = self.ask("POST", f"/{index}/_search", body)["hits"]["hits"]
            if not hits:
                return
            yield from hits
            after = hits[-1]["sort"]

    def count(self, index: str) -> int:
        self.ask("POST", f"/{index}/_refresh")
        return int(self.ask("GET", f"/{index}/_count")["count"])

    def clear(self) -> None:
        """No indices and templates of tests any more; a data stream stays."""
        self._forget("/_index_template/connbeat*")
        for row in self.ask("GET", "/_cat/indices?format=json&h=index"):
            self._forget(f"/{row['index']}")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _forget(self, path: str) -> None:
        try:
            self.ask("DELETE", path)
        except urllib.error.HTTPError as error:  # nothing of that kind
            error.close()

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGCONT)
        process.send_signal(number)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _is_ready(self) -> bool:
        ports = self._folder / "logs" / "http.ports"
        if not self.port:
            if not ports.exists():
                return False
            # One line an address, which may be half written.
            lines = [line for line in ports.read_text().splitlines() if "127.0.0.1:" in line]
            self.port = int(lines[0].rpartition(":")[2]) if lines else 0
        try:
            health = self.ask("GET", "/_cluster/health?wait_for_status=yellow&timeout=5s")
        except (OSError, ValueError):
            return False
        return health["status"] in ("yellow", "green")
