from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from bot.commandline.persona import persona
from bot.persona import dump_persona, shipped_personas
from tests.voice_house import House
from tts.audio.decode import decode

NINA = shipped_personas()[0]

# -- carried elsewhere --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ana.zip", "ana"])
def test_an_exported_voice_is_imported_with_its_recordings_and_consents(house: House, name: str) -> None:
    house.create()
    sample = house.added()
    place = str(house.folder / name)
    assert house.run("export", "ana", "-o", place).exit_code == 0
    assert house.run("delete", "ana", "--yes").stdout == "ana deleted, 2 recordings erased\n"
    assert "No sample yet" in house.run("samples", "list").output

    assert "ana: version 4, 2 recordings" in house.run("import", place, "--trust-designed").output

    assert sample in house.run("samples", "list", "ana").output
    assert house.run("say", "ana", "Olá", "-o", str(house.folder / "note.wav")).exit_code == 0
    assert decode((house.folder / "note.wav").read_bytes()).audio.duration_s > 0.3


def test_an_import_does_not_bring_a_withdrawn_consent_back(house: House) -> None:
    house.create("--no-design")
    sample = house.added()
    place = str(house.folder / "ana.zip")
    house.run("export", "ana", "-o", place)
    house.run("samples", "withdraw", sample, "--yes")

    house.run("import", place, "--overwrite")

    assert "withdrawn" in house.run("samples", "list").output


def test_a_folder_that_holds_no_voice_is_refused(house: House) -> None:
    assert "holds no voice.yaml" in house.run("import", str(house.folder)).output


def _exported(house: House, name: str = "ana.zip") -> str:
    house.create("--no-design")
    house.added()
    place = str(house.folder / name)
    assert house.run("export", "ana", "-o", place).exit_code == 0
    return place


def test_an_import_brings_no_erased_recording_back_after_a_withdrawal(house: House) -> None:
    place = _exported(house)
    sample = house.run("samples", "list").output.splitlines()[1].split()[0]
    house.run("samples", "withdraw", sample, "--yes")
    house.run("samples", "remove", "ana", sample, "--yes")

    result = house.run("import", place, "--overwrite")

    assert result.exit_code == 0, result.output
    assert "the consent was withdrawn" in result.output
    assert not [path for path in (house.folder / ".recado").rglob("samples/**/*") if path.is_file()]


def test_an_import_replaces_a_voice_only_when_told_to_and_names_who_speaks_with_it(house: House) -> None:
    place = _exported(house)
    house.run("set", "ana", "--speed", "1.2")
    file = house.folder / "nina.yaml"
    file.write_text(dump_persona(replace(NINA, voice_id="ana")), encoding="utf-8")
    house.recado(persona, "import", str(file))

    refused = house.run("import", place)
    assert refused.exit_code == 1
    assert "the personas nina speak with it" in refused.output
    assert "speed      1.2" in house.run("show", "ana").output

    assert "ana: version 4" in house.run("import", place, "--overwrite").output
    assert "speed      1\n" in house.run("show", "ana").output


def test_an_import_over_a_voice_erases_the_recordings_nobody_uses_then(house: House) -> None:
    house.create("--no-design")
    place = str(house.folder / "bare.zip")
    house.run("export", "ana", "-o", place)
    sample = house.added()

    house.run("import", place, "--overwrite")

    assert sample not in house.run("samples", "list").output


def test_a_clip_without_consent_is_imported_only_on_trust(house: House) -> None:
    house.create()
    place = str(house.folder / "ana.zip")
    house.run("export", "ana", "-o", place)
    house.run("delete", "ana", "--yes")

    refused = house.run("import", place)

    assert refused.exit_code == 1
    assert "--trust-designed" in refused.output
    assert "No sample yet" in house.run("samples", "list").output
    assert house.run("import", place, "--trust-designed").exit_code == 0


@pytest.mark.parametrize("name", ["ana.zip", "ana"])
def test_an_export_replaces_nothing_unasked(house: House, name: str) -> None:
    place = _exported(house, name)
    before = {path: path.read_bytes() for path in Path(place).rglob("*") if path.is_file()} or Path(place).read_bytes()

    assert "--overwrite" in house.run("export", "ana", "-o", place).output
    after = {path: path.read_bytes() for path in Path(place).rglob("*") if path.is_file()} or Path(place).read_bytes()
    assert after == before
    assert house.run("export", "ana", "-o", place, "--overwrite").exit_code == 0


def test_a_folder_that_is_exported_to_again_keeps_no_recording_of_before(house: House) -> None:
    place = _exported(house, "ana")
    sample = house.run("samples", "list").output.splitlines()[1].split()[0]
    house.run("samples", "remove", "ana", sample, "--yes")

    house.run("export", "ana", "-o", place, "--overwrite")

    assert not list(Path(place).rglob("*.flac"))


@pytest.mark.parametrize("options", [(), ("--overwrite",)])
def test_a_folder_of_other_files_is_never_exported_to(house: House, options: tuple[str, ...]) -> None:
    house.create("--no-design")

    result = house.run("export", "ana", "-o", str(house.folder), *options)

    assert result.exit_code == 1
    assert "other files" in result.output


def test_an_export_says_where_it_cannot_go(house: House) -> None:
    house.create("--no-design")

    assert "is no folder" in house.run("export", "ana", "-o", "/nonexistent/ana.zip").output


def test_an_export_warns_of_what_nobody_may_use(house: House) -> None:
    house.create("--no-design")
    sample = house.added()
    house.run("samples", "withdraw", sample, "--yes")

    output = house.run("export", "ana", "-o", str(house.folder / "ana.zip")).output

    assert f"{sample}: the consent was withdrawn" in output
    assert "unencrypted" in output


def test_a_voice_whose_recordings_no_key_opens_says_which_setting_is_wrong(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAMPLES_KEY", Fernet.generate_key().decode())
    house.create("--no-design")
    house.added()
    monkeypatch.setenv("SAMPLES_KEY", Fernet.generate_key().decode())

    for command in (["say", "ana", "Olá", "-o", str(house.folder / "note.ogg")], ["export", "ana"]):
        result = house.run(*command)
        assert result.exit_code == 1
        assert "SAMPLES_KEY" in result.output
