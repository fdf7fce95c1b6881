"""Fixtures for every test: a real Valkey from the wheel, started once per session and emptied for each test."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis import Redis as BlockingRedis
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as StoreConnectionError

from bot.store import Role, StorePlaces, connect, server_command, server_program

STARTS_WITHIN_S = 20.0


@pytest.fixture(scope="session")
def store_places_for_tests() -> Iterator[StorePlaces]:
    """A running Valkey that answers on a unix socket. It does not sync its log: no test pulls the plug here."""
    with tempfile.TemporaryDirectory(prefix="recado-") as name:
        places = StorePlaces(folder=Path(name), socket=Path(name) / "s")
        command = server_command(server_program(), places, fsync="no")
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
            try:
                await_answer(places)
                yield places
            finally:
                server.kill()


def await_answer(places: StorePlaces) -> None:
    """Return once the server answers."""
    with BlockingRedis(unix_socket_path=str(places.socket), protocol=2) as probe:
        ends = time.monotonic() + STARTS_WITHIN_S
        while True:
            try:
                probe.ping()
            except StoreConnectionError:
                if time.monotonic() > ends:
                    raise
                time.sleep(0.01)
            else:
                return


@pytest.fixture
def store_url(store_places_for_tests: StorePlaces) -> str:
    """The URL of the session's Valkey, emptied."""
    with BlockingRedis(unix_socket_path=str(store_places_for_tests.socket), protocol=2) as client:
        client.flushall()
        client.function_flush()
    return store_places_for_tests.url


@pytest.fixture
async def redis(store_url: str) -> AsyncIterator[Redis]:
    """An asyncio client of the emptied store."""
    client = connect(store_url, Role.WORKER)
    try:
        yield client
    finally:
        await client.aclose()
