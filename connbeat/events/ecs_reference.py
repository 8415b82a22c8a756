"""`docs/events-ecs.md`, from the catalogue of ECS."""

from connbeat.events.schema import field_example, field_text
from connbeat.model.ecs_fields import ECS_FIELDS, ECS_VERSION, ORIGINS, OWN
from connbeat.model.fields import Field


def ecs_reference() -> str:
    """Two tables: the fields of ECS in the catalogue's order, and what stays below OWN."""
    rows = [_row(field) for field in ECS_FIELDS if field.name in ORIGINS]
    own = [
        f"| `{field.name}` | {field.type} | {field_text(field)} |"
        for field in ECS_FIELDS
        if field.name not in ORIGINS
    ]
    return "\n".join((_HEAD, *rows, _OWN_HEAD, *own, _TAIL)) + "\n"


def _row(field: Field) -> str:
    origins = ", ".join(f"`{name}`" for name in ORIGINS[field.name])
    cells = (f"`{field.name}`", field.type, field_text(field), field_example(field), origins)
    return f"| {' | '.join(cells)} |"


_HEAD = f"""# The events in Elastic Common Schema

With `schema: ecs` in the configuration every document has the names of
[ECS](https://www.elastic.co/docs/reference/ecs) {ECS_VERSION} in place of those in
[events.md](events.md). It is made from the same document and tells the same: what ECS has a name
for stands there, everything else keeps its own name below `{OWN}.`. This page is made from the
catalogue in `connbeat/model/ecs_fields.py` by `make docs`. With `schema: ecs` in the
configuration, `connbeat export schema` prints a JSON Schema of these documents and
`connbeat export template` the index template. Processors, `when` of outputs and format strings see
these names, too: `%{{[host.name]}}`, not `%{{[beat.name]}}`.

Who called is `source` and `client`, who was called is `destination` and `server`. Where nobody
knows (`network.direction` is `unknown`), `source` is this end, and there is no `client` and no
`server`. A listener's event has only `server`. `event.action` has the words of Elastic's own
agents. Of a short connection there is one event, and that has `start` and `end` in `event.type`,
so rules that look for `event.type: start` and `event.action: connection_attempted` find it.

| field | type | meaning | example | made from |
|---|---|---|---|---|"""
_OWN_HEAD = f"""
## What ECS has no name for

As in [events.md](events.md), below `{OWN}.`:

| field | type | meaning |
|---|---|---|"""
_TAIL = f"""
`{OWN}.local_process` is there only where there is no process to be told.

## What is left out

| of `schema: connbeat` | because |
|---|---|
| `local_process.cmdline` of `""`, `local_process.environ` of `[""]` | not exposed is absent |

`fields` of the configuration are `labels`; with `fields_under_root` they are joined to the
document as they stand, and win.

## In Elasticsearch

Indices are `connbeat-ecs-%{{+yyyy.MM.dd}}` by default, or, with `data_stream: true`, the data
stream `logs-connbeat.connection-default`; Kibana's Security app reads `logs-*` by default. The
index template `connbeat-ecs` has the types of ECS, but `keyword` where ECS says `wildcard` or
`constant_keyword`: those are of the same family, not every cluster has them, and a constant one
would refuse events. Labels and ports are `flattened`. What was stored in the other schema stays as
it is, in indices of its own."""
