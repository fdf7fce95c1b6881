"""Who counts as dead, how soon, and what becomes of the leases."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as StoreAway

from bot.dead_workers import SILENT_S, DeadWorkers, LifeLock, ended_here, host_of, worker_name
from bot.heartbeat import Heartbeats
from bot.mailbox import StoreUnavailable
from tests.conftest import Box

LONG_MS = 3600_000
HOLDS = """
import sys
from pathlib import Path
from bot.dead_workers import LifeLock
with LifeLock(Path(sys.argv[1]), sys.argv[2]):
    print("held", flush=True)
    sys.stdin.read()
"""


class Yard:
    """One worker, `here-1-own`, that looks after the others, by a clock of its own."""

    def __init__(self, box: Box, folder: Path) -> None:
        self.box, self.folder = box, folder
        self.now_s = 0.0
        self.hearts = Heartbeats(box.redis)
        self.dead = DeadWorkers(box.mailbox, self.hearts, folder, own="here-1-own", clock=lambda: self.now_s)

    async def turn_of(self, worker: str) -> None:
        await self.box.put("hello")
        await self.box.claimed(consumer=worker)

    async def free(self) -> bool:
        """Whether somebody could take the turn over now."""
        return bool(await self.box.mailbox.recover("here-1-own", min_idle_ms=LONG_MS, count=1))

    async def silence(self, seconds: float) -> None:
        await self.dead.release()
        self.now_s += seconds
        await self.dead.release()


@pytest.fixture
async def yard(box: Box, tmp_path: Path) -> Yard:
    return Yard(box, tmp_path)


def left_behind(folder: Path, name: str) -> None:
    """The lock of a process that was killed."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(folder), name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path.cwd()
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert name not in ended_here(folder, host=host_of(name))
        holder.send_signal(signal.SIGKILL)


def test_no_two_starts_share_a_name() -> None:
    first, second = worker_name("my-host"), worker_name("my-host")
    assert first != second
    assert host_of(first) == "my-host"


def test_who_leaves_in_order_leaves_nothing_behind(tmp_path: Path) -> None:
    with LifeLock(tmp_path, "here-2-a"):
        assert [path.name for path in tmp_path.iterdir()] == ["here-2-a"]
        assert ended_here(tmp_path, host="here") == frozenset()
    assert list(tmp_path.iterdir()) == []


async def test_the_leases_of_a_process_killed_on_this_machine_are_free_at_once(yard: Yard) -> None:
    await yard.hearts.beat("here-2-a", {})
    await yard.turn_of("here-2-a")
    left_behind(yard.folder, "here-2-a")
    await yard.dead.release()
    assert await yard.free()


async def test_a_process_that_lives_keeps_its_leases_however_long_it_is_silent(yard: Yard) -> None:
    await yard.turn_of("here-2-a")
    with LifeLock(yard.folder, "here-2-a"):
        await yard.silence(100 * SILENT_S)
        assert not await yard.free()


async def test_what_comes_late_to_a_dead_worker_is_freed_as_well_and_then_it_is_forgotten(yard: Yard) -> None:
    await yard.hearts.beat("here-2-a", {})
    left_behind(yard.folder, "here-2-a")
    await yard.dead.release()
    await yard.turn_of("here-2-a")  # by a read that it had under way
    await yard.dead.release()
    assert await yard.free()
    assert (yard.folder / "here-2-a").exists()
    await yard.hearts.leave("here-2-a")  # as its word runs out
    await yard.dead.release()
    assert not (yard.folder / "here-2-a").exists()


@pytest.mark.parametrize("name", ["there-2-a", "here-too-2-a"])
async def test_a_worker_elsewhere_is_dead_once_it_was_silent_for_a_while(yard: Yard, name: str) -> None:
    await yard.turn_of(name)
    await yard.silence(SILENT_S - 0.1)
    assert not await yard.free()
    await yard.silence(0.2)
    assert await yard.free()


async def test_a_lock_of_another_machine_in_a_shared_folder_tells_nothing(yard: Yard) -> None:
    await yard.hearts.beat("there-2-a", {})
    await yard.turn_of("there-2-a")
    (yard.folder / "there-2-a").touch()
    await yard.silence(100 * SILENT_S)
    assert not await yard.free()


async def test_a_worker_elsewhere_whose_heart_beats_keeps_its_leases(yard: Yard) -> None:
    await yard.turn_of("there-2-a")
    await yard.silence(SILENT_S - 0.1)
    await yard.hearts.beat("there-2-a", {})
    await yard.silence(SILENT_S)
    assert not await yard.free()


async def test_a_store_that_was_away_lets_nobody_seem_dead(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(_names: object) -> frozenset[str]:
        raise StoreAway("cut")

    await yard.turn_of("there-2-a")
    await yard.dead.release()
    with monkeypatch.context() as outage:
        outage.setattr(yard.hearts, "heard", away)
        yard.now_s += 10 * SILENT_S
        with pytest.raises(StoreUnavailable):
            await yard.dead.release()
    await yard.dead.release()
    assert not await yard.free()


async def test_it_never_frees_its_own(yard: Yard) -> None:
    await yard.turn_of("here-1-own")
    await yard.silence(100 * SILENT_S)
    assert not await yard.free()


async def test_nobody_dead_is_nothing_to_do(redis: Redis, yard: Yard) -> None:
    await yard.dead.release()
    assert await redis.keys("{recado}*") == []
