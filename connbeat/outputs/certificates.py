"""Certificates: the little of X.509 that the standard library keeps to itself.

`ssl` loads a certificate of its own from files only, and says nothing of public keys.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_BEGIN = "-----BEGIN "
_VERSION = 0xA0


@contextmanager
def pem_files(*texts: str) -> Iterator[tuple[str, ...]]:
    """File names for PEM texts while the block lasts; names of files stay what they are."""
    with tempfile.TemporaryDirectory(prefix="connbeat-") as folder:  # nobody else may enter it
        names = []
        for number, text in enumerate(texts):
            name = text
            if _BEGIN in text:
                path = Path(folder, f"{number}.pem")
                path.write_text(text)
                name = str(path)
            names.append(name)
        yield tuple(names)


def public_key_info(der: bytes) -> bytes:
    """The SubjectPublicKeyInfo of a certificate, whole. Raises ValueError."""
    certificate, _ = _element(der, 0)
    to_be_signed, _ = _element(der, certificate.start)
    at = to_be_signed.start
    if der[at] == _VERSION:
        at = _element(der, at)[1]
    for _ in range(5):  # serial number, algorithm, issuer, validity, subject
        at = _element(der, at)[1]
    return der[at : _element(der, at)[1]]


def _element(der: bytes, at: int) -> tuple[range, int]:
    """Where the contents of the element at `at` are, and where the next one begins."""
    try:
        length, begin = der[at + 1], at + 2
        if length & 0x80:
            count = length & 0x7F
            length, begin = int.from_bytes(der[begin : begin + count]), begin + count
    except IndexError:
        raise ValueError("not a certificate in DER") from None
    if begin + length > len(der):
        raise ValueError("not a certificate in DER")
    return range(begin, begin + length), begin + length
