"""What became of the options of connbeat 5.6, as Markdown, for `docs/migration.md`. Pure."""

from collections.abc import Iterable, Iterator
from itertools import groupby

from connbeat.config.option import Option, Status
from connbeat.config.options import OPTIONS, default_of
from connbeat.config.tree import Place, plain_node

#: Where the default alone does not say it.
_NOTES = {
    "connbeat.enable_tcp_diag": "unset, capture climbs as high as it may",
    "connbeat.enable_docker": "unset, Docker is asked when its socket is there",
    "logging.to_files": "unset, only if `logging.files` has a key; otherwise the log is on stderr",
    "max_procs": "of the machine's processors it takes those with the highest numbers",
    "output.logstash.port": "unset, it is 5044, where Logstash listens",
}
_HEAD = "| option of 5.6 | default there | now |\n| --- | --- | --- |\n"


def migration_tables(old: Iterable[tuple[str, str]]) -> str:
    """`old` are keys and their defaults, "" for none. One table a section, in the order given."""
    parts = [
        f"### {title}\n\n{_HEAD}{''.join(_rows(rows))}"
        for title, rows in groupby(old, key=lambda row: _title(row[0]))
    ]
    return "\n".join(parts)


def _title(key: str) -> str:
    first, *rest = key.split(".")
    if first == "output":
        return f"`output.{rest[0]}`"
    return f"`{first}`" if first in ("connbeat", "path", "logging", "dashboards") else "General"


def _rows(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    for key, default in rows:
        shown = f"`{default}`" if default else ""
        yield f"| `{key}` | {shown} | {_fate(OPTIONS[key], default)} |\n"


def _fate(option: Option, default: str) -> str:
    if option.status is Status.USED:
        return _kept(option, default)
    if option.status is Status.ALIAS:
        return f"another name of `{option.stands_for}`"
    if option.status is Status.REFUSED:
        return f"an error, for it is not built yet. {option.text}"
    return f"a warning: it has no meaning any more. {option.text}"


def _kept(option: Option, default: str) -> str:
    if option.key in _NOTES:
        return f"as it was; {_NOTES[option.key]}"
    now = default_of(option)
    if option.key.endswith(".max_retries"):
        return "as it was, but the default is without limit"
    if not default or now is None or _parsed(option, default) == now:
        return "as it was"
    return f"as it was, but the default is `{option.kind.show(now)}`"


def _parsed(option: Option, text: str) -> object:
    return option.kind.parse(plain_node(text, Place("5.6")))
