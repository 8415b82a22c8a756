import base64
import hashlib

import pytest

from tests.unit.processors.trying import EVENT, failure, tried

HASHED = b"|local_ip|172.18.0.3|local_port|45678|"
FIELDS = "fields: [local_port, local_ip]"


@pytest.mark.parametrize("method", ["md5", "sha1", "sha256", "sha384", "sha512"])
def test_names_and_values_in_alphabetical_order_are_hashed(method: str) -> None:
    result = tried(f"- fingerprint: {{{FIELDS}, method: {method}}}")
    assert result["fingerprint"] == hashlib.new(method, HASHED).hexdigest()


def test_it_is_sha256_by_default_and_written_as_one_likes() -> None:
    digest = hashlib.sha256(HASHED).digest()
    assert tried(f"- fingerprint: {{{FIELDS}}}") == {**EVENT, "fingerprint": digest.hex()}
    for encoding, encode in (("base32", base64.b32encode), ("base64", base64.b64encode)):
        options = f"{FIELDS}, encoding: {encoding}, target_field: event.hash"
        result = tried(f"- fingerprint: {{{options}}}")
        assert result["event"] == {"hash": encode(digest).decode()}


def test_what_is_missing_is_a_failure_or_left_out() -> None:
    assert failure("- fingerprint.fields: [local_ip, x]") == "there is no field x"
    options = "fields: [local_ip, x, local_port], ignore_missing: true"
    result = tried(f"- fingerprint: {{{options}}}")
    assert result["fingerprint"] == hashlib.sha256(HASHED).hexdigest()


def test_a_section_has_no_fingerprint() -> None:
    assert failure("- fingerprint.fields: [local_process]") == "local_process is no single value"
