from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from bot.installation import Installation
from tests.voice_house import House
from tts.casting import ProfileKey
from tts.contract import VoiceProfile

OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))
PROFILE = ProfileKey(voice_id="ana", voice_version=1, engine="qwen3", model="base", fingerprint="f")


async def records(installation: Installation) -> bytes:
    return b"".join((await installation.redis.hgetall("{recado}:samples")).values())


def recordings(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.rglob("*") if len(path.name) == 64]


def test_what_lay_in_the_clear_lies_under_the_key_and_is_spoken_with(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.create("--no-design")
    name = house.added()
    (plain,) = recordings(house.folder)
    assert plain.startswith(b"fLaC")
    monkeypatch.setenv("SAMPLES_KEY", NEW)

    result = house.run("samples", "reseal")

    assert result.exit_code == 0, result.output
    assert "Under the first key of SAMPLES_KEY now: records 1, recordings 1." in result.stdout
    (sealed,) = recordings(house.folder)
    assert b"fLaC" not in sealed
    assert b"Ana" not in house.stored(records)  # type: ignore[operator]
    assert name in house.run("samples", "list").stdout
    assert house.run("say", "ana", "Olá", "-o", str(house.folder / "note.ogg")).exit_code == 0


def test_after_a_rotation_the_old_key_is_not_needed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMPLES_KEY", OLD)
    house.create("--no-design")
    name = house.added()
    monkeypatch.setenv("SAMPLES_KEY", f"{NEW},{OLD}")
    assert house.run("samples", "reseal").exit_code == 0
    monkeypatch.setenv("SAMPLES_KEY", NEW)

    assert name in house.run("samples", "list").stdout
    assert house.run("say", "ana", "Olá", "-o", str(house.folder / "note.ogg")).exit_code == 0


def test_profiles_that_were_stored_in_the_clear_go(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def keep(installation: Installation) -> None:
        made = VoiceProfile(voice_id="ana", voice_version=1, engine="qwen3", model="base", data=b"embedding")
        await installation.profiles.put(PROFILE, made)

    async def kept(installation: Installation) -> object:
        return [name async for name in installation.redis.scan_iter(match="*profiles*")]

    house.stored(keep)
    assert house.stored(kept) == [b"{recado}:profiles:ana"]
    monkeypatch.setenv("SAMPLES_KEY", NEW)
    house.run("samples", "reseal")

    assert house.stored(kept) == []


def test_without_a_key_it_says_how_to_make_one(house: House) -> None:
    result = house.run("samples", "reseal")

    assert result.exit_code == 1
    assert "SAMPLES_KEY is not set" in result.output
    assert "generate_key" in result.output


def test_what_no_key_opens_is_counted_and_ends_with_a_failure(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMPLES_KEY", OLD)
    house.create("--no-design")
    house.added()
    monkeypatch.setenv("SAMPLES_KEY", NEW)

    result = house.run("samples", "reseal")

    assert result.exit_code == 1
    assert "1 more were stored under a key that SAMPLES_KEY does not list" in result.output


def test_saying_something_with_a_locked_sample_names_the_setting(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMPLES_KEY", OLD)
    house.create("--no-design")
    house.added()
    monkeypatch.setenv("SAMPLES_KEY", NEW)

    result = house.run("say", "ana", "Olá", "-o", str(house.folder / "note.ogg"))

    assert result.exit_code == 1
    assert "SAMPLES_KEY has to list the key" in result.output
    assert not (house.folder / "note.ogg").exists()
