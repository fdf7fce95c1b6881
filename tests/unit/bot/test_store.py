"""The embedded store runs once, loses nothing, ends when told; unsafe stores are refused with the cure."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import psutil
import pytest
from redis import Redis as BlockingRedis
from redis.asyncio import Redis

from bot import store
from bot.store import NoServer, Role, StoreUnsafe, check_store, connect, server_program, store_places, store_url
from tests.conftest import STARTS_WITHIN_S, await_answer

RUN = "import sys; from pathlib import Path; from bot.store import run_store; run_store(Path(sys.argv[1]))"
STAND_BY = (
    "from pathlib import Path; from bot.store import run_store; run_store(Path('.'), redis_url='redis://elsewhere')"
)
RUN_UNDER_A_PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {RUN!r}, sys.argv[1]])"
Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def data_dir(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="recado-") as name:
        runtime = Path(name) / "run"
        runtime.mkdir()
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
        yield Path(name) / "data"


@pytest.fixture
def start(data_dir: Path) -> Iterator[Start]:
    """Starts Python code as the store's process; all is killed at the end, servers too."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(code: str = RUN) -> subprocess.Popen[bytes]:
        with words_of(data_dir, len(processes)).open("wb") as words:
            process = subprocess.Popen(
                [sys.executable, "-c", code, str(data_dir)], stdout=words, stderr=subprocess.STDOUT, cwd=Path.cwd()
            )
        processes.append(process)
        return process

    yield start
    for server in _servers(data_dir):
        server.kill()
    for process in processes:
        process.kill()
        process.wait()


def words_of(data_dir: Path, number: int = 0) -> Path:
    """What the `number`-th started process says."""
    return data_dir.with_name(f"words-{number}")


def _servers(data_dir: Path) -> list[psutil.Process]:
    places = store_places(data_dir)
    note = places.folder / "lock"
    pids = [store.orjson.loads(note.read_bytes())["pid"]] if note.exists() and note.read_bytes() else []
    return [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]


def client_of(data_dir: Path) -> BlockingRedis:
    await_answer(store_places(data_dir))
    return BlockingRedis(unix_socket_path=str(store_places(data_dir).socket), protocol=2)


def until(condition: Callable[[], bool]) -> None:
    """Return once it holds."""
    ends = time.monotonic() + STARTS_WITHIN_S
    while not condition():
        assert time.monotonic() < ends, "it never came to be"
        time.sleep(0.02)


def test_the_store_keeps_every_write_and_listens_on_a_private_socket_only(start: Start, data_dir: Path) -> None:
    start()
    with client_of(data_dir) as client:
        found = client.config_get("*")
    assert (found["appendonly"], found["appendfsync"], found["maxmemory-policy"]) == ("yes", "always", "noeviction")
    assert found["port"] == "0"
    assert store_places(data_dir).socket.parent.stat().st_mode & 0o777 == 0o700


def test_what_was_acknowledged_survives_kill_9(start: Start, data_dir: Path) -> None:
    first = start()
    with client_of(data_dir) as client:
        client.set("key", "value")
    first.kill()
    first.wait()
    start()
    with client_of(data_dir) as client:
        assert client.get("key") == b"value"


def test_the_store_process_is_the_server_so_a_signal_ends_it(start: Start, data_dir: Path) -> None:
    process = start()
    with client_of(data_dir) as client:
        assert client.info("server")["process_id"] == process.pid
    process.terminate()
    assert process.wait() == 0


def test_a_second_start_is_refused_and_says_why(start: Start, data_dir: Path) -> None:
    start()
    with client_of(data_dir) as client:
        assert start().wait() != 0
        assert "is already running" in words_of(data_dir, 1).read_text()
        assert client.ping()


def test_a_server_of_another_kind_on_our_socket_is_not_pushed_aside(start: Start, data_dir: Path) -> None:
    path = store_places(data_dir).socket
    path.parent.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.bind(str(path))
        stranger.listen()
        assert start().wait() != 0
    assert "Another server listens" in words_of(data_dir).read_text()


def test_a_socket_file_left_behind_is_no_obstacle(start: Start, data_dir: Path) -> None:
    path = store_places(data_dir).socket
    path.parent.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    start()
    with client_of(data_dir) as client:
        assert client.ping()


def test_a_server_whose_starter_died_is_used_on_and_ends_with_its_new_companion(start: Start, data_dir: Path) -> None:
    parent = start(RUN_UNDER_A_PARENT)
    with client_of(data_dir) as client:
        server = psutil.Process(client.info("server")["process_id"])
        parent.kill()
        parent.wait()
        companion = start()
        until(lambda: companion.poll() is not None or _handles_sigterm(companion.pid))
        assert client.ping()
    companion.terminate()
    assert companion.wait() == 0
    until(lambda: not server.is_running() or server.status() == psutil.STATUS_ZOMBIE)


def _handles_sigterm(pid: int) -> bool:
    caught = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


def test_a_runtime_folder_that_is_not_ours_is_refused(start: Start, data_dir: Path) -> None:
    places = store_places(data_dir)
    places.socket.parent.symlink_to(data_dir.parent)
    assert start().wait() != 0
    assert "belongs to somebody else" in words_of(data_dir).read_text()


def test_with_another_store_named_the_process_stands_by_until_told_to_stop(start: Start, data_dir: Path) -> None:
    process = start(STAND_BY)
    until(lambda: "standing by" in words_of(data_dir).read_text())
    process.terminate()
    assert process.wait() == 0


def test_the_socket_path_is_short_however_deep_the_data_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / ("deep" * 30)))
    path = store_places(tmp_path / ("data" * 50)).socket
    assert len(os.fsencode(path)) < 108


def test_every_data_folder_has_a_socket_of_its_own(tmp_path: Path) -> None:
    assert store_places(tmp_path / "a").socket != store_places(tmp_path / "b").socket


def test_a_given_url_wins_over_the_embedded_store(tmp_path: Path) -> None:
    assert store_url(tmp_path, "redis://elsewhere") == "redis://elsewhere"
    assert store_url(tmp_path) == store_places(tmp_path).url


def test_without_any_server_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store.importlib.util, "find_spec", lambda _name: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NoServer, match="REDIS_URL"):
        server_program()


async def test_the_receiver_never_retries_and_every_role_speaks_the_pinned_protocol() -> None:
    receiver, worker = (connect("unix:///nowhere", role) for role in (Role.RECEIVER, Role.WORKER))
    assert receiver.get_retry().get_retries() == 0
    assert worker.get_retry().get_retries() > 0
    for client in (receiver, worker):
        assert client.get_connection_kwargs()["protocol"] == store.PROTOCOL
        await client.aclose()


@pytest.fixture
async def configured(redis: Redis) -> AsyncIterator[Redis]:
    """The session's store, whose configuration is put back afterwards."""
    names = ("maxmemory-policy", "appendonly", "save")
    before = {name: (await redis.config_get(name))[name] for name in names}
    yield redis
    for name, value in before.items():
        await redis.config_set(name, value)


async def test_the_embedded_store_is_safe_without_a_word(configured: Redis) -> None:
    assert await check_store(configured) == ()


async def test_a_store_that_drops_keys_is_refused(configured: Redis) -> None:
    await configured.config_set("maxmemory-policy", "allkeys-lru")
    with pytest.raises(StoreUnsafe, match="noeviction"):
        await check_store(configured, allow_volatile=True)


async def test_a_store_that_keeps_nothing_on_disk_is_refused_unless_allowed(configured: Redis) -> None:
    await configured.config_set("appendonly", "no")
    with pytest.raises(StoreUnsafe, match="RECADO_ALLOW_VOLATILE"):
        await check_store(configured)
    assert len(await check_store(configured, allow_volatile=True)) == 1


async def test_a_store_with_snapshots_only_is_used_with_a_warning(configured: Redis) -> None:
    await configured.config_set("appendonly", "no")
    await configured.config_set("save", "3600 1")
    assert "snapshots" in (await check_store(configured))[0]


async def test_where_config_is_barred_the_store_is_used_with_a_warning(configured: Redis, store_url: str) -> None:
    await configured.config_set("appendonly", "no")
    await configured.execute_command("ACL", "SETUSER", "limited", "on", ">secret", "~*", "+@all", "-config")
    limited = connect(store_url.replace("unix://", "unix://limited:secret@"), Role.WORKER)
    try:
        assert "does not tell" in (await check_store(limited))[0]
    finally:
        await limited.aclose()
        await configured.execute_command("ACL", "DELUSER", "limited")


class OldStore:
    """Answers as a Redis 6 does."""

    async def info(self) -> dict[str, str]:
        return {"redis_version": "6.2.14", "maxmemory_policy": "noeviction"}


async def test_a_store_too_old_for_functions_is_refused() -> None:
    with pytest.raises(StoreUnsafe, match="or newer is needed"):
        await check_store(OldStore())  # type: ignore[arg-type]
