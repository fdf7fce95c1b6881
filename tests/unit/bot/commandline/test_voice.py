from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from bot.commandline.persona import persona
from bot.commandline.say import say
from bot.commandline.voice import voice
from bot.installation import Installation, opened_installation
from bot.persona import dump_persona, shipped_personas
from bot.settings import Settings
from tests.speech import speech, wav
from tts.audio.decode import decode
from tts.casting import ProfileKey
from tts.contract import PcmAudio, SourceKind, VoiceProfile
from tts.engines import ENGINES, EngineEntry
from tts.engines.fake import FakeCastingEngine
from tts.settings import EngineName

Recado = Callable[..., Result]
NINA = shipped_personas()[0]
CONSENT = ("--speaker", "Ana", "--consent-by", "Ana", "--statement", "My voice may speak for the shop.")


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """A store, a large fake engine in the place of qwen3, and a recording of Ana."""

    recado: Recado
    engine: FakeCastingEngine
    folder: Path
    file: str

    def run(self, *arguments: str, answer: str | None = None) -> Result:
        result: Result = self.recado(voice, *arguments, answer=answer)
        return result

    def create(self, *options: str) -> Result:
        return self.run("create", "ana", "--language", "pt-BR", "--prompt", "voz quente", *options)

    def add(self, *options: str, file: str = "", answer: str | None = None) -> Result:
        words = ("--transcript", "o seu pedido já saiu de casa")
        return self.run("samples", "add", "ana", file or self.file, *CONSENT, *words, *options, answer=answer)

    def added(self, *options: str) -> str:
        """The beginning of the id of the sample that was added."""
        result = self.add(*options)
        assert result.exit_code == 0, result.output
        return result.stdout.partition(":")[0]

    def stored(self, work: Callable[[Installation], Awaitable[object]]) -> object:
        """What `work` finds in the installation."""

        async def look() -> object:
            async with opened_installation(Settings()) as installation:
                return await work(installation)

        return asyncio.run(look())


@pytest.fixture
def house(recado: Recado, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    engine = FakeCastingEngine(name="qwen3")
    monkeypatch.setitem(ENGINES, EngineName.QWEN3, EngineEntry(make=lambda _settings: engine, device="fake"))
    monkeypatch.setenv("TTS_ENGINES", "qwen3")
    file = tmp_path / "ana.wav"
    file.write_bytes(wav(speech()))
    return House(recado=recado, engine=engine, folder=tmp_path, file=str(file))


# -- prompts ------------------------------------------------------------------------------------------------------


def test_a_voice_of_a_prompt_is_designed_once_and_kept_as_a_clip(house: House) -> None:
    result = house.create("--seed", "5")

    assert "ana: created, version 1" in result.stdout
    assert "designed, version 2" in result.stdout
    assert house.engine.designed == [("voz quente", "pt-BR", 5)]
    assert "designed" in house.run("show", "ana").output


def test_a_designed_voice_is_cloned_from_its_clip_and_not_designed_again(house: House) -> None:
    house.create()

    result = house.run("say", "ana", "Olá, tudo bem?", "-o", str(house.folder / "note.ogg"))

    assert result.exit_code == 0, result.output
    ((_, sources),) = house.engine.casts
    assert [one.source.kind for one in sources] == [SourceKind.DESIGNED]
    assert sources[0].transcript is not None
    assert sources[0].transcript.startswith("Oi, tudo bem?")
    assert len(house.engine.designed) == 1


def test_a_second_note_finds_the_profile_that_the_first_one_kept(house: House) -> None:
    house.create()
    outputs = [house.run("say", "ana", "Olá, tudo bem?", "-o", str(house.folder / "note.ogg")).output for _ in range(2)]

    assert ["profile made" in outputs[0], "profile store" in outputs[1]] == [True, True]
    assert len(house.engine.casts) == 1


def test_a_voice_without_a_prompt_gets_the_usual_one(house: House) -> None:
    house.run("create", "ana", "--language", "en")

    assert house.engine.designed[0][0]


def test_where_nothing_designs_the_voice_stays_its_prompt_and_says_what_to_do(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TTS_ENGINES", "espeak")

    result = house.create()

    assert result.exit_code == 0
    assert "QWEN3_DESIGN_MODEL" in result.output
    assert "recado voice design ana" in result.output


def test_a_clip_the_gate_refuses_is_not_kept(house: House) -> None:
    silent = PcmAudio(samples=np.zeros(240_000, np.float32), sample_rate_hz=24_000)
    house.engine.designs_as = [silent] * 5

    result = house.create()

    assert "silent" in result.output
    assert "designed  " not in house.run("show", "ana").output


def test_designing_anew_replaces_the_clip_and_keeps_its_weight(house: House) -> None:
    house.create()
    house.run("mix", "ana", "designed=0.4")
    house.engine.designs_as = [speech(3)]

    assert "version 4" in house.run("design", "ana").stdout
    (one,) = house.stored(lambda it: it.voices.list())
    assert [source.weight for source in one.sources] == [0.4]


def test_a_voice_that_is_there_is_not_made_again(house: House) -> None:
    house.create("--no-design")

    assert "already" in house.create().output


@pytest.mark.parametrize(("option", "value"), [("--language", "Portuguese"), ("--stand-in", "low=x")])
def test_a_bad_option_is_refused(house: House, option: str, value: str) -> None:
    assert house.create(option, value).exit_code != 0
    assert "No voice is stored yet" in house.run("list").output


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


def test_a_sample_that_is_refused_is_stored_nowhere(house: House) -> None:
    house.create("--no-design")
    short = house.folder / "short.wav"
    short.write_bytes(wav(replace(speech(), samples=speech().samples[:36_000])))

    result = house.add(file=str(short))

    assert result.exit_code == 1
    assert "3.0 s or more" in result.output
    assert "No sample yet" in house.run("samples", "list").output
    assert not list((house.folder / ".recado").rglob("samples/*"))


@pytest.mark.parametrize("option", ["--speaker", "--statement", "--consent-by"])
def test_a_sample_without_a_whole_consent_is_not_taken(house: House, option: str) -> None:
    house.create("--no-design")

    assert house.add(option, " ").exit_code == 1
    assert "No sample yet" in house.run("samples", "list").output


def test_a_consent_that_is_over_is_none(house: House) -> None:
    house.create("--no-design")

    assert "expired" in house.add("--expires", "2020-01-01").output


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


def test_the_mix_is_set_by_ids_and_names(house: House) -> None:
    house.create()
    sample = house.added()

    result = house.run("mix", "ana", f"{sample[:8]}=0.7", "designed=0.3")

    assert f"{sample} 70 %" in result.stdout
    assert "30 %" in result.stdout


def test_who_is_not_named_in_the_mix_has_no_weight_left(house: House) -> None:
    house.create()
    sample = house.added()

    house.run("mix", "ana", f"{sample}=1")
    house.run("say", "ana", "Olá, tudo bem?", "-o", str(house.folder / "note.ogg"))

    assert [one.source.ref[:12] for one in house.engine.casts[0][1]] == [sample]


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        (("designed=0",), "all weights of the mix are zero"),
        (("designed=-1",), "weights are 0 or more"),
        (("ffffff=1",), "no sample 'ffffff'"),
        (("designed=x",), "NAME=WEIGHT"),
    ],
)
def test_a_mix_that_cannot_be_is_refused_and_changes_nothing(
    house: House, weights: tuple[str, ...], words: str
) -> None:
    house.create()

    result = house.run("mix", "ana", "--", *weights)

    assert result.exit_code != 0
    assert words in result.output
    assert "2 (2 kept)" in house.run("show", "ana").output


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


def test_an_unknown_voice_is_refused_with_those_that_are_known(house: House) -> None:
    house.create("--no-design")

    for command in (["show", "x"], ["mix", "x", "designed=1"], ["say", "x", "Olá"], ["export", "x"], ["design", "x"]):
        assert "Known: ana." in house.run(*command).output


# -- personas -----------------------------------------------------------------------------------------------------


def test_a_persona_that_names_a_voice_says_which(house: House) -> None:
    house.create("--no-design")
    file = house.folder / "nina.yaml"
    file.write_text(dump_persona(replace(NINA, voice_id="ana")), encoding="utf-8")
    house.recado(persona, "import", str(file))

    assert "stored voice ana" in house.recado(persona, "show", "nina").output
    assert "nina" in house.run("show", "ana").output
    result = CliRunner().invoke(say, ["Olá", "--persona", str(file)])
    assert "recado voice say ana" in result.output


@pytest.mark.speech
def test_a_sample_without_words_is_written_down(house: House) -> None:
    house.create("--no-design")

    result = house.run("samples", "add", "ana", house.file, *CONSENT)

    assert result.exit_code == 0, result.output
    (sample,) = house.stored(lambda it: it.samples.list())
    assert "pedido" in sample.transcript
