"""A real name server for tests: answers PTR questions as it was told, over UDP on loopback.

with DnsServer({"192.0.2.1": "web.example"}) as server:
    ask(server.address)
"""

import socket
import threading
from collections.abc import Mapping
from typing import Self

import dns.flags
import dns.message
import dns.rcode
import dns.reversename
import dns.rrset


class DnsServer:
    """What it does not know does not exist; what is "-" gets no answer at all."""

    def __init__(self, names: Mapping[str, str], ttl: int = 300) -> None:
        self.names = dict(names)
        self.ttl = ttl
        self.asked: list[str] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", self._socket.getsockname())
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        while True:
            data, client = self._socket.recvfrom(4096)
            if not data:
                return
            answer = self._answer(dns.message.from_wire(data))
            if answer is not None:
                self._socket.sendto(answer.to_wire(), client)

    def _answer(self, question: dns.message.Message) -> dns.message.Message | None:
        name = question.question[0].name
        address = dns.reversename.to_address(name)
        self.asked.append(address)
        found = self.names.get(address, "")
        if found == "-":
            return None
        answer = dns.message.make_response(question)
        if found:
            answer.answer.append(dns.rrset.from_text(name, self.ttl, "IN", "PTR", f"{found}."))
        else:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer
