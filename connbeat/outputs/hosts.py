"""`hosts` of an output, in every spelling that libbeat takes. Pure.

host  host:9200  [::1]:9200  ::1  https://user:password@host:9200/path?key=value
"""

import ipaddress
from collections.abc import Iterable
from urllib.parse import quote, unquote, urlsplit

import msgspec

#: What may stand in a path as it is; an escape (%20) stays one.
_SAFE = "/%:@!$&'()*+,;=~-._"


class HostUrl(msgspec.Struct, frozen=True, kw_only=True):
    """One destination. `host` is without brackets; `path` is "" or begins with a slash."""

    scheme: str
    host: str
    port: int
    path: str = ""
    query: str = ""
    username: str = ""
    password: str = ""

    @property
    def netloc(self) -> str:
        """`host:port`, with brackets around an IPv6 address."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def target(self) -> str:
        """What follows the host in a request: path and query."""
        return f"{self.path or '/'}?{self.query}" if self.query else self.path or "/"

    @property
    def url(self) -> str:
        """For the log and for clients: without credentials and query, which may hold a secret."""
        return f"{self.scheme}://{self.netloc}{self.path}"


class HostDefaults(msgspec.Struct, frozen=True, kw_only=True):
    """What a host does not say itself. `ports` by scheme, and so the schemes that there are."""

    ports: dict[str, int]
    scheme: str = "http"
    path: str = ""


def parse_host(text: str, defaults: HostDefaults) -> HostUrl:
    """Raises ValueError, which says what is wrong; it never quotes a password."""
    text = text.strip()
    if not text or any(character.isspace() or not character.isprintable() for character in text):
        raise ValueError("found an empty host or a space in one, expected host:port or a URL")
    scheme, _, rest = text.rpartition("://") if "://" in text.split("?")[0] else ("", "", text)
    scheme = scheme.lower() or defaults.scheme
    if scheme not in defaults.ports:
        raise ValueError(f"found {scheme}://, expected {' or '.join(sorted(defaults.ports))}")
    if not _authority_of(rest) and rest.startswith(("/", "?")):
        raise ValueError("found a URL without a host")
    parts = urlsplit(f"//{_bracketed(rest)}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError("found a wrong port, expected a number from 1 to 65535") from error
    if not host or port == 0:
        raise ValueError("found no host or port 0, expected host:port or a URL")
    return HostUrl(
        scheme=scheme,
        host=host,
        port=defaults.ports[scheme] if port is None else port,
        path=_path(parts.path, defaults.path),
        query=quote(parts.query, safe=f"{_SAFE}?"),
        username=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
    )


def parse_hosts(texts: Iterable[str], defaults: HostDefaults) -> tuple[HostUrl, ...]:
    """The same for a list. Raises ValueError."""
    return tuple(parse_host(text, defaults) for text in texts)


def _authority_of(rest: str) -> str:
    for end in "/?#":
        rest = rest.partition(end)[0]
    return rest


def _bracketed(rest: str) -> str:
    """A bare IPv6 address gets its brackets."""
    authority = _authority_of(rest)
    try:
        ipaddress.IPv6Address(authority)
    except ValueError:
        return rest
    return f"[{authority}]{rest[len(authority) :]}"


def _path(path: str, default: str) -> str:
    chosen = path if path not in ("", "/") else default
    if not chosen:
        return path
    return quote(chosen if chosen.startswith("/") else f"/{chosen}", safe=_SAFE)
