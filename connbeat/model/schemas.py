"""The names that documents can have: `catalogue` has the fields of each."""

from typing import Literal

#: `connbeat`: the names of connbeat 5.6 and those added since. `ecs`: Elastic Common Schema.
SchemaName = Literal["connbeat", "ecs"]
