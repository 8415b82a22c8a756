"""Asks the clouds, once, in threads of its own. The only module of processors with urllib3."""

import logging
import threading
from collections.abc import Mapping
from typing import Any

import urllib3

from connbeat.clock import Clock
from connbeat.processors.cloud.processor import CloudMetadataConfig
from connbeat.processors.cloud.providers import Provider, chosen, cloud_fields

log = logging.getLogger(__name__)

_MOST_BYTES = 1 << 20


class CloudProbe:
    """`facts` from any thread; `start` and `close` once each."""

    def __init__(self, config: CloudMetadataConfig, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._providers = chosen(config.providers)
        self._answered = threading.Event()
        self._is_closed = False
        self._lock = threading.Lock()  # guards the three below
        self._asked = 0
        self._answers: dict[str, Mapping[str, Any]] = {}
        self._fields: Mapping[str, Any] | None = None

    def facts(self) -> Mapping[str, Any] | None:
        return self._fields

    def start(self) -> None:
        """Asks in the background; nobody waits."""
        threading.Thread(target=self._run, name="cloud-metadata", daemon=True).start()

    def close(self) -> None:
        self._is_closed = True
        self._answered.set()

    def _run(self) -> None:
        for provider in self._providers:
            name = f"cloud-{provider.name}"
            threading.Thread(target=self._ask, args=(provider,), name=name, daemon=True).start()
        self._clock.wait(self._answered, self._config.timeout_seconds)
        if self._is_closed:
            return
        with self._lock:
            found = next((p.name for p in self._providers if p.name in self._answers), "")
        if not found:
            log.info("No cloud answered; events have no cloud.*")
            return
        self._fields = cloud_fields(found, self._answers[found])
        log.info("The cloud is known. provider=%s", found)

    def _ask(self, provider: Provider) -> None:
        """The last one to come back wakes who waits."""
        try:
            answer = provider.read(_Asker(self._config.host or provider.host, self._config))
        except Exception:  # whatever somebody answers at that address
            log.exception("A cloud's answer could not be read. provider=%s", provider.name)
            answer = None
        with self._lock:
            if answer is not None:
                self._answers[provider.name] = answer
            self._asked += 1
            is_last = self._asked == len(self._providers)
        if is_last:
            self._answered.set()


class _Asker:
    """`Ask` of one host; no proxy, no redirect, no second try."""

    def __init__(self, host: str, config: CloudMetadataConfig) -> None:
        self._base = f"http://{host}"
        self._seconds = config.timeout_seconds
        self._pool = urllib3.PoolManager(num_pools=1, maxsize=1)

    def __call__(
        self, path: str, headers: Mapping[str, str] | None = None, method: str = "GET"
    ) -> str | None:
        try:
            response = self._pool.request(
                method,
                self._base + path,
                headers=dict(headers or {}),
                timeout=self._seconds,
                retries=False,
                redirect=False,
                preload_content=False,
            )
            data = response.read(_MOST_BYTES)
            response.close()
        except (urllib3.exceptions.HTTPError, OSError) as error:
            log.debug("A cloud did not answer. url=%s error=%s", self._base + path, error)
            return None
        return data.decode(errors="replace") if response.status == 200 else None
