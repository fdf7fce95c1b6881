"""Knows which workers are dead, and frees what they held, so that nobody waits for a lease to run out.

Two things tell of a death. A worker holds a lock for as long as its process lives, and the kernel alone takes it
away: on the same machine that is certain, and known at once. Of a worker elsewhere only the heartbeat tells; it counts
as dead once it was silent for a while in which the store answered, and should it live after all, its calls are fenced.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Self

import structlog
from redis.exceptions import RedisError

from bot.heartbeat import Heartbeats
from bot.mailbox import Mailbox, MailboxError
from bot.mailbox.functions import translated

log = structlog.get_logger()

SILENT_S = 5.0
"""How long a heartbeat must be missing, beyond the time that it is good for."""


class LifeLock:
    """Held while this process lives: `folder/name`, locked. Use `with`; what is left behind tells of a death."""

    def __init__(self, folder: Path, name: str) -> None:
        self._path = folder / name
        self._file = -1

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        unborn = self._path.with_name(f".{self._path.name}")  # under its name it is never seen unlocked
        self._file = os.open(unborn, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        unborn.rename(self._path)
        return self

    def __exit__(self, *_error: object) -> None:
        self._path.unlink(missing_ok=True)
        os.close(self._file)


def ended_here(folder: Path, *, host: str) -> frozenset[str]:
    """The workers of this host that left their lock behind: their processes ended."""
    paths = folder.iterdir() if folder.is_dir() else ()
    return frozenset(path.name for path in paths if host_of(path.name) == host and not _is_held(path))


def worker_name(host: str) -> str:
    """A name no process start had before: tokens, leases and heartbeats go by it."""
    return f"{host}-{os.getpid()}-{secrets.token_hex(3)}"


def host_of(name: str) -> str:
    """The host in a worker's name."""
    return name.rsplit("-", 2)[0]


def _is_held(path: Path) -> bool:
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:  # it is gone: its worker left in order, or others were quicker
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(file)
    return False


class DeadWorkers:
    """What one worker does about the others. `own` is its name, `folder` where the locks of this machine lie."""

    def __init__(
        self,
        mailbox: Mailbox,
        hearts: Heartbeats,
        folder: Path,
        *,
        own: str,
        clock: Callable[[], float],
    ) -> None:
        self._mailbox = mailbox
        self._hearts = hearts
        self._folder = folder
        self._own = own
        self._clock = clock
        self._host = host_of(own)
        self._silent_since_s: dict[str, float] = {}

    async def release(self) -> None:
        """Free the leases of all who died. Raises MailboxError; then nobody counts as silent."""
        try:
            ended = ended_here(self._folder, host=self._host)
            holders = frozenset(await self._mailbox.holders()) - {self._own}
            silent = await self._silent(holders - ended)
            unheard = ended - await self._hearts.heard(ended)
        except MailboxError:
            self._silent_since_s.clear()
            raise
        except RedisError as error:
            self._silent_since_s.clear()
            raise translated(error) from error
        for name in sorted(holders & (ended | silent)):
            if count := await self._mailbox.release(name):
                log.warning("a worker is dead, its leases are free", worker=name, leases=count)
        # Only now can nothing come to it any more: a read that it had under way has ended long ago.
        for name in unheard - holders:
            with contextlib.suppress(OSError):
                (self._folder / name).unlink(missing_ok=True)

    async def _silent(self, holders: frozenset[str]) -> frozenset[str]:
        """Those of whom nothing was heard for so long, as far as this worker could hear."""
        locked = {name for name in holders if host_of(name) == self._host and (self._folder / name).exists()}
        unheard = holders - locked - await self._hearts.heard(holders)
        now_s = self._clock()
        self._silent_since_s = {name: self._silent_since_s.get(name, now_s) for name in unheard}
        return frozenset(name for name, since_s in self._silent_since_s.items() if now_s - since_s >= SILENT_S)
