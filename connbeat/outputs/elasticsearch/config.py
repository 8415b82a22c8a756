"""The section `output.elasticsearch`, with `setup.template` and `setup.ilm`, which belong to it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, Self
from urllib.parse import parse_qsl

import msgspec

from connbeat.model.format_strings import FormatString
from connbeat.model.schemas import SchemaName
from connbeat.outputs.configuration import NetworkOutputConfig
from connbeat.outputs.elasticsearch.indices import TemplateWish, pattern_of
from connbeat.outputs.hosts import HostDefaults, HostUrl, parse_hosts

PORTS = {"http": 9200, "https": 9200}

DAILY_INDEX = FormatString.parse("connbeat-%{+yyyy.MM.dd}")
DATA_STREAM = FormatString.parse("logs-connbeat-default")
# Of their own: in an index of the other schema some fields would be objects and texts at once.
ECS_DAILY_INDEX = FormatString.parse("connbeat-ecs-%{+yyyy.MM.dd}")
ECS_DATA_STREAM = FormatString.parse("logs-connbeat.connection-default")
_TEMPLATE_NAMES: dict[SchemaName, str] = {"connbeat": "connbeat", "ecs": "connbeat-ecs"}


class ElasticsearchConfig(NetworkOutputConfig, frozen=True, kw_only=True):
    """Names and meanings are libbeat's; `data_stream` and `dead_letter_index` are ours.

    `index` None is DAILY_INDEX, or DATA_STREAM with `data_stream`; `in_schema` chooses others.
    `template_*` and `ilm_*` are the options `setup.template.*` and `setup.ilm.*`. `indices` and
    `pipelines` are rules as plain data.
    """

    bulk_max_size: int = 1600
    protocol: Literal["http", "https"] = "http"
    path: str = ""
    username: str = ""
    password: str = ""
    api_key: str = ""
    headers: Mapping[str, str] = {}
    parameters: Mapping[str, str] = {}
    proxy_url: str = ""
    proxy_disable: bool = False
    compression_level: int = 1
    index: FormatString | None = None
    indices: Sequence[Any] = ()
    pipeline: FormatString | None = None
    pipelines: Sequence[Any] = ()
    data_stream: bool = False
    dead_letter_index: str = ""
    template_enabled: bool = True
    template_name: str = _TEMPLATE_NAMES["connbeat"]
    template_pattern: str = ""
    template_overwrite: bool = False
    template_settings: Mapping[str, Any] = {}
    ilm_enabled: bool | Literal["auto"] = "auto"
    ilm_policy_name: str = "connbeat"
    ilm_policy_file: str = ""
    ilm_overwrite: bool = False

    @property
    def urls(self) -> tuple[HostUrl, ...]:
        """Raises ValueError."""
        scheme = "https" if self.ssl is not None else self.protocol
        return parse_hosts(self.hosts, HostDefaults(ports=PORTS, scheme=scheme, path=self.path))

    @property
    def query(self) -> dict[str, str]:
        """`parameters`, and what the hosts have behind their question marks."""
        found = dict(self.parameters)
        for url in self.urls:
            found.update(parse_qsl(url.query))
        return found

    @property
    def chosen_index(self) -> FormatString:
        return self.index or (DATA_STREAM if self.data_stream else DAILY_INDEX)

    @property
    def chosen_pattern(self) -> str:
        """What the template is for; "" if that cannot be told."""
        return self.template_pattern or pattern_of(self.chosen_index.text)

    @property
    def wants_policy(self) -> bool:
        """Whether indices are to have a lifecycle policy, if the cluster has them."""
        return self.ilm_enabled is True or (self.ilm_enabled == "auto" and self.data_stream)

    def in_schema(self, schema: SchemaName) -> Self:
        """With the names for documents of that schema, where the user chose none."""
        if schema == "connbeat":
            return self
        name = self.template_name
        return msgspec.structs.replace(
            self,
            index=self.index or (ECS_DATA_STREAM if self.data_stream else ECS_DAILY_INDEX),
            template_name=_TEMPLATE_NAMES[schema] if name == _TEMPLATE_NAMES["connbeat"] else name,
        )

    def template_wish(self, *, policy: str, schema: SchemaName = "connbeat") -> TemplateWish:
        """`policy` "" is none."""
        return TemplateWish(
            pattern=self.chosen_pattern,
            schema=schema,
            is_data_stream=self.data_stream,
            policy=policy,
            settings=self.template_settings,
        )

    def problems(self) -> Iterator[tuple[str, str]]:
        yield from super().problems()
        if self.api_key and self.username:
            yield "api_key", "expected either an api_key or username and password"
        if self.password and not self.username:
            yield "password", "found a password without a username"
        if len({url.url for url in self.urls}) != len(self.hosts):
            yield "hosts", "found the same host twice"
        if self.template_enabled and not self.chosen_pattern:
            yield "template.pattern", "is missing, expected a pattern, since index begins with %{"
