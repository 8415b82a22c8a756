"""Options of `output.redis`."""

from connbeat.config.kinds import Choice, Integer, Text
from connbeat.config.option import Option, Status, alias, known
from connbeat.config.output_kinds import Format, Hosts, Rules
from connbeat.outputs.redis.config import PORT, host_defaults

OPTIONS: tuple[Option, ...] = (
    Option(
        "hosts",
        Hosts(host_defaults(PORT)),
        "`host:port`, or URLs: `redis://user:password@host:6379/0`; `rediss:` has TLS. Required.",
        required="a list of hosts such as [redis:6379]",
    ),
    Option("port", Integer(1, 65535), "For hosts that do not say."),
    Option("key", Format(), "The list or channel."),
    alias("index", "key"),
    Option("keys", Rules("key"), "Rules that choose another key for some events."),
    Option(
        "datatype",
        Choice("list", "channel"),
        "`list`: add to the end of a list (RPUSH); `channel`: publish (PUBLISH), which reaches "
        "only who listens at that moment.",
    ),
    Option("db", Integer(0, 1_000_000), "The number of the database."),
    Option("username", Text(), "A user of Redis 6 and later, where the host's URL names none."),
    Option("password", Text(), "With it, or alone where there are no users."),
    *known(
        Status.REFUSED, "Redis is connected to directly.", "", "proxy_url proxy_use_local_resolver"
    ),
    *known(
        Status.OBSOLETE,
        "There is no topology map.",
        "",
        "host_topology password_topology db_topology",
    ),
)
