"""The catalogue of each schema: every field that a document in it can have."""

from connbeat.model.fields import FIELDS, Field
from connbeat.model.schemas import SchemaName


def fields_of(schema: SchemaName) -> tuple[Field, ...]:
    if schema == "ecs":
        from connbeat.model.ecs_fields import ECS_FIELDS  # noqa: PLC0415  for those who chose it

        return ECS_FIELDS
    return FIELDS
