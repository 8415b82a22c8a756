"""fingerprint: a hash of some fields, the same for events in which they are the same.

Hashed is `|name|value|name|value|`, the names in the order of the alphabet.
"""

import base64
from collections.abc import Callable
from typing import Literal

from connbeat.model.digests import hasher
from connbeat.model.documents import Document, field_getter
from connbeat.processors.fields import as_text, field_setter
from connbeat.processors.protocol import Processor, ProcessorConfig, ProcessorFailed, Services

Method = Literal["md5", "sha1", "sha256", "sha384", "sha512"]
Encoding = Literal["hex", "base32", "base64"]

_ENCODINGS: dict[Encoding, Callable[[bytes], str]] = {
    "hex": bytes.hex,
    "base32": lambda data: base64.b32encode(data).decode("ascii"),
    "base64": lambda data: base64.b64encode(data).decode("ascii"),
}


class FingerprintConfig(ProcessorConfig, frozen=True, kw_only=True):
    """What is hashed, how, and where the result goes."""

    fields: tuple[str, ...] = ()
    ignore_missing: bool = False
    target_field: str = "fingerprint"
    method: Method = "sha256"
    encoding: Encoding = "hex"


def build(config: FingerprintConfig, _services: Services) -> Processor:
    getters = tuple((name, field_getter(name)) for name in sorted(set(config.fields)))
    put = field_setter(config.target_field)
    digest, encode = hasher(config.method), _ENCODINGS[config.encoding]
    ignore_missing = config.ignore_missing

    def add(document: Document) -> Document:
        parts = [""]
        for name, get in getters:
            value = get(document)
            if value is None:
                if ignore_missing:
                    continue
                raise ProcessorFailed(f"there is no field {name}")
            text = as_text(value)
            if text is None:
                raise ProcessorFailed(f"{name} is no single value")
            parts += (name, text)
        parts.append("")
        data = "|".join(parts).encode(errors="surrogatepass")
        return put(document, encode(digest(data)))

    return add
