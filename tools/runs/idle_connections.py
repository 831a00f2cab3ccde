#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Opens HTTP/2 connections to a gRPC server and keeps them without a call.

  idle_connections.py HOST:PORT COUNT

Prints `open COUNT` when the server has greeted on all of them, answers its
settings and pings, and ends at SIGTERM with the number that the server closed
meanwhile, `closed N`.
"""
import selectors
import signal
import socket
import sys

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
SETTINGS, PING, ACK = 4, 6, 1
HEADER = 9


class Connection:
    def __init__(self, address):
        self.socket = socket.create_connection(address)
        self.socket.sendall(PREFACE)
        self.socket.setblocking(False)
        self.unread = b""
        self.greeted = False

    def read(self):
        """Answers what came; False once the server has closed."""
        try:
            data = self.socket.recv(1 << 16)
        except ConnectionError:
            data = b""
        if not data:
            return False
        self.unread += data
        while len(self.unread) >= HEADER:
            size, kind, flags = int.from_bytes(self.unread[:3], "big"), self.unread[3], self.unread[4]
            if len(self.unread) < HEADER + size:
                break
            payload, self.unread = self.unread[HEADER:HEADER + size], self.unread[HEADER + size:]
            if flags & ACK == 0 and kind in (SETTINGS, PING):
                answer = payload if kind == PING else b""
                self.socket.sendall(len(answer).to_bytes(3, "big") + bytes([kind, ACK, 0, 0, 0, 0]) + answer)
                self.greeted |= kind == SETTINGS
        return True


def main():
    host, port = sys.argv[1].rsplit(":", 1)
    count = int(sys.argv[2])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(f"closed {closed}"))
    selector, closed, greeted, opened = selectors.DefaultSelector(), 0, 0, 0
    while True:
        if opened < count:
            connection = Connection((host, int(port)))
            selector.register(connection.socket, selectors.EVENT_READ, connection)
            opened += 1
        for key, _ in selector.select(0 if opened < count else None):
            connection = key.data
            before = connection.greeted
            if not connection.read():
                selector.unregister(connection.socket)
                connection.socket.close()
                closed += 1
            elif connection.greeted and not before:
                greeted += 1
                if greeted == count:
                    print(f"open {count}", flush=True)


main()
