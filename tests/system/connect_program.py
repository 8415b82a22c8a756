"""Connects to itself and closes, N times, and tells what it did: a JSON line for each socket.

connect_program.py N    waits for a line, then works, tells, and waits for the end of input
"""

import json
import os
import socket
import struct
import sys

SO_COOKIE = 57


def cookie_of(sock: socket.socket) -> int:
    (cookie,) = struct.unpack("=Q", sock.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8))
    return int(cookie)


def main() -> None:
    sys.stdin.readline()
    told = []
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        for _ in range(int(sys.argv[1])):
            client = socket.create_connection(listener.getsockname())
            served, _ = listener.accept()
            client.sendall(b"question")
            served.sendall(b"answer")
            served.recv(8, socket.MSG_WAITALL)
            client.recv(6, socket.MSG_WAITALL)
            for direction, sock in (("outbound", client), ("inbound", served)):
                told.append({"cookie": cookie_of(sock), "direction": direction})
            client.close()
            served.close()
    sys.stdout.write(json.dumps({"pid": os.getpid(), "sockets": told}) + "\n")
    sys.stdout.flush()
    sys.stdin.readline()


if __name__ == "__main__":
    main()
