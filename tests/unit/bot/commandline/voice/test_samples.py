from __future__ import annotations

import importlib.util
import io
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import yaml

from bot.commandline.persona import persona
from bot.persona import dump_persona, shipped_personas
from tests.speech import speech, wav
from tests.voice_house import CONSENT, House
from tts.casting import ProfileKey
from tts.contract import PcmAudio, VoiceProfile

NINA = shipped_personas()[0]

# -- samples ------------------------------------------------------------------------------------------------------


def test_a_sample_comes_into_the_mix_with_its_consent(house: House) -> None:
    house.create("--no-design")

    sample = house.added("--expires", "2030-12-31")

    listed = house.run("samples", "list", "ana").output
    assert sample in listed
    assert "given" in listed
    assert "Ana" in listed
    assert f"{sample} 100 %" in house.run("list").output


def test_what_was_measured_is_shown(house: House) -> None:
    house.create("--no-design")

    output = house.add().stderr
    assert "24000 Hz, 1 channels" in output
    assert "s of" in output


def _spoken(seconds: float) -> PcmAudio:
    audio = speech(4, pause_s=0.0, lead_s=0.0)
    return replace(audio, samples=audio.samples[: round(seconds * audio.sample_rate_hz)])


def _bad(kind: str) -> bytes:
    """A file that is no sample, as the requirements list them."""
    good = speech()
    noise = np.random.default_rng(1).normal(0, 0.1, good.samples.size).astype(np.float32)
    match kind:
        case "truncated":
            return wav(good)[:40]
        case "wrong type":
            return b"%PDF-1.7 and so on"
        case "2.9 s":
            return wav(_spoken(2.9))
        case "61 s":
            return wav(PcmAudio(samples=np.tile(good.samples, 9)[: 61 * 24_000], sample_rate_hz=24_000))
        case "16 MB":
            return wav(good) + bytes(16_000_000)
        case "silence":
            return wav(replace(good, samples=good.samples * 0))
        case "noise":
            return wav(replace(good, samples=good.samples * 0.2 + noise))
        case "clipped":
            return wav(replace(good, samples=np.clip(good.samples * 60, -1, 1)))
        case "6 kHz":
            return wav(speech(rate_hz=6_000))
        case _:  # a FLAC of a minute and more, folded into a few bytes
            file = io.BytesIO()
            soundfile.write(file, np.zeros(96_000 * 200, np.int16), 96_000, format="FLAC", subtype="PCM_16")
            return file.getvalue()


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("truncated", "damaged or cut short|no sound"),
        ("wrong type", "use WAV, MP3, FLAC, OGG, M4A, AMR"),
        ("2.9 s", "3.0 s or more"),
        ("61 s", "cut it to the best part"),
        ("16 MB", "at most 15 MB"),
        ("silence", "0.0 s of speech"),
        ("noise", "quieter room|of speech"),
        ("clipped", "record it more quietly"),
        ("6 kHz", "8000 Hz or more"),
        ("explodes", "longer than 60 s"),
    ],
)
def test_a_sample_that_is_refused_is_told_why_and_stored_nowhere(house: House, kind: str, words: str) -> None:
    house.create("--no-design")
    file = house.folder / "bad"
    file.write_bytes(_bad(kind))

    result = house.add(file=str(file))

    assert result.exit_code == 1
    assert any(one in result.output for one in words.split("|")), result.output
    assert "Nothing was stored" in result.output
    assert "No sample yet" in house.run("samples", "list").output
    assert not [path for path in (house.folder / ".recado").rglob("samples/**/*") if path.is_file()]


@pytest.mark.parametrize("option", ["--speaker", "--statement", "--consent-by"])
def test_a_sample_without_a_whole_consent_is_not_taken(house: House, option: str) -> None:
    house.create("--no-design")

    assert house.add(option, " ").exit_code == 1
    assert "No sample yet" in house.run("samples", "list").output


def test_a_consent_that_is_over_is_none(house: House) -> None:
    house.create("--no-design")

    assert "expired" in house.add("--expires", "2020-01-01").output


@pytest.mark.parametrize("option", ["--speaker", "--statement", "--consent-by", "--expires", "--language"])
def test_what_forbids_any_sample_is_told_before_the_recording_is_listened_to(house: House, option: str) -> None:
    house.create("--no-design")
    value = {"--expires": "2020-01-01", "--language": "xx"}.get(option, " ")

    result = house.add(option, value)

    assert result.exit_code == 1
    assert "The sample was not taken" in result.output
    assert "Listening" not in result.output


def test_a_sample_for_no_voice_is_refused_before_the_recording_is_listened_to(house: House) -> None:
    result = house.add()

    assert result.exit_code == 1
    assert "no voice 'ana'" in result.output
    assert "Listening" not in result.output


@pytest.mark.parametrize("package", ["pydub", "pyloudnorm"])
def test_a_missing_package_is_told_with_its_cure_before_the_recording_is_listened_to(
    house: House, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    house.create("--no-design")
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else find_spec(name))

    result = house.add()

    assert result.exit_code == 1
    assert "pip install -e ." in result.output
    assert "Listening" not in result.output


def narrow(house: House) -> str:
    file = house.folder / "narrow.wav"
    file.write_bytes(wav(speech(rate_hz=8_000)))
    return str(file)


def test_telephone_quality_is_taken_only_after_a_yes(house: House) -> None:
    house.create("--no-design")

    assert house.add(file=narrow(house), answer="n\n").exit_code == 1
    assert "No sample yet" in house.run("samples", "list").output
    assert house.add(file=narrow(house), answer="y\n").exit_code == 0
    assert "narrowband" in house.run("samples", "list").output


def test_a_removed_sample_is_erased(house: House) -> None:
    house.create()
    sample = house.added()

    assert "erased" in house.run("samples", "remove", "ana", sample, "--yes").output
    assert sample not in house.run("samples", "list").output


def test_a_sample_that_another_voice_uses_is_kept(house: House) -> None:
    house.create("--no-design")
    sample = house.added()
    house.run("create", "bia", "--language", "pt-BR", "--no-design")
    house.run("mix", "bia", f"{sample}=1")

    assert "used by bia" in house.run("samples", "remove", "ana", sample, "--yes").output
    assert house.run("say", "bia", "Olá", "-o", str(house.folder / "note.ogg")).exit_code == 0


# -- withdrawing --------------------------------------------------------------------------------------------------


def test_a_withdrawn_consent_silences_the_voice_and_forgets_its_profiles(house: House) -> None:
    house.create("--no-design")
    sample = house.added()
    key = ProfileKey(voice_id="ana", voice_version=2, engine="qwen3", model="m", fingerprint="f")
    made = VoiceProfile(voice_id="ana", voice_version=2, engine="qwen3", model="m", data=b"x")
    house.stored(lambda it: it.profiles.put(key, made))

    assert "not spoken any more" in house.run("samples", "withdraw", sample, "--yes").output

    assert house.stored(lambda it: it.profiles.get(key)) is None
    result = house.run("say", "ana", "Olá", "-o", str(house.folder / "note.ogg"))
    assert result.exit_code == 1
    assert "the consent was withdrawn" in result.output
    assert house.engine.batches == []


def test_a_designed_clip_has_no_consent_to_withdraw(house: House) -> None:
    house.create()
    clip = house.run("samples", "list").output.splitlines()[1].split()[0]

    assert "nobody's" in house.run("samples", "withdraw", clip, "--yes").output


# -- known recordings ---------------------------------------------------------------------------------------------


def _two_voices(house: House) -> str:
    house.create("--no-design")
    sample = house.added("--expires", "2030-12-31")
    house.run("create", "bia", "--language", "pt-BR", "--no-design")
    return sample


def _add_to_bia(house: House, *options: str) -> str:
    who = ("--speaker", "Eva", "--consent-by", "Eva", "--statement", "yes", "--transcript", "outra coisa")
    result = house.run("samples", "add", "bia", house.file, *who, *options)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_known_recording_keeps_the_consent_that_other_voices_rest_on_and_says_so(house: House) -> None:
    sample = _two_voices(house)

    output = _add_to_bia(house)

    assert "it is Ana's" in output
    assert "until 2030-12-31" in output
    assert "--replace-consent" in output
    (record,) = house.stored(lambda it: it.samples.list())
    assert (record.consent.speaker, record.transcript) == ("Ana", "o seu pedido já saiu de casa")
    assert f"{sample} 100 %" in house.run("list").output


def test_a_consent_is_replaced_only_when_that_is_asked_for(house: House) -> None:
    _two_voices(house)

    _add_to_bia(house, "--replace-consent")

    (record,) = house.stored(lambda it: it.samples.list())
    assert (record.consent.speaker, record.consent.expires_at, record.transcript) == ("Eva", None, "outra coisa")


def test_a_recording_in_another_language_says_which(house: House) -> None:
    house.create("--no-design")
    house.added("--language", "es")

    (record,) = house.stored(lambda it: it.samples.list())
    assert record.language == "es"


def test_a_recording_in_a_language_nobody_speaks_is_refused_with_the_valid_ones(house: House) -> None:
    house.create("--no-design")

    assert "de, en, es" in house.add("--language", "xx").output


@pytest.mark.parametrize("weight", ["0", "inf", "nan"])
def test_a_weight_that_leaves_no_mix_is_refused_before_anything_is_stored(house: House, weight: str) -> None:
    house.create("--no-design")

    assert house.add("--weight", weight).exit_code != 0
    assert "No sample yet" in house.run("samples", "list").output
    assert "version    1" in house.run("show", "ana").output


def test_who_consented_is_one_line_whatever_was_typed(house: House) -> None:
    house.create("--no-design")
    house.added("--speaker", "Ana\nMaria\x1b[31m", "--statement", "yes\r\nindeed")

    (record,) = house.stored(lambda it: it.samples.list())
    assert (record.consent.speaker, record.consent.statement) == ("Ana Maria [31m", "yes indeed")


# -- what cannot be undone ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["withdraw", "erase"])
def test_what_cannot_be_undone_is_done_after_a_yes_only(house: House, command: str) -> None:
    house.create("--no-design")
    sample = house.added()

    assert house.run("samples", command, sample, answer="n\n").exit_code == 1
    (record,) = house.stored(lambda it: it.samples.list())
    assert (record.consent.withdrawn_at, record.erased_at) == (None, None)


def test_a_recording_is_removed_for_good_after_a_yes_only(house: House) -> None:
    house.create("--no-design")
    sample = house.added()

    asked = house.run("samples", "remove", "ana", sample, answer="n\n")

    assert "Nobody but ana uses" in asked.output
    assert f"{sample} 100 %" in house.run("list").output
    assert "erased" in house.run("samples", "remove", "ana", sample, answer="y\n").output


def test_a_withdrawal_says_whom_it_silences_before_it_is_asked_for(house: House) -> None:
    house.create("--no-design")
    sample = house.added()

    assert f"{sample} is Ana's, used by ana" in house.run("samples", "withdraw", sample, answer="n\n").output


def _withdrawn_and_erased(house: House) -> str:
    house.create("--no-design")
    sample = house.added()
    assert "samples erase" in house.run("samples", "withdraw", sample, "--yes").output
    assert "stays as proof" in house.run("samples", "erase", sample, "--yes").output
    return sample


def test_the_record_of_a_withdrawn_consent_outlives_the_recording(house: House) -> None:
    _withdrawn_and_erased(house)

    (record,) = house.stored(lambda it: it.samples.list())
    assert record.consent.withdrawn_at is not None
    assert (record.transcript, record.report) == ("", None)
    assert not [path for path in (house.folder / ".recado").rglob("samples/**/*") if path.is_file()]
    listed = house.run("samples", "list").output
    assert "withdrawn" in listed
    assert "erased" in listed
    assert "not here" in house.run("show", "ana").output


@pytest.mark.parametrize("options", [(), ("--replace-consent",)])
def test_a_recording_whose_consent_was_withdrawn_is_not_taken_again(house: House, options: tuple[str, ...]) -> None:
    _withdrawn_and_erased(house)

    result = house.add(*options)

    assert result.exit_code == 1
    assert "the consent to it was withdrawn" in result.output
    assert not [path for path in (house.folder / ".recado").rglob("samples/**/*") if path.is_file()]


def test_a_removed_recording_whose_consent_was_withdrawn_leaves_its_record(house: House) -> None:
    house.create("--no-design")
    sample = house.added()
    house.run("samples", "withdraw", sample, "--yes")

    house.run("samples", "remove", "ana", sample, "--yes")

    assert "withdrawn" in house.run("samples", "list").output
    assert "withdrawn" in house.add().output


def test_a_clip_that_nobody_uses_any_more_can_be_erased(house: House) -> None:
    house.create()
    clip = house.run("samples", "list").output.splitlines()[1].split()[0]
    house.engine.designs_as = [speech(3)]
    house.run("design", "ana")

    assert f"{clip}: erased" in house.run("samples", "erase", clip, "--yes").output
    assert clip not in house.run("samples", "list").output


def test_a_recording_that_somebody_uses_is_not_erased_under_them(house: House) -> None:
    house.create("--no-design")
    sample = house.added()

    result = house.run("samples", "erase", sample, "--yes")

    assert result.exit_code == 1
    assert "is used by ana" in result.output


# -- personas with a voice of their own ---------------------------------------------------------------------------


def _persona_with(house: House, sample: str) -> None:
    (record,) = house.stored(lambda it: it.samples.list())
    document = yaml.safe_load(dump_persona(NINA))
    document["voice"]["sources"] = [{"kind": "sample", "ref": record.id}]
    file = house.folder / "nina.yaml"
    file.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    result = house.recado(persona, "import", str(file))
    assert result.exit_code == 0, result.output


def test_a_recording_in_a_personas_own_voice_is_used_by_the_persona(house: House) -> None:
    house.create("--no-design")
    sample = house.added()
    _persona_with(house, sample)

    assert "ana, persona nina" in house.run("samples", "list").output
    assert "0 recordings erased" in house.run("delete", "ana", "--yes").output
    assert sample in house.run("samples", "list").output


def test_a_withdrawal_names_the_persona_and_forgets_what_was_made_of_its_voice(house: House) -> None:
    house.create("--no-design")
    sample = house.added()
    _persona_with(house, sample)
    key = ProfileKey(voice_id="nina", voice_version=1, engine="qwen3", model="m", fingerprint="f")
    made = VoiceProfile(voice_id="nina", voice_version=1, engine="qwen3", model="m", data=b"x")
    house.stored(lambda it: it.profiles.put(key, made))

    assert "persona nina: " in house.run("samples", "withdraw", sample, "--yes").output
    assert house.stored(lambda it: it.profiles.get(key)) is None


@pytest.mark.speech
def test_a_sample_without_words_is_written_down(house: House) -> None:
    house.create("--no-design")

    result = house.run("samples", "add", "ana", house.file, *CONSENT)

    assert result.exit_code == 0, result.output
    (sample,) = house.stored(lambda it: it.samples.list())
    assert "pedido" in sample.transcript
