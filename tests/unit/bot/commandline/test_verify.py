from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from redis.asyncio import Redis

from bot.commandline import verify as module
from bot.commandline.verify import verify
from bot.provenance import Records, certify_here, installation_keys
from bot.settings import Settings
from tests.unit.tts.test_provenance import file_of, note_of, record, remuxed

Recado = Callable[..., Result]


@pytest.fixture(autouse=True)
def no_watermark(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading its model takes seconds, and no test here is about it."""
    monkeypatch.setattr(module, "watermark_installed", lambda: False)


@pytest.fixture
def file(workplace: Path) -> Path:
    path = workplace / "note.ogg"
    path.write_bytes(file_of())
    return path


def keep(store_url: str, *, turn_id: str = "t1", forged: bool = False) -> None:
    async def put() -> None:
        redis = Redis.from_url(store_url)
        signed = installation_keys(Settings()).sign(replace(record(file_of()), turn_id=turn_id))
        if forged:
            signed = replace(signed, record=replace(signed.record, turn_id="another"))
        await Records(redis, kept_s=60).put(signed)
        await redis.aclose()

    asyncio.run(put())


def test_a_note_we_sent_is_known_with_its_record(recado: Recado, file: Path, store_url: str) -> None:
    keep(store_url, turn_id="turn-7")

    result = recado(verify, str(file))

    assert result.exit_code == 0
    assert "made here" in result.output
    assert "the file itself" in result.output
    assert "valid, key" in result.output
    assert "turn-7" in result.output
    assert "nina, version 3" in result.output


def test_a_note_that_came_back_in_another_container_is_known_by_its_sound(
    recado: Recado, file: Path, store_url: str
) -> None:
    keep(store_url)
    file.write_bytes(remuxed(file_of(), "webm"))

    result = recado(verify, str(file))

    assert result.exit_code == 0
    assert "its sound" in result.output


def test_a_strangers_file_ends_with_one(recado: Recado, file: Path) -> None:
    result = recado(verify, str(file))

    assert result.exit_code == 1
    assert "no record" in result.output


def test_a_record_that_was_changed_is_not_ours(recado: Recado, file: Path, store_url: str) -> None:
    keep(store_url, forged=True)

    result = recado(verify, str(file))

    assert result.exit_code == 1
    assert "NOT valid" in result.output


def test_the_record_can_be_had_as_json(recado: Recado, file: Path, store_url: str) -> None:
    keep(store_url)

    told = json.loads(recado(verify, str(file), "--json").output)

    assert (told["match"], told["valid"]) == ("file", True)
    assert told["record"]["voice_id"] == "nina"


def test_a_note_made_by_a_command_is_known_without_a_store(workplace: Path, file: Path) -> None:
    asyncio.run(certify_here(Settings(), note_of(file_of())))

    result = CliRunner().invoke(verify, [str(file)])

    assert result.exit_code == 0
    assert "only the records of this machine's commands" in result.output


@pytest.mark.parametrize("data", [b"", b"plain words"])
def test_what_is_no_audio_is_called_that(recado: Recado, workplace: Path, data: bytes) -> None:
    (workplace / "words.txt").write_bytes(data)

    result = recado(verify, "words.txt")

    assert result.exit_code == 1
    assert "is not audio" in result.output
