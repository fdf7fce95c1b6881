from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from bot.commandline.persona import persona
from bot.commandline.say import say
from bot.persona import dump_persona, shipped_personas
from tests.speech import speech
from tests.voice_house import House
from tts.contract import PcmAudio, SourceKind

NINA = shipped_personas()[0]


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


def test_a_voice_that_is_a_prompt_alone_is_designed_when_it_first_speaks_and_says_so_in_the_list(house: House) -> None:
    house.create("--no-design")

    for _ in range(2):
        assert house.run("say", "ana", "Olá, tudo bem?", "-o", str(house.folder / "note.ogg")).exit_code == 0

    assert len(house.engine.designed) == 1
    assert "ana (by its prompt)" in house.run("samples", "list").output


def test_erasing_the_clip_of_a_prompt_says_that_the_voice_will_sound_different(house: House) -> None:
    house.create("--no-design")
    house.run("say", "ana", "Olá, tudo bem?", "-o", str(house.folder / "note.ogg"))
    clip = house.run("samples", "list").output.splitlines()[1].split()[0]

    assert "Another clip is designed then" in house.run("samples", "erase", clip, answer="n\n").output
    assert "erased" in house.run("samples", "erase", clip, "--yes").output


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


# -- the mix --------------------------------------------------------------------------------------------------------


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


# -- who speaks -----------------------------------------------------------------------------------------------------


def test_show_and_say_tell_that_the_recordings_speak(house: House) -> None:
    house.create("--no-design")
    house.added()

    assert "its recordings, by qwen3" in house.run("show", "ana").output
    assert "Spoken by its recordings." in house.run("say", "ana", "Olá", "-o", str(house.folder / "n.ogg")).output


def test_show_and_say_tell_that_the_stand_in_speaks_why_and_which_engine_would_speak_the_recordings(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.create("--no-design", "--stand-in", "jm_kumo=1")
    house.added()
    monkeypatch.setenv("TTS_ENGINES", "espeak")

    shown = " ".join(house.run("show", "ana").output.split())
    said = house.run("say", "ana", "Olá", "-o", str(house.folder / "n.ogg")).output

    why = "no engine that is ready here speaks its recordings; set up one that would: qwen3 or remote or xtts"
    assert f"the stand-in, by espeak: {why}" in shown
    assert f"Spoken by the stand-in: {why}." in said


def test_show_tells_that_nobody_speaks_where_no_engine_takes_the_voice(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.create("--no-design")
    house.added()
    monkeypatch.setenv("TTS_ENGINES", "espeak")

    shown = " ".join(house.run("show", "ana").output.split())
    assert "nobody: no engine that is ready here speaks its recordings" in shown


def test_show_tells_that_the_stand_in_speaks_since_the_consent_was_withdrawn(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.create("--no-design", "--stand-in", "jm_kumo=1")
    house.run("samples", "withdraw", house.added(), "--yes")
    monkeypatch.setenv("TTS_ENGINES", "qwen3,espeak")

    shown = " ".join(house.run("show", "ana").output.split())
    assert "the stand-in, by espeak: sample" in shown
    assert shown.count("the consent was withdrawn") == 1


# -- settings, versions, deletion ---------------------------------------------------------------------------------


def test_a_mix_that_would_lose_its_last_weight_is_refused_and_the_voice_stays(house: House) -> None:
    house.create()
    sample = house.added()
    house.run("mix", "ana", f"{sample}=1")

    result = house.run("samples", "remove", "ana", sample, "--yes")

    assert result.exit_code == 1
    assert "recado voice mix ana designed=1" in result.output
    assert f"{sample}  100 %" in house.run("show", "ana").output


def test_a_name_that_is_too_long_is_refused_and_the_voice_stays(house: House) -> None:
    house.create("--no-design", "--engine", "espeak")

    assert house.run("mix", "ana", f"style:{'x' * 300}=1").exit_code == 1
    assert "version    1" in house.run("show", "ana").output


def test_what_is_set_changes_and_the_rest_stays(house: House) -> None:
    house.create("--seed", "5", "--speed", "1.1")

    result = house.run("set", "ana", "--prompt", "voz calma", "--no-seed", "--must-resemble")

    assert "ana: version 3" in result.output
    assert "recado voice design ana" in result.output
    shown = house.run("show", "ana").output
    assert "voz calma" in shown
    assert "speed      1.1" in shown
    assert "seed" not in shown
    assert "rather text" in shown


def test_nothing_to_set_is_an_error_and_a_contradiction_too(house: House) -> None:
    house.create("--no-design")

    assert "Nothing to change" in house.run("set", "ana").output
    assert "contradicts" in house.run("set", "ana", "--seed", "1", "--no-seed").output


def test_a_voice_goes_back_to_a_version_and_its_clip_is_still_there(house: House) -> None:
    house.create()
    clip = house.run("samples", "list").output.splitlines()[1].split()[0]
    house.engine.designs_as = [speech(3)]
    house.run("design", "ana")

    assert "version 4, as version 2 was" in house.run("restore", "ana", "2").output
    assert f"{clip}  100 %" in house.run("show", "ana").output
    assert house.run("say", "ana", "Olá", "-o", str(house.folder / "note.ogg")).exit_code == 0
    assert [line.split()[0] for line in house.run("history", "ana").output.splitlines()] == [
        "VERSION", "4", "3", "2", "1",
    ]  # fmt: skip


def test_a_version_whose_recording_was_erased_cannot_come_back(house: House) -> None:
    house.create()
    sample = house.added()
    house.run("samples", "remove", "ana", sample, "--yes")

    assert "a recording was erased" in house.run("history", "ana").output
    assert "was erased" in house.run("restore", "ana", "3").output
    assert "Kept: 4, 3, 2, 1." in house.run("restore", "ana", "9").output


def test_deletion_says_who_speaks_with_the_voice(house: House) -> None:
    house.create("--no-design")
    file = house.folder / "nina.yaml"
    file.write_text(dump_persona(replace(NINA, voice_id="qwen3-clone-ana")), encoding="utf-8")
    house.recado(persona, "import", str(file))

    assert "With it speaks: nina" in house.run("delete", "ana", answer="n\n").output
    assert "ana" in house.run("list").output


def test_deletion_takes_the_clips_of_earlier_versions_along(house: House) -> None:
    house.create()
    house.engine.designs_as = [speech(3)]
    house.run("design", "ana")

    assert house.run("delete", "ana", "--yes").output == "ana deleted, 2 recordings erased\n"


def test_a_voice_that_cannot_be_read_is_shown_as_that_and_can_be_deleted_or_restored(house: House) -> None:
    house.create("--no-design")
    sample = house.added()
    broken = f"id: ana\nlanguage: pt-BR\nsources: [{{kind: sample, ref: {sample}, weight: -1}}]\n"
    house.stored(lambda it: it.redis.hset("{recado}:voices", "ana", broken))
    house.stored(lambda it: it.redis.incr("{recado}:voices:changes"))

    assert "cannot be read" in house.run("list").output
    assert "recado voice restore ana" in house.run("show", "ana").output
    assert house.run("restore", "ana", "2").exit_code == 0
    assert f"{sample}  100 %" in house.run("show", "ana").output

    house.stored(lambda it: it.redis.hset("{recado}:voices", "ana", broken))
    house.stored(lambda it: it.redis.incr("{recado}:voices:changes"))
    assert house.run("delete", "ana", "--yes").output.endswith("ana deleted, 1 recordings erased\n")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--engine", "nope"), "valid: bark, espeak, kokoro"),
        (("--timbre", "nobody"), "valid: aiden, dylan"),
        (("--stand-in", "nope=1"), "valid: jf_alpha"),
        (("--language", "xx"), "de, en, es"),
        (("--language", "Portuguese"), "write it as pt-BR"),
    ],
)
def test_a_name_that_nothing_here_knows_is_refused_with_the_valid_ones(
    house: House, options: tuple[str, ...], words: str
) -> None:
    assert words in house.create(*options).output
    assert "No voice is stored yet" in house.run("list").output
    house.run("create", "bia", "--language", "pt-BR", "--no-design")
    if "--timbre" not in options:
        assert words in house.run("set", "bia", *options).output


@pytest.mark.parametrize(("voice_id", "words"), [("qwen3-clone-ana", "choose another"), ("Ana!", "lower-case letters")])
def test_an_id_that_no_persona_could_name_is_refused_in_one_sentence(house: House, voice_id: str, words: str) -> None:
    output = house.run("create", voice_id, "--language", "pt-BR").output

    assert words in output
    assert "^[a-z" not in output


def test_a_note_is_not_spoken_for_a_folder_that_is_not_there(house: House) -> None:
    house.create()

    result = house.run("say", "ana", "Olá", "-o", "/nonexistent/x.ogg")

    assert "no folder that can be written to" in result.output
    assert house.engine.casts == []


def test_a_refusal_to_speak_gives_each_reason_once(house: House) -> None:
    house.create("--no-design")
    sample = house.added()
    house.run("samples", "withdraw", sample, "--yes")

    assert house.run("say", "ana", "Olá", "-o", "note.ogg").output.count("the consent was withdrawn") == 1


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
