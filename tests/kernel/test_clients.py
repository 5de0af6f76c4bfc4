"""A client that finds no broker looks at a steady pace, and one whose broker says no goodbye ends all the same."""

import asyncio
import socket
import ssl
import threading
import time
from pathlib import Path
from typing import Any, cast

import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection

from services.kernel.delivery.log import clients
from tests.kit.tls import certified


@pytest.mark.parametrize("found", [False, True], ids=["nobody answers", "nobody leads"])
async def test_a_client_waits_between_two_looks(found: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    class Client:
        looks = 0

        async def _metadata_update(self, cluster: Any, topics: Any) -> bool:
            self.looks += 1
            return found

    for name in ("FIRST", "LONGEST"):
        monkeypatch.setattr(clients, name, getattr(clients, name) / 10)
    client = Client()
    clients.keep_pace(cast(Any, client))
    began = time.monotonic()
    assert await client._metadata_update(None, []) is found
    assert time.monotonic() - began < clients.FIRST, "the first look is at once"
    for _ in range(9):
        assert await client._metadata_update(None, []) is found
    wanted = 9 * clients.FIRST if found else (0.02 + 0.04 + 0.08 + 6 * clients.LONGEST)
    assert client.looks == 10 and wanted <= time.monotonic() - began < 3 * wanted + 0.5


async def test_a_client_ends_soon_when_a_broker_says_no_goodbye(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unasked(self: AIOKafkaConnection) -> None:
        self._versions = {}

    monkeypatch.setattr(AIOKafkaConnection, "_do_version_lookup", unasked)
    authority = certified(tmp_path)
    held, over = list[ssl.SSLSocket](), threading.Event()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "broker.pem")

    def serve(server: socket.socket) -> None:
        accepted, _ = server.accept()
        held.append(context.wrap_socket(accepted, server_side=True))
        over.wait(60)

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)
        silent = threading.Thread(target=serve, args=(server,))
        silent.start()
        try:
            client = AIOKafkaClient(bootstrap_servers="127.0.0.1:1")
            clients.end_soon(client)
            client._conns[0, None] = connection = AIOKafkaConnection(
                *server.getsockname(),
                security_protocol="SSL",
                ssl_context=ssl.create_default_context(cafile=authority),
            )
            await connection.connect()
            began = time.monotonic()
            async with asyncio.timeout(20):
                await client.close()
            assert clients.GOODBYE / 2 < time.monotonic() - began < 10, "the broker did not keep silence, or it counted"
        finally:
            over.set()
            silent.join()
            for one in held:
                one.close()
