#!/usr/bin/env python3
"""Forwards TCP connections, and cuts them when told: what lies between an instance and the broker.

    proxy.py LISTEN:TARGET[:wait]...      ports of 127.0.0.1; wait: for a target that nobody listens at yet

Standard input, one command a line, each answered with "done":
    freeze LISTEN    nothing goes through any more, and nobody is told (a cable is out); new connections hang
    reset LISTEN     connections are reset, new ones are reset at once (a firewall says no)
    heal LISTEN      whatever was held back goes on
"""
import asyncio
import os
import socket
import struct
import sys

CHUNK = 1 << 16
WAIT_S, LOOK_S = 60, 0.05


class Link:
    def __init__(self, listen, target, waits=False):
        self.listen, self.target, self.waits = listen, target, waits
        self.open = asyncio.Event()
        self.open.set()
        self.refuses = False
        self.writers = set()

    async def start(self):
        await asyncio.start_server(self.accept, "127.0.0.1", self.listen)

    async def accept(self, reader, writer):
        await self.open.wait()
        if self.refuses:
            self.reset_one(writer)
            return
        far = await self.connect()
        if far is None:
            writer.close()
            return
        far_reader, far_writer = far
        self.writers |= {writer, far_writer}
        await asyncio.gather(self.pump(reader, far_writer), self.pump(far_reader, writer))
        self.writers -= {writer, far_writer}

    async def connect(self):
        for _ in range(round(WAIT_S / LOOK_S) if self.waits else 1):
            try:
                return await asyncio.open_connection("127.0.0.1", self.target)
            except OSError:
                await asyncio.sleep(LOOK_S if self.waits else 0)
        return None

    async def pump(self, reader, writer):
        try:
            while data := await reader.read(CHUNK):
                await self.open.wait()
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        await self.open.wait()
        writer.close()

    @staticmethod
    def reset_one(writer):
        sock = writer.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    def obey(self, command):
        if command == "freeze":
            self.open.clear()
            return
        self.refuses = command == "reset"
        self.open.set()
        if self.refuses:
            for writer in list(self.writers):
                self.reset_one(writer)


async def main():
    links = {}
    for word in sys.argv[1:]:
        listen, target, *waits = word.split(":")
        links[listen] = Link(int(listen), int(target), waits == ["wait"])
        await links[listen].start()
    print("done", flush=True)
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    while line := await commands.readline():
        command, listen = line.decode().split()
        links[listen].obey(command)
        print("done", flush=True)
    os._exit(0)  # connections are of no interest any more


if __name__ == "__main__":
    asyncio.run(main())
