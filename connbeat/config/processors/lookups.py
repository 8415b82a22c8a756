"""Options of the processors that look something up."""

from connbeat.config.kinds import Boolean, Choice, Duration, Integer, Mismatch, Text, TextList
from connbeat.config.option import Option
from connbeat.config.output_kinds import TextMap
from connbeat.config.processors.declared import Declared, declared
from connbeat.config.processors.kinds import CheckedList, checked_target
from connbeat.config.tree import Node
from connbeat.processors.cloud.processor import CloudMetadataConfig
from connbeat.processors.cloud.providers import ALIASES
from connbeat.processors.cloud.providers import PROVIDERS as CLOUDS
from connbeat.processors.dns.processor import DnsConfig
from connbeat.processors.dns.servers import parse_server
from connbeat.processors.host.processor import HostMetadataConfig

_CAPACITY = Integer(1, 10_000_000)
_LOCAL = ", ".join(f"`{one.name}`" for one in CLOUDS if one.is_local)
_REMOTE = ", ".join(f"`{one.name}`" for one in CLOUDS if not one.is_local)


class FieldMap(TextMap):
    """Fields, and the fields that what is found goes to."""

    def parse(self, node: Node) -> dict[str, str]:
        pairs = dict(super().parse(node))
        for name in pairs.values():
            checked_target(name)
        if not pairs:
            raise Mismatch("at least one field: remote_ip: remote_domain")
        return pairs


class NameServers(CheckedList):
    """Addresses, with ports or without."""

    name = "list of addresses"

    def check(self, text: str) -> None:
        try:
            parse_server(text, 53)
        except ValueError as error:
            raise Mismatch("an address, or address:port") from error


class Clouds(CheckedList):
    """Names of providers."""

    def check(self, text: str) -> None:
        known = {*ALIASES, *(one.name for one in CLOUDS)}
        if text not in known:
            raise Mismatch(f"one of {', '.join(sorted(known))}")


PROCESSORS: dict[str, Declared] = {
    "dns": declared(
        DnsConfig,
        Option("type", Choice("reverse", "ptr"), "The name of an address; there is no other."),
        Option(
            "fields",
            FieldMap(),
            "Fields with addresses, each with the field its name goes to.",
            required="fields such as remote_ip: remote_domain",
        ),
        Option(
            "action",
            Choice("append", "replace"),
            "What becomes of a value that is there: `append` makes a list of it and the name, "
            "`replace` the name alone.",
        ),
        Option(
            "max_wait",
            Duration(),
            "An event waits so long for the answers, then it goes on without. 0: it never waits.",
        ),
        Option(
            "nameservers",
            NameServers(),
            "Asked one after another, `192.0.2.53` or `192.0.2.53:5353`; by default those of "
            "`/etc/resolv.conf`.",
        ),
        Option("timeout", Duration(low=0.001), "How long each may take."),
        Option("transport", Choice("udp", "tls"), "`udp` or `tls` (port 853)."),
        Option(
            "success_cache.capacity.initial",
            _CAPACITY,
            "Accepted; memory is taken as it is needed.",
        ),
        Option("success_cache.capacity.max", _CAPACITY, "Names held. The oldest goes."),
        Option(
            "success_cache.min_ttl",
            Duration(low=1.0),
            "A name is held at least that long, and as long as the server says.",
        ),
        Option(
            "failure_cache.capacity.initial",
            _CAPACITY,
            "Accepted; memory is taken as it is needed.",
        ),
        Option("failure_cache.capacity.max", _CAPACITY, "Addresses without a name held."),
        Option("failure_cache.ttl", Duration(low=1.0), "How long they are not asked for again."),
        Option(
            "tag_on_failure",
            TextList(),
            "Added to `tags` where a name is not to be had, or not in time.",
        ),
    ),
    "add_host_metadata": declared(
        HostMetadataConfig,
        Option("netinfo.enabled", Boolean(), "With `host.ip` and `host.mac`."),
        Option("cache.ttl", Duration(low=1.0), "How often the host is looked at again."),
        Option("replace_fields", Boolean(), "Win over a `host` that is there."),
        *(
            Option(f"geo.{key}", Text(), text)
            for key, text in (
                ("name", "Where it stands: `host.geo.name`."),
                ("location", "Latitude and longitude."),
                ("continent_name", "Continent."),
                ("country_name", "Country."),
                ("region_name", "Region."),
                ("city_name", "City."),
                ("country_iso_code", "Country, as ISO has it."),
                ("region_iso_code", "Region, as ISO has it."),
            )
        ),
    ),
    "add_cloud_metadata": declared(
        CloudMetadataConfig,
        Option("timeout", Duration(low=0.001), "How long all providers together may take."),
        Option(
            "providers",
            Clouds(),
            f"Who is asked: {_LOCAL} by default; {_REMOTE}, which are not on the machine's own "
            "link, on request.",
        ),
        Option("overwrite", Boolean(), "Win over a `cloud` that is there."),
        Option("host", Text(), "Ask here, `host:port`, instead of each provider's own address."),
    ),
}
