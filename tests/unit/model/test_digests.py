import hashlib
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from connbeat.model.digests import sha1


@given(st.binary(max_size=200))
def test_it_is_sha_1(data: bytes) -> None:
    assert sha1(data) == hashlib.sha1(data).digest()


def test_the_rooms_that_name_things_do_not_load_libcrypto() -> None:
    code = (
        "import sys, connbeat.connections.tracker, connbeat.events.document;"
        "print('_hashlib' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
