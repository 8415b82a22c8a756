"""TLS to the hosts of one output: their contexts, made when a connection first needs one."""

from ssl import SSLContext

from connbeat.errors import Permanent, Transient
from connbeat.outputs.hosts import HostUrl
from connbeat.outputs.tls import ssl_context, with_trusted_ca
from connbeat.outputs.tls_policy import TlsPolicy


class HostTls:
    """Any thread may ask; two that ask for the same at once do the work twice."""

    def __init__(self, policy: TlsPolicy, *, timeout_seconds: float) -> None:
        self._policy = policy
        self._timeout_seconds = timeout_seconds
        self._contexts: dict[tuple[str, int], SSLContext] = {}

    def check(self) -> None:
        """Raises Permanent, which names the option, if the files cannot be used."""
        ssl_context(self._policy)

    def context(self, url: HostUrl) -> SSLContext:
        """Blocks where the host has to be asked for its authority. Raises Transient.

        Files that cannot be read any more are an accident, too: the agent goes on and waits.
        """
        address = url.host, url.port
        if address not in self._contexts:
            try:
                trusted = with_trusted_ca(self._policy, address, self._timeout_seconds)
                self._contexts[address] = ssl_context(trusted)
            except Permanent as error:
                raise Transient(str(error)) from error
        return self._contexts[address]

    def forget(self) -> None:
        """Certificates may have been renewed: read them again."""
        self._contexts.clear()
