from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from redis.asyncio import Redis

from bot.doctor.finding import Finding, Level
from bot.doctor.stores import program, samples_at_rest, several_hosts, store
from bot.sample_store import Samples
from bot.store import NoServer
from tts.blobs import FolderBlobStore
from tts.contract import SourceKind
from tts.sealing import FernetCipher
from tts.voices.samples import StoredSample


def found(path: Path) -> Callable[[], Path]:
    return lambda: path


def nothing_found() -> Path:
    raise NoServer("There is no Valkey for this machine. Install one.")


def test_the_packaged_valkey_runs_and_tells_its_version() -> None:
    finding = program()
    assert finding.level is Level.OK
    assert finding.message[0].isdigit()


def test_a_missing_program_fails_and_says_what_to_install() -> None:
    finding = program(nothing_found)
    assert finding.level is Level.FAIL
    assert finding.cure == "Install one."


def test_a_program_that_may_not_be_executed_fails_with_the_command_that_allows_it(tmp_path: Path) -> None:
    path = tmp_path / "valkey-server"
    path.write_text("")
    path.chmod(0o600)
    assert "chmod +x" in program(found(path)).cure


@pytest.mark.parametrize("content", ["#!/bin/sh\nexit 1\n", "not a program"])
def test_a_program_that_does_not_run_here_fails(tmp_path: Path, content: str) -> None:
    path = tmp_path / "valkey-server"
    path.write_text(content)
    path.chmod(0o700)
    assert program(found(path)).level is Level.FAIL


async def look(url: str, *, folder: Path = Path("nowhere"), allow_volatile: bool = False) -> list[Finding]:
    return await store(folder, url, allow_volatile=allow_volatile)


async def test_a_store_that_keeps_what_it_acknowledges_is_fine(store_url: str) -> None:
    (finding,) = await look(store_url)
    assert finding.level is Level.OK
    assert "Valkey" in finding.message


async def test_a_store_that_drops_keys_fails(redis: Redis, store_url: str) -> None:
    await redis.config_set("maxmemory-policy", "allkeys-lru")
    try:
        (finding,) = await look(store_url)
    finally:
        await redis.config_set("maxmemory-policy", "noeviction")
    assert finding.level is Level.FAIL
    assert "noeviction" in finding.message


async def test_a_store_that_keeps_nothing_fails_unless_that_is_allowed(redis: Redis, store_url: str) -> None:
    await redis.config_set("appendonly", "no")
    try:
        refused = await look(store_url)
        allowed = await look(store_url, allow_volatile=True)
    finally:
        await redis.config_set("appendonly", "yes")
    assert [finding.level for finding in refused] == [Level.FAIL]
    assert [finding.level for finding in allowed] == [Level.OK, Level.WARN]


async def test_a_store_that_is_nearly_full_warns(redis: Redis, store_url: str) -> None:
    used = int((await redis.info())["used_memory"])
    await redis.config_set("maxmemory", str(int(used * 1.1)))
    try:
        (finding,) = await look(store_url)
    finally:
        await redis.config_set("maxmemory", "0")
    assert finding.level is Level.WARN


async def test_an_embedded_store_that_does_not_run_yet_is_only_noted(tmp_path: Path) -> None:
    (finding,) = await look("", folder=tmp_path)
    assert finding.level is Level.SKIP
    assert "recado up" in finding.cure


async def test_a_store_by_url_that_does_not_answer_fails_without_its_password(tmp_path: Path) -> None:
    (finding,) = await look("redis://user:hush@127.0.0.1:1/0", folder=tmp_path)
    assert finding.level is Level.FAIL
    assert "hush" not in str(finding)


async def test_a_url_that_is_none_fails() -> None:
    (finding,) = await look("localhost:6379")
    assert finding.level is Level.FAIL
    assert "REDIS_URL" in finding.message


async def test_a_wrong_password_is_told_from_a_store_that_is_down(redis: Redis, store_url: str) -> None:
    await redis.acl_setuser("guest", enabled=True, passwords=["+right"], commands=["+info"])
    try:
        (finding,) = await look(store_url.replace("unix://", "unix://guest:wrong@"))
    finally:
        await redis.acl_deluser("guest")
    assert finding.level is Level.FAIL
    assert "password" in finding.message


@pytest.mark.parametrize("url", ["redis://localhost:6379", "redis://127.0.0.1", "unix:///run/valkey.sock"])
def test_a_store_on_this_machine_needs_no_shared_folder(url: str) -> None:
    assert several_hosts(url, Path("data")) == []


def test_a_store_on_another_host_is_noted_without_its_password() -> None:
    (finding,) = several_hosts("rediss://user:hush@redis.example.org:6380/0", Path("data"))
    assert finding.level is Level.SKIP
    assert "RECADO_DATA_DIR" in finding.cure
    assert "hush" not in str(finding)


# -- samples ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sealed", [False, True])
async def test_samples_that_lie_unencrypted_though_there_is_a_key_are_counted_with_the_cure(
    redis: Redis, store_url: str, tmp_path: Path, *, sealed: bool
) -> None:
    cipher = FernetCipher([Fernet.generate_key().decode()]) if sealed else None
    samples = Samples(redis, FolderBlobStore(tmp_path / "samples", cipher=cipher), cipher=cipher)
    name = await samples.keep_audio(b"fLaC a voice")
    await samples.put(
        StoredSample(id=name, kind=SourceKind.DESIGNED, language="pt-BR", added_at=datetime(2026, 3, 1, tzinfo=UTC))
    )

    finding = await samples_at_rest(tmp_path, store_url, in_folder=True)

    assert finding.level is (Level.OK if sealed else Level.WARN)
    assert sealed or "records 1, recordings 1" in finding.message
    assert sealed or "samples reseal" in finding.cure


async def test_samples_are_not_looked_for_where_the_store_does_not_run(tmp_path: Path) -> None:
    assert (await samples_at_rest(tmp_path, "", in_folder=True)).level is Level.SKIP
