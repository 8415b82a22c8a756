"""Options of `output.http`."""

from connbeat.config.kinds import Boolean, Choice, Integer, Text
from connbeat.config.option import Option
from connbeat.config.output_kinds import Hosts, TextMap
from connbeat.config.outputs.common import OLD_TLS
from connbeat.outputs.hosts import HostDefaults

_HOSTS = HostDefaults(ports={"http": 80, "https": 443})

OPTIONS: tuple[Option, ...] = (
    Option(
        "hosts",
        Hosts(_HOSTS),
        "`host:port` or URLs, with path and query if need be. Required.",
        required="a list of hosts such as [http://collector:8080/events]",
    ),
    Option("protocol", Choice("http", "https"), "For hosts that do not say: `http` or `https`."),
    Option("path", Text(), "For hosts without a path."),
    Option("parameters", TextMap(), "Added to the query of every host."),
    Option("username", Text(), "For basic authentication, where the host's URL has no user."),
    Option("password", Text(), "With it."),
    Option("bearer_token", Text(), "Sent as `Authorization: Bearer`."),
    Option("headers", TextMap(), "Added to every request."),
    Option(
        "proxy_url",
        Text(),
        "The proxy to use; by default that of `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`.",
    ),
    Option("proxy_disable", Boolean(), "Use no proxy, whatever the environment says."),
    Option("compression_level", Integer(0, 9), "gzip from 1 (quick) to 9 (small); 0: none."),
    Option("keep_alive", Boolean(), "Use a connection for more than one request."),
    Option(
        "batch",
        Choice("off", "ndjson", "array"),
        "`off`: one request an event; `ndjson`: one request a batch, an event on each line; "
        "`array`: the same as one JSON array.",
    ),
    *OLD_TLS,
)
