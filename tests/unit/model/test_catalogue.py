import subprocess
import sys

from connbeat.model.catalogue import fields_of
from connbeat.model.ecs_fields import ECS_FIELDS
from connbeat.model.fields import FIELDS


def test_each_schema_has_its_catalogue() -> None:
    assert fields_of("connbeat") is FIELDS
    assert fields_of("ecs") is ECS_FIELDS


def test_the_catalogue_of_ecs_is_loaded_by_those_who_want_it() -> None:
    program = (
        "import sys; from connbeat.model.catalogue import fields_of; fields_of('connbeat');"
        "sys.exit('connbeat.model.ecs_fields' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
