"""`connbeat test output` for Elasticsearch: what the events will need, tried without an event."""

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import msgspec

from connbeat.errors import Transient
from connbeat.outputs.elasticsearch.cluster import Cluster
from connbeat.outputs.elasticsearch.config import ElasticsearchConfig
from connbeat.outputs.elasticsearch.indices import pattern_of
from connbeat.outputs.elasticsearch.preparation import identify
from connbeat.outputs.elasticsearch.requests import HostSettings
from connbeat.outputs.probing import Endpoint, probe
from connbeat.outputs.protocol import Check, Step
from connbeat.outputs.tls_policy import TlsPolicy

# Enough for `create`, and for making the index of a new day.
_PRIVILEGES = ("create_doc", "auto_configure")


def check_host(
    settings: HostSettings,
    config: ElasticsearchConfig,
    connect: Callable[[HostSettings], Cluster],
) -> Iterator[Check]:
    """All steps of one host. Never raises."""
    for check in probe(_endpoint(settings, config)):
        yield check
        if check.error:
            return
    target = settings.url.url
    try:
        cluster = connect(settings)
    except Transient as error:
        yield Check(step=Step.TALK, target=target, error=str(error))
        return
    try:
        found = identify(cluster)
        text = f"Elasticsearch {found.version or '(it may not be asked which)'}"
        yield Check(step=Step.TALK, target=target, detail=f"{text}, cluster {found.name}")
        yield msgspec.structs.replace(_may_write(cluster, config), target=target)
    except Transient as error:
        yield Check(step=Step.TALK, target=target, error=str(error))
    finally:
        cluster.close()


def _endpoint(settings: HostSettings, config: ElasticsearchConfig) -> Endpoint:
    """The host, or its proxy: then nobody but the proxy can tell of the host."""
    url, seconds = settings.url, settings.timeout_seconds
    if settings.proxy:
        proxy = urlsplit(settings.proxy)
        return Endpoint(host=proxy.hostname or "", port=proxy.port or 80, seconds=seconds)
    tls = (config.ssl or TlsPolicy()) if url.scheme == "https" else None
    return Endpoint(host=url.host, port=url.port, seconds=seconds, tls=tls)


def _may_write(cluster: Cluster, config: ElasticsearchConfig) -> Check:
    """The cluster's own answer about our rights; nothing is written."""
    index = config.chosen_index.constant or pattern_of(config.chosen_index.text) or "*"
    body = msgspec.json.encode({"index": [{"names": [index], "privileges": _PRIVILEGES}]})
    answer = cluster.request("POST", "/_security/user/_has_privileges", body=body)
    if not answer.is_success:
        return Check(step=Step.WRITE, target="", detail=_without_rights(answer.status))
    missing = _missing(answer.body)
    if missing:
        return Check(
            step=Step.WRITE, target="", error=f"no privilege {', '.join(missing)} for {index}"
        )
    return Check(step=Step.WRITE, target="", detail=f"may write to {index}")


def _without_rights(status: int) -> str:
    if status in (401, 403):
        return "not tried: our rights may not be asked for"
    return "not tried: the cluster knows no rights, so everybody may write"


class _Privileges(msgspec.Struct, frozen=True):
    index: dict[str, dict[str, bool]] = {}


def _missing(body: bytes) -> list[str]:
    try:
        found = msgspec.json.decode(body, type=_Privileges).index
    except msgspec.MsgspecError:
        return []
    names = {
        name for granted in found.values() for name, is_granted in granted.items() if not is_granted
    }
    return sorted(names)
