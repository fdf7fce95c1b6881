from __future__ import annotations

import os
import stat
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.voice import BadBundle, BadVoiceFile, VoiceError
from bot.voice_bundle import Bundle, read_bundle, write_bundle
from tts.blobs import blob_id_of
from tts.contract import SourceKind, Voice, VoiceSource
from tts.voices.consent import Consent
from tts.voices.samples import StoredSample

AUDIO = b"fLaC and so on"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
SAMPLE = StoredSample(
    id=blob_id_of(AUDIO),
    kind=SourceKind.SAMPLE,
    language="pt-BR",
    added_at=NOW,
    transcript="oi",
    consent=Consent(speaker="Ana", by="Ana", statement="yes", given_at=NOW, expires_at=NOW),
)
VOICE = Voice(
    id="ana",
    language="pt-BR",
    prompt="voz quente",
    sources=(VoiceSource(kind=SourceKind.SAMPLE, ref=SAMPLE.id, weight=0.7),),
    version=3,
)
BUNDLE = Bundle(voice=VOICE, samples=(SAMPLE,), files={SAMPLE.id: AUDIO})
FLAC = f"samples/{SAMPLE.id}.flac"


@pytest.mark.parametrize("name", ["ana.zip", "ana"])
def test_a_bundle_is_read_as_it_was_written(tmp_path: Path, name: str) -> None:
    write_bundle(BUNDLE, tmp_path / name)

    assert read_bundle(tmp_path / name) == BUNDLE


def test_recordings_are_named_by_their_hashes_alone(tmp_path: Path) -> None:
    write_bundle(BUNDLE, tmp_path / "ana.zip")

    with zipfile.ZipFile(tmp_path / "ana.zip") as archive:
        assert archive.namelist() == ["voice.yaml", "samples.yaml", f"samples/{SAMPLE.id}.flac"]


def test_a_recording_that_was_exchanged_is_noticed(tmp_path: Path) -> None:
    write_bundle(BUNDLE, tmp_path / "ana")
    (tmp_path / "ana" / "samples" / f"{SAMPLE.id}.flac").write_bytes(b"somebody else")

    with pytest.raises(BadBundle, match="not what its name says"):
        read_bundle(tmp_path / "ana")


def test_a_bundle_without_a_recording_of_its_mix_is_refused(tmp_path: Path) -> None:
    write_bundle(replace(BUNDLE, samples=(), files={}), tmp_path / "ana")

    with pytest.raises(BadBundle, match="not in the bundle"):
        read_bundle(tmp_path / "ana")


def test_an_id_that_is_a_path_is_never_opened(tmp_path: Path) -> None:
    write_bundle(BUNDLE, tmp_path / "ana")
    records = tmp_path / "ana" / "samples.yaml"
    records.write_text(records.read_text().replace(SAMPLE.id, "../../secret"))

    with pytest.raises(BadBundle, match="no sample's id"):
        read_bundle(tmp_path / "ana")


def test_a_zip_that_unfolds_without_end_is_not_read_to_its_end(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("voice.yaml", bytes(50_000_000))

    with pytest.raises(BadBundle, match=r"voice\.yaml is larger than 256 KB"):
        read_bundle(tmp_path / "bomb.zip")


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 and nothing more"])
def test_a_file_that_is_no_zip_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "ana.zip").write_bytes(data)

    with pytest.raises(BadBundle, match="no readable zip"):
        read_bundle(tmp_path / "ana.zip")


# -- out --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ana.zip", "ana"])
def test_only_the_owner_may_read_what_is_written_unencrypted(tmp_path: Path, name: str) -> None:
    place = tmp_path / name
    if name.endswith(".zip"):
        place.write_bytes(b"of an earlier time, open to all")
        place.chmod(0o644)
    write_bundle(BUNDLE, place)

    for path in [place, *place.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


def test_a_zip_that_cannot_be_written_leaves_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    write_bundle(BUNDLE, tmp_path / "ana.zip")

    with pytest.raises(TypeError):
        write_bundle(replace(BUNDLE, files={SAMPLE.id: None}), tmp_path / "ana.zip")  # type: ignore[dict-item]

    assert [path.name for path in tmp_path.iterdir()] == ["ana.zip"]
    assert read_bundle(tmp_path / "ana.zip") == BUNDLE


# -- hostile archives -------------------------------------------------------------------------------------------------


def zipped(place: Path, contents: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(place, "w", compression) as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    return place


def contents(place: Path) -> dict[str, bytes]:
    write_bundle(BUNDLE, place)
    with zipfile.ZipFile(place) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize("name", ["voice.yaml", "samples.yaml"])
@pytest.mark.parametrize(
    "document",
    [b"id: 2026-13-45", b"- id: 2026-13-45", b"[" * 20_000, b"\xff\xfe\xfd", b"a: &a [*a]", b"- 5", b"{}: {}"],
)
def test_a_document_that_is_none_is_refused_as_one(tmp_path: Path, name: str, document: bytes) -> None:
    place = zipped(tmp_path / "a.zip", contents(tmp_path / "ana.zip") | {name: document})

    with pytest.raises(BadVoiceFile):
        read_bundle(place)


def test_a_small_file_that_unfolds_to_a_large_document_is_refused_at_once(tmp_path: Path) -> None:
    files = contents(tmp_path / "ana.zip") | {"samples.yaml": b"- a\n" * 1_000_000}

    with pytest.raises(BadBundle, match=r"samples\.yaml is larger than 256 KB"):
        read_bundle(zipped(tmp_path / "a.zip", files, zipfile.ZIP_DEFLATED))


def test_more_samples_than_a_bundle_has_are_refused_with_their_number(tmp_path: Path) -> None:
    files = contents(tmp_path / "ana.zip") | {"samples.yaml": b"- {}\n" * 101}

    with pytest.raises(BadVoiceFile, match="101 of them; a bundle has at most 100"):
        read_bundle(zipped(tmp_path / "a.zip", files))


def test_a_sample_that_is_named_twice_is_refused(tmp_path: Path) -> None:
    files = contents(tmp_path / "ana.zip")

    with pytest.raises(BadBundle, match="names a sample twice"):
        read_bundle(zipped(tmp_path / "a.zip", files | {"samples.yaml": files["samples.yaml"] * 2}))


def test_a_recording_that_is_no_flac_is_refused_by_its_name(tmp_path: Path) -> None:
    name = blob_id_of(b"MZ")
    files = contents(tmp_path / "ana.zip")
    files["samples.yaml"] = files["samples.yaml"].replace(SAMPLE.id.encode(), name.encode())

    with pytest.raises(BadBundle, match=f"samples/{name}.flac is no FLAC file"):
        read_bundle(zipped(tmp_path / "a.zip", files | {f"samples/{name}.flac": b"MZ"}))


def test_deflated_bytes_that_are_damaged_are_refused_with_the_files_name(tmp_path: Path) -> None:
    place = zipped(tmp_path / "a.zip", contents(tmp_path / "ana.zip"), zipfile.ZIP_DEFLATED)
    data = bytearray(place.read_bytes())
    data[45:60] = bytes(15)
    place.write_bytes(data)

    with pytest.raises(BadBundle, match=r"voice\.yaml in a\.zip cannot be unpacked"):
        read_bundle(place)


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_compression_whose_cost_nobody_knows_is_refused_with_the_cure(tmp_path: Path, compression: int) -> None:
    place = zipped(tmp_path / "a.zip", contents(tmp_path / "ana.zip"), compression)

    with pytest.raises(BadBundle, match="pack it anew as an ordinary zip"):
        read_bundle(place)


def test_a_zip_of_very_many_files_is_refused_before_they_are_counted(tmp_path: Path) -> None:
    place = zipped(tmp_path / "a.zip", {f"{number:060}": b"" for number in range(1_000)})

    with pytest.raises(BadBundle, match="more files than a bundle of 100 samples"):
        read_bundle(place)


@pytest.mark.parametrize("name", ["voice.yaml", FLAC])
def test_a_folder_in_the_place_of_a_file_is_refused_by_its_name(tmp_path: Path, name: str) -> None:
    write_bundle(BUNDLE, tmp_path / "ana")
    (tmp_path / "ana" / name).unlink()
    (tmp_path / "ana" / name).mkdir()

    with pytest.raises(BadBundle, match=f"{name} is no file"):
        read_bundle(tmp_path / "ana")


def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "ana").mkdir()
    os.mkfifo(tmp_path / "ana" / "voice.yaml")

    with pytest.raises(BadBundle, match="is no file"):
        read_bundle(tmp_path / "ana")


@given(
    st.lists(st.tuples(st.integers(0, 2_000), st.integers(0, 255)), min_size=1, max_size=8),
    st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]),
    st.integers(0, 2_000),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_damage_to_an_archive_raises_anything_but_a_voice_error(
    tmp_path: Path, changes: list[tuple[int, int]], compression: int, cut: int
) -> None:
    data = bytearray(zipped(tmp_path / "a.zip", contents(tmp_path / "ana.zip"), compression).read_bytes())
    for at, value in changes:
        data[at % len(data)] = value
    (tmp_path / "b.zip").write_bytes(data[: len(data) - cut % 40 if cut % 2 else None])

    try:
        read_bundle(tmp_path / "b.zip")
    except VoiceError:
        return
