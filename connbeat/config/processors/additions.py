"""Options of the processors that add what the configuration says or what follows from the event."""

from connbeat.config.kinds import Boolean, Choice, Fields, Integer, TextList
from connbeat.config.option import Option
from connbeat.config.processors.declared import Declared, declared
from connbeat.config.processors.kinds import FieldName, FieldNames, RateKind, Target
from connbeat.processors.add_fields import AddFieldsConfig
from connbeat.processors.add_labels import AddLabelsConfig
from connbeat.processors.add_tags import AddTagsConfig
from connbeat.processors.community_id import CommunityIdConfig
from connbeat.processors.fingerprint import FingerprintConfig
from connbeat.processors.rate_limit import RateLimitConfig

PROCESSORS: dict[str, Declared] = {
    "add_fields": declared(
        AddFieldsConfig,
        Option(
            "fields",
            Fields(),
            "Keys and values of your own; they win over what is there.",
            required="a section with keys of your own",
        ),
        Option(
            "target", Target(or_top=True), 'The section they go to; `""`: the top of the event.'
        ),
    ),
    "add_tags": declared(
        AddTagsConfig,
        Option(
            "tags",
            TextList(),
            "Words; they come after those that are there.",
            required="a list of words",
        ),
        Option("target", Target(), "The list they go to."),
    ),
    "add_labels": declared(
        AddLabelsConfig,
        Option(
            "labels",
            Fields(),
            "Keys and values of your own; names of sections in sections are joined with dots.",
            required="a section with keys of your own",
        ),
    ),
    "fingerprint": declared(
        FingerprintConfig,
        Option(
            "fields",
            FieldNames(),
            "What is hashed: `|name|value|name|value|`, in alphabetical order.",
            required="a list of fields such as [local_ip, remote_ip]",
        ),
        Option("target_field", Target(), "Where it goes."),
        Option(
            "method",
            Choice("md5", "sha1", "sha256", "sha384", "sha512"),
            "`md5`, `sha1`, `sha256`, `sha384` or `sha512`.",
        ),
        Option("encoding", Choice("hex", "base32", "base64"), "`hex`, `base32` or `base64`."),
        Option("ignore_missing", Boolean(), "Hash what there is of the fields."),
    ),
    "community_id": declared(
        CommunityIdConfig,
        Option(
            "fields.source_ip",
            FieldName(),
            "One address. Where an event has no such field, `local_ip`, `local_port`, `remote_ip` "
            "and `remote_port` are taken.",
        ),
        Option("fields.source_port", FieldName(), "Its port."),
        Option("fields.destination_ip", FieldName(), "The other address."),
        Option("fields.destination_port", FieldName(), "Its port."),
        Option("fields.iana_number", FieldName(), "The protocol's number."),
        Option(
            "fields.transport", FieldName(), "Or its name; where an event has neither, it is TCP."
        ),
        Option("target", Target(), "Where it goes."),
        Option("seed", Integer(0, 65535), "Part of every hash."),
    ),
    "rate_limit": declared(
        RateLimitConfig,
        Option(
            "limit",
            RateKind(),
            "So many events a second, minute or hour: `100/s`, `1000/m`, `5000/h`.",
            required="a rate such as 100/s",
        ),
        Option("fields", FieldNames(), "So many for each value of these."),
    ),
}
