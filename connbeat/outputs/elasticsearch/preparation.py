"""What is asked of a cluster, and put there, before the first event: version, template, policy.

Nothing that is there already is changed unless the configuration says `overwrite`. Who may write
events but no templates goes on without: events that arrive are worth more than their mappings.
"""

import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from connbeat.errors import Transient
from connbeat.model.schemas import SchemaName
from connbeat.outputs.elasticsearch.bulk import describe_body
from connbeat.outputs.elasticsearch.cluster import Answer, Cluster
from connbeat.outputs.elasticsearch.config import ElasticsearchConfig
from connbeat.outputs.elasticsearch.template import (
    OLDEST,
    Version,
    index_template,
    lifecycle_policy,
    parse_version,
)

_log = logging.getLogger(__name__)

_FORBIDDEN = 403


class Prepared(msgspec.Struct, frozen=True):
    """What is known of a cluster now; `version` is empty where nobody may ask for it.

    `template` and `policy` are the names of those that are there for our indices, "" for none.
    """

    name: str
    version: str
    template: str = ""
    policy: str = ""


class Preparation:
    """What a configuration wants of a cluster. Any thread may use it."""

    def __init__(
        self,
        config: ElasticsearchConfig,
        policy: Mapping[str, Any] | None,
        *,
        schema: SchemaName = "connbeat",
        is_required: bool = False,
    ) -> None:
        """`policy` is the body of the user's own lifecycle policy, None for ours.

        `is_required`: missing rights are a failure, not something to go on without.
        """
        self._config = config
        self._policy = policy
        self._schema = schema
        self._is_required = is_required

    def prepare(self, cluster: Cluster) -> Prepared:
        """Ask and put. Raises Transient when the cluster does not answer, or not as it should."""
        found = identify(cluster)
        version = parse_version(found.version) if found.version else OLDEST
        policy = self._prepare_policy(cluster)
        template = self._prepare_template(cluster, version, policy)
        _log.info(
            "Elasticsearch is ready. cluster=%s version=%s template=%s policy=%s",
            found.name,
            found.version or "unknown",
            template or "none",
            policy or "none",
        )
        return msgspec.structs.replace(found, template=template, policy=policy)

    def _prepare_template(self, cluster: Cluster, version: Version, policy: str) -> str:
        """The name of the template that is there, "" for none that we know of."""
        config = self._config
        if not config.template_enabled:
            return ""
        path = f"/_index_template/{quote(config.template_name, safe='')}"
        found = cluster.request("GET", path)
        if self._may_not(found, "index template"):
            return ""
        if found.is_success and not config.template_overwrite:
            self._compare(found)
            return config.template_name
        template = index_template(config.template_wish(policy=policy, schema=self._schema), version)
        body = msgspec.json.encode(template)
        is_there = self._put(cluster, path, body, "index template")
        return config.template_name if is_there else ""

    def _prepare_policy(self, cluster: Cluster) -> str:
        """The policy that indices are to have, "" for none."""
        config = self._config
        if not config.wants_policy:
            return ""
        status = cluster.request("GET", "/_ilm/status")
        if self._may_not(status, "lifecycle policy"):
            return ""
        if not status.is_success and self._is_required and config.ilm_enabled is True:
            text = describe_body(status.status, status.body)
            raise Transient(f"the cluster has no lifecycle management: {text}")
        if not status.is_success:
            _log.log(
                logging.WARNING if config.ilm_enabled is True else logging.INFO,
                "This cluster has no lifecycle management; indices get no policy. answer=%s",
                describe_body(status.status, status.body),
            )
            return ""
        path = f"/_ilm/policy/{quote(config.ilm_policy_name, safe='')}"
        found = cluster.request("GET", path)
        if found.is_success and not config.ilm_overwrite:
            return config.ilm_policy_name
        policy = self._policy or lifecycle_policy(is_data_stream=config.data_stream)
        is_there = self._put(cluster, path, msgspec.json.encode(policy), "lifecycle policy")
        return config.ilm_policy_name if is_there else ""

    def _put(self, cluster: Cluster, path: str, body: bytes, what: str) -> bool:
        """Whether it is there now; false if we may not."""
        answer = cluster.request("PUT", path, body=body)
        if self._may_not(answer, what):
            return False
        if not answer.is_success:
            text = describe_body(answer.status, answer.body)
            raise Transient(f"the cluster does not take the {what}: {text}")
        _log.info("Elasticsearch took the %s. path=%s", what, path)
        return True

    def _may_not(self, answer: Answer, what: str) -> bool:
        if answer.status == _FORBIDDEN and self._is_required:
            text = describe_body(answer.status, answer.body)
            raise Transient(f"our rights do not reach to the {what}: {text}")
        if answer.status == _FORBIDDEN:
            _log.warning(
                "Our rights at Elasticsearch do not reach to the %s; going on without. answer=%s",
                what,
                describe_body(answer.status, answer.body),
            )
        elif answer.status == 401 or answer.status >= 500:
            raise Transient(describe_body(answer.status, answer.body))
        return answer.status == _FORBIDDEN

    def _compare(self, found: Answer) -> None:
        """Say so where the template that is there is for other indices or another schema."""
        try:
            template = msgspec.json.decode(found.body)["index_templates"][0]["index_template"]
            patterns = template["index_patterns"]
            schema = template.get("_meta", {}).get("schema", "connbeat")
        except (msgspec.MsgspecError, LookupError, TypeError, AttributeError):
            return
        if schema != self._schema:
            _log.warning(
                "The index template of this name is for another schema; setup.template.overwrite or"
                " another setup.template.name would help. name=%s schema=%s wanted=%s",
                self._config.template_name,
                schema,
                self._schema,
            )
        if self._config.chosen_pattern not in patterns:
            _log.warning(
                "The index template of this name is for other indices; setup.template.overwrite or"
                " another setup.template.name would help. name=%s patterns=%s wanted=%s",
                self._config.template_name,
                patterns,
                self._config.chosen_pattern,
            )


def identify(cluster: Cluster) -> Prepared:
    """Which cluster it is. Raises Transient if it is none we can write to."""
    answer = cluster.request("GET", "/")
    if answer.status == _FORBIDDEN:
        return Prepared("unknown", "")
    if not answer.is_success:
        raise Transient(describe_body(answer.status, answer.body))
    try:
        document = msgspec.json.decode(answer.body, type=_Root)
        version = parse_version(document.version.number)
    except (msgspec.MsgspecError, ValueError) as error:
        shown = answer.body[:200].decode(errors="replace")
        raise Transient(f"not an answer of Elasticsearch: {shown!r}") from error
    if version < OLDEST:
        number = document.version.number
        raise Transient(f"Elasticsearch {number} is too old, expected 7.17 or later")
    return Prepared(document.cluster_name, document.version.number)


class _Version(msgspec.Struct, frozen=True):
    number: str


class _Root(msgspec.Struct, frozen=True):
    version: _Version
    cluster_name: str = "unknown"
