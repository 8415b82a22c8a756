"""Options of `output.logstash`."""

from connbeat.config.kinds import Boolean, Duration, Integer, Text
from connbeat.config.option import Option, Status, known
from connbeat.config.output_kinds import Hosts
from connbeat.outputs.logstash.config import PORT, host_defaults

OPTIONS: tuple[Option, ...] = (
    Option(
        "hosts",
        Hosts(host_defaults(PORT)),
        "`host:port` of Logstash's beats input. Required.",
        required="a list of hosts such as [logstash:5044]",
    ),
    Option("port", Integer(1, 65535), "For hosts that do not say."),
    Option("index", Text(), "`@metadata.beat` of every event; Logstash names indices by it."),
    Option("compression_level", Integer(0, 9), "zlib from 1 (quick) to 9 (small); 0: none."),
    Option(
        "slow_start",
        Boolean(),
        "Begin with 10 events at once; more while they are acknowledged, half after a failure.",
    ),
    Option(
        "ttl",
        Duration(),
        "Connect anew after this time, for load balancers in between; 0: never.",
    ),
    *known(
        Status.REFUSED,
        "Logstash is connected to directly.",
        "",
        "proxy_url proxy_use_local_resolver",
    ),
    *known(
        Status.OBSOLETE,
        "A batch is sent when the one before it is acknowledged; worker makes it more.",
        "",
        "pipelining",
    ),
    *known(Status.OBSOLETE, "Nothing is escaped that need not be.", "", "escape_html"),
)
