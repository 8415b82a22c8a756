"""Options of `output.elasticsearch`; `setup.template` and `setup.ilm` are part of it."""

from connbeat.config.kinds import Boolean, BooleanOrAuto, Choice, Fields, Integer, Text
from connbeat.config.option import Option, Status, alias, known
from connbeat.config.output_kinds import Format, Hosts, Rules, TextMap
from connbeat.outputs.elasticsearch.config import PORTS
from connbeat.outputs.hosts import HostDefaults

_TEMPLATE: tuple[Option, ...] = (
    Option("template.enabled", Boolean(), "Put the index template there if it is not there yet."),
    Option("template.name", Text(), "Its name."),
    Option(
        "template.pattern",
        Text(),
        "The indices it is for; by default what `index` can become, `connbeat-*`.",
    ),
    Option("template.overwrite", Boolean(), "Put it there even if there is one."),
    Option(
        "template.settings",
        Fields(),
        "Settings of the indices, such as `index.number_of_shards: 1`; they win over ours.",
    ),
)
_ILM: tuple[Option, ...] = (
    Option(
        "ilm.enabled",
        BooleanOrAuto(),
        "Give indices a lifecycle policy: `auto` gives one to a data stream where the cluster "
        "has them.",
    ),
    Option("ilm.policy_name", Text(), "Its name."),
    Option(
        "ilm.policy_file",
        Text(),
        "A JSON file with the policy; by default a data stream rolls over after 30 days or 50 GB, "
        "and nothing is deleted.",
    ),
    Option("ilm.overwrite", Boolean(), "Put the policy there even if there is one."),
)

OPTIONS: tuple[Option, ...] = (
    Option(
        "hosts",
        Hosts(HostDefaults(ports=PORTS)),
        "`host:port` or URLs; the port is 9200 by default. Required.",
        required="a list of hosts such as [https://es:9200]",
    ),
    Option("protocol", Choice("http", "https"), "For hosts that do not say: `http` or `https`."),
    Option("path", Text(), "For hosts without a path."),
    Option("parameters", TextMap(), "Added to the query of every bulk request."),
    Option("username", Text(), "For basic authentication, where the host's URL has no user."),
    Option("password", Text(), "With it."),
    Option("api_key", Text(), "`id:key`, or both as Kibana encodes them."),
    Option("headers", TextMap(), "Added to every request."),
    Option(
        "proxy_url",
        Text(),
        "The proxy to use; by default that of `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`.",
    ),
    Option("proxy_disable", Boolean(), "Use no proxy, whatever the environment says."),
    Option("compression_level", Integer(0, 9), "gzip from 1 (quick) to 9 (small); 0: none."),
    Option(
        "index",
        Format(),
        "The index, alias or data stream; by default `connbeat-%{+yyyy.MM.dd}`, or "
        "`logs-connbeat-default` with `data_stream`.",
    ),
    Option("indices", Rules("index"), "Rules that are asked before `index`."),
    Option("pipeline", Format(), "The ingest pipeline."),
    Option("pipelines", Rules("pipeline"), "Rules that are asked before `pipeline`."),
    Option("data_stream", Boolean(), "Make the template one for data streams."),
    Option(
        "dead_letter_index",
        Text(),
        "Where events go that the cluster refuses for good: the event as text, with the error.",
    ),
    alias("non_indexable_policy.dead_letter_index.index", "dead_letter_index"),
    *_TEMPLATE,
    *_ILM,
    *known(
        Status.OBSOLETE, "Events that are refused are dropped.", "", "non_indexable_policy.drop"
    ),
    *known(Status.OBSOLETE, "Connections are kept.", "", "idle_connection_timeout"),
    *known(Status.OBSOLETE, "Nothing is escaped that JSON leaves as it is.", "", "escape_html"),
    *known(Status.OBSOLETE, "Each of its options is there.", "", "preset"),
    *known(Status.OBSOLETE, "7.17 and later are taken.", "", "allow_older_versions"),
    *known(Status.OBSOLETE, "There is no topology map.", "", "save_topology"),
    *known(
        Status.OBSOLETE,
        "The template is made by connbeat.",
        "template.",
        "path versions.2x.enabled versions.2x.path versions.6x.enabled versions.6x.path",
    ),
)

#: What libbeat calls them today.
SETUP: tuple[Option, ...] = (
    *(
        alias(f"setup.{option.key}", f"output.elasticsearch.{option.key}")
        for option in (*_TEMPLATE, *_ILM)
    ),
    *known(
        Status.OBSOLETE,
        "The template is made by connbeat.",
        "setup.template.",
        "fields append_fields type json priority data_stream",
    ),
    *known(Status.OBSOLETE, "What is there is left alone.", "setup.ilm.", "check_exists"),
    *known(Status.OBSOLETE, "There are no dashboards to load.", "setup.", "dashboards kibana"),
)
