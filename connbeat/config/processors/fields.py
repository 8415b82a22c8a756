"""Options of the processors that drop events, and drop, keep, move or change fields."""

from connbeat.config.kinds import Boolean, Choice, Integer, Text
from connbeat.config.option import Option
from connbeat.config.processors.declared import Declared, declared
from connbeat.config.processors.kinds import (
    FieldName,
    FieldNames,
    FieldPatterns,
    Pattern,
    Source,
    Target,
)
from connbeat.config.processors.sections import Items
from connbeat.processors.convert import Conversion, ConvertConfig
from connbeat.processors.copy_fields import CopyFieldsConfig
from connbeat.processors.decode_json_fields import DecodeJsonFieldsConfig
from connbeat.processors.drop_event import DropEventConfig
from connbeat.processors.drop_fields import DropFieldsConfig
from connbeat.processors.include_fields import IncludeFieldsConfig
from connbeat.processors.moves import FieldPair
from connbeat.processors.rename import RenameConfig
from connbeat.processors.replace import ReplaceConfig, Replacement
from connbeat.processors.truncate_fields import TruncateFieldsConfig

_NAMES = "a list of fields such as [local_process.environ]"
_IGNORE_MISSING = Option(
    "ignore_missing", Boolean(), "An event that lacks the field is no failure."
)
_FAIL_ON_ERROR = Option(
    "fail_on_error",
    Boolean(),
    "What fails undoes the whole; `false`: only that one field is left as it was.",
)
_FROM = Option("from", Source(), "The field.", required="a field")
_TO = Option("to", Target(), "Its new name.", required="a field")

PROCESSORS: dict[str, Declared] = {
    "drop_event": declared(DropEventConfig),
    "drop_fields": declared(
        DropFieldsConfig,
        Option(
            "fields",
            FieldPatterns(),
            "Names; `/pattern/`: all in whose whole name it has a match.",
            required=_NAMES,
        ),
        _IGNORE_MISSING,
    ),
    "include_fields": declared(
        IncludeFieldsConfig,
        Option(
            "fields",
            FieldNames(),
            "Names. What an event lacks of them is not missed.",
            required=_NAMES,
        ),
    ),
    "rename": declared(
        RenameConfig,
        Option(
            "fields",
            Items(FieldPair, (_FROM, _TO)),
            "Each `from` a field `to` a name that is free.",
            required="a list of from and to",
        ),
        _IGNORE_MISSING,
        _FAIL_ON_ERROR,
    ),
    "copy_fields": declared(
        CopyFieldsConfig,
        Option(
            "fields",
            Items(FieldPair, (Option("from", FieldName(), "", required="a field"), _TO)),
            "Each `from` a field `to` a name that is free.",
            required="a list of from and to",
        ),
        _IGNORE_MISSING,
        _FAIL_ON_ERROR,
    ),
    "convert": declared(
        ConvertConfig,
        Option(
            "fields",
            Items(
                Conversion,
                (
                    Option("from", Source(), "", required="a field"),
                    Option("to", Target(), ""),
                    Option(
                        "type",
                        Choice("integer", "long", "float", "double", "string", "boolean", "ip"),
                        "",
                    ),
                ),
            ),
            "Each `from` a field, `to` another (or in its place), and the `type`: `integer`, "
            "`long`, `float`, `double`, `string`, `boolean`, or `ip`, a text that has to be an "
            "address.",
            required="a list of from, to and type",
        ),
        Option(
            "mode",
            Choice("copy", "rename"),
            "Whether the field stays where it goes `to` another: `copy` or `rename`.",
        ),
        _IGNORE_MISSING,
        _FAIL_ON_ERROR,
    ),
    "replace": declared(
        ReplaceConfig,
        Option(
            "fields",
            Items(
                Replacement,
                (
                    Option("field", Source(), "", required="a field"),
                    Option("pattern", Pattern(), "", required="a regular expression"),
                    Option("replacement", Text(), "", required="a text"),
                ),
            ),
            "Each a `field`, the `pattern` in it, and the `replacement`; `$1` is a group of the "
            "match.",
            required="a list of field, pattern and replacement",
        ),
        _IGNORE_MISSING,
        _FAIL_ON_ERROR,
    ),
    "truncate_fields": declared(
        TruncateFieldsConfig,
        Option("fields", FieldNames(), "Names.", required=_NAMES),
        Option("max_bytes", Integer(1, 1_000_000_000), "Bytes (in UTF-8) that are left, at most."),
        Option("max_characters", Integer(1, 1_000_000_000), "Or characters."),
        _IGNORE_MISSING,
        _FAIL_ON_ERROR,
    ),
    "decode_json_fields": declared(
        DecodeJsonFieldsConfig,
        Option(
            "fields",
            FieldNames(),
            "Names of texts; what an event lacks of them is not missed.",
            required=_NAMES,
        ),
        Option("process_array", Boolean(), "Decode lists too."),
        Option(
            "max_depth", Integer(1, 10), "2 decodes texts in the decoded object as well, and so on."
        ),
        Option(
            "target",
            Target(or_top=True),
            'Where it goes; by default in place of the text, `""`: to the top of the event.',
        ),
        Option("overwrite_keys", Boolean(), "At the top, win over what is there."),
        Option("expand_keys", Boolean(), "Keys with dots become sections."),
        Option("add_error_key", Boolean(), "What is no JSON is told in the event, in `error`."),
    ),
}
