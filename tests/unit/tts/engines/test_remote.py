import asyncio
import base64
import io
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import numpy as np
import pytest
import soundfile as sf

from bot.settings import Settings
from tests.unit.tts.engines.speech_server import Fault, SpeechServer, running
from tts.composition import build_speaker
from tts.contract import (
    CastingEngine,
    DesigningEngine,
    PcmAudio,
    PreparedSource,
    SourceKind,
    Utterance,
    Voice,
    VoiceSource,
)
from tts.engines.fake import tone
from tts.engines.remote import Patience, RemoteEngine
from tts.errors import (
    BadText,
    BadVoice,
    EngineFailed,
    EngineOverloaded,
    EngineUnavailable,
    TtsError,
)
from tts.settings import EngineName, TtsSettings
from tts.speech_address import Dialect
from tts.text import expected_duration_s

BASE, CUSTOM, DESIGN = (f"Qwen/Qwen3-TTS-12Hz-1.7B-{task}" for task in ("Base", "CustomVoice", "VoiceDesign"))
SAMPLE = VoiceSource(kind=SourceKind.SAMPLE, ref="5a3e")
RYAN = VoiceSource(kind=SourceKind.TIMBRE, ref="ryan")
PROMPT = "A calm voice."
SPEECH, BATCH, PROFILES = "/v1/audio/speech", "/v1/audio/speech/batch", "/v1/audio/profiles"


class Clock:
    """Stands still until told."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


MakeEngine = Callable[..., RemoteEngine]


@pytest.fixture
def make_engine() -> Iterator[MakeEngine]:
    """A loaded engine of servers that run until the test ends."""
    with ExitStack() as stack:

        def make(*servers: SpeechServer, **options: object) -> RemoteEngine:
            stack.enter_context(running(*servers))
            engine = RemoteEngine([server.address for server in servers], **options)  # type: ignore[arg-type] # each test's own
            stack.callback(engine.close)
            engine.load()
            return engine

        yield make


def openai(**options: object) -> SpeechServer:
    return SpeechServer(dialect=Dialect.OPENAI, model="tts-1", **options)  # type: ignore[arg-type] # each test's own


def omni(model: str = BASE, **options: object) -> SpeechServer:
    return SpeechServer(dialect=Dialect.VLLM_OMNI, model=model, **options)  # type: ignore[arg-type] # each test's own


def recado(**options: object) -> SpeechServer:
    return SpeechServer(dialect=Dialect.RECADO, **options)  # type: ignore[arg-type] # each test's own


def voice(*sources: VoiceSource, prompt: str = PROMPT, **changes: object) -> Voice:
    return Voice(id="nina", language="pt-BR", prompt=prompt, sources=sources or (RYAN,), **changes)  # type: ignore[arg-type] # each test's own


def recording(
    source: VoiceSource = SAMPLE, *, seconds: float = 6.0, words: str | None = "Isto é uma amostra."
) -> PreparedSource:
    return PreparedSource(source=source, audio=tone("a sample", seconds=seconds), transcript=words)


def utterance(
    text: str = "Bom dia.", *, by: Voice | None = None, seed: int | None = None, language: str = "pt-BR"
) -> Utterance:
    expected_s = expected_duration_s(text, "pt-BR") if text.strip() else 0.0
    return Utterance(text=text, language=language, voice=by or voice(), expected_s=expected_s, seed=seed)


def cloned(
    engine: RemoteEngine, *texts: str, sources: Sequence[PreparedSource] = (), seed: int | None = None
) -> list[Utterance]:
    """Utterances of a voice made of `sources` (one recording), cast by the engine."""
    sources = sources or [recording()]
    made_of = voice(*(item.source for item in sources))
    profile = engine.cast(made_of, sources)
    return [
        Utterance(
            text=text,
            language="pt-BR",
            voice=made_of,
            expected_s=expected_duration_s(text, "pt-BR"),
            seed=seed,
            profile=profile,
        )
        for text in texts
    ]


def audio(results: Sequence[PcmAudio | TtsError]) -> list[PcmAudio]:
    assert [result for result in results if isinstance(result, TtsError)] == []
    return [result for result in results if isinstance(result, PcmAudio)]


def error(results: Sequence[PcmAudio | TtsError]) -> TtsError:
    (result,) = results
    assert isinstance(result, TtsError)
    return result


# -- what is said, by dialect -------------------------------------------------------------------------------------


def test_an_openai_server_is_told_a_name_and_instructions_and_nothing_it_does_not_know(make_engine: MakeEngine) -> None:
    server = openai()
    engine = make_engine(server)

    (take,) = audio(engine.synthesize([utterance()]))

    assert take.duration_s > 0.5
    assert server.bodies(SPEECH) == [
        {
            "input": "Bom dia.",
            "model": "tts-1",
            "voice": "ryan",
            "instructions": PROMPT,
            "response_format": "wav",
        }
    ]


def test_the_model_of_the_settings_goes_before_the_one_a_server_lists(make_engine: MakeEngine) -> None:
    server = openai()
    engine = make_engine(server, model="gpt-4o-mini-tts")

    audio(engine.synthesize([utterance()]))

    assert server.bodies(SPEECH)[0]["model"] == "gpt-4o-mini-tts"
    assert engine.info.model == "gpt-4o-mini-tts"


def test_a_voice_at_its_own_speed_says_so_and_others_do_not(make_engine: MakeEngine) -> None:
    server = openai()
    engine = make_engine(server)

    audio(engine.synthesize([utterance(by=voice(RYAN, speed=1.2)), utterance()]))

    assert sorted(body.get("speed", 0) for body in server.bodies(SPEECH)) == [0, 1.2]


def test_a_base_server_gets_the_recording_with_its_words_and_a_limit(make_engine: MakeEngine) -> None:
    server = omni()
    engine = make_engine(server)

    audio(engine.synthesize(cloned(engine, "Bom dia.", seed=7)))

    (body,) = server.bodies(SPEECH)
    head, _, data = body["ref_audio"].partition(",")
    clip, rate_hz = sf.read(io.BytesIO(base64.b64decode(data)))
    assert head == "data:audio/wav;base64"
    assert len(clip) / rate_hz == pytest.approx(6.0)
    assert (body["task_type"], body["ref_text"], body["x_vector_only_mode"]) == ("Base", "Isto é uma amostra.", False)
    assert (body["language"], body["seed"]) == ("Portuguese", 7)
    longest_s = (body["max_new_tokens"] - 1) * 0.08
    assert longest_s == pytest.approx(expected_duration_s("Bom dia.", "pt-BR") * 2.2 + 0.8, abs=0.08)


def test_a_recording_without_words_is_sent_for_its_sound_alone(make_engine: MakeEngine) -> None:
    server = omni()
    engine = make_engine(server)

    audio(engine.synthesize(cloned(engine, "Bom dia.", sources=[recording(words=None)])))

    (body,) = server.bodies(SPEECH)
    assert body["x_vector_only_mode"] is True
    assert "ref_text" not in body


def test_a_recording_that_is_cut_loses_its_words_too(make_engine: MakeEngine) -> None:
    server = omni()
    engine = make_engine(server)

    audio(engine.synthesize(cloned(engine, "Bom dia.", sources=[recording(seconds=40.0)])))

    (body,) = server.bodies(SPEECH)
    clip, rate_hz = sf.read(io.BytesIO(base64.b64decode(body["ref_audio"].partition(",")[2])))
    assert len(clip) / rate_hz == pytest.approx(30.0)
    assert body["x_vector_only_mode"] is True


def test_a_custom_voice_server_is_told_the_timbre(make_engine: MakeEngine) -> None:
    server = omni(CUSTOM)
    engine = make_engine(server)

    audio(engine.synthesize([utterance()]))

    (body,) = server.bodies(SPEECH)
    assert (body["task_type"], body["voice"], body["instructions"]) == ("CustomVoice", "ryan", PROMPT)


def test_a_language_qwen_does_not_know_by_name_is_refused_before_anything_is_sent(make_engine: MakeEngine) -> None:
    server = omni(CUSTOM)
    engine = make_engine(server)

    refused = error(engine.synthesize([utterance(language="nl")]))

    assert isinstance(refused, BadVoice)
    assert "valid: de, en, es" in str(refused)
    assert server.received == []


def test_a_batch_goes_out_in_one_call_with_the_recording_once(make_engine: MakeEngine) -> None:
    server = omni()
    engine = make_engine(server)
    texts = ["Bom dia.", "O seu pedido já saiu de casa e deve chegar amanhã.", "Até logo!"]

    takes = audio(engine.synthesize(cloned(engine, *texts)))

    (body,) = server.bodies(BATCH)
    assert [item["input"] for item in body["items"]] == texts
    assert "ref_audio" in body
    assert all("ref_audio" not in item for item in body["items"])
    assert takes[0].duration_s < takes[1].duration_s > takes[2].duration_s
    assert server.bodies(SPEECH) == []


def test_two_voices_are_two_batches(make_engine: MakeEngine) -> None:
    server = omni()
    engine = make_engine(server)
    other = recording(VoiceSource(kind=SourceKind.SAMPLE, ref="9c"), seconds=4.0)

    audio(engine.synthesize([*cloned(engine, "Um.", "Dois."), *cloned(engine, "Três.", "Quatro.", sources=[other])]))

    assert sorted(len(body["items"]) for body in server.bodies(BATCH)) == [2, 2]


def test_texts_with_a_seed_go_out_one_by_one_because_batches_have_none(make_engine: MakeEngine) -> None:
    server = omni()
    engine = make_engine(server)

    audio(engine.synthesize(cloned(engine, "Um.", "Dois.", seed=3)))

    assert [body["seed"] for body in server.bodies(SPEECH)] == [3, 3]
    assert server.bodies(BATCH) == []


def test_no_batch_is_larger_than_the_server_takes(make_engine: MakeEngine) -> None:
    server = omni()
    engine = make_engine(server)

    audio(engine.synthesize(cloned(engine, *(f"Número {n}." for n in range(40)))))

    assert sorted(len(body["items"]) for body in server.bodies(BATCH)) == [8, 32]


def test_a_server_without_a_path_for_batches_is_asked_one_by_one(make_engine: MakeEngine) -> None:
    server = omni(batches=False)
    engine = make_engine(server)

    for _ in range(2):
        audio(engine.synthesize(cloned(engine, "Um.", "Dois.")))

    assert sorted(server.spoken) == ["Dois.", "Dois.", "Um.", "Um."]


# -- recado -------------------------------------------------------------------------------------------------------


def test_a_recado_server_gets_a_blend_whole_and_its_profile_from_then_on(make_engine: MakeEngine) -> None:
    server = recado()
    engine = make_engine(server)
    parts = [
        recording(VoiceSource(kind=SourceKind.SAMPLE, ref="a", weight=3.0)),
        recording(VoiceSource(kind=SourceKind.DESIGNED, ref="b", weight=1.0)),
        recording(VoiceSource(kind=SourceKind.SAMPLE, ref="c", weight=0.0)),
    ]

    audio(engine.synthesize(cloned(engine, "Bom dia.", sources=parts)))

    (asked,) = server.bodies(PROFILES)
    assert [(source["ref"], source["weight"]) for source in asked["sources"]] == [("a", 0.75), ("b", 0.25)]
    (body,) = server.bodies(SPEECH)
    assert base64.b64decode(body["voice"]["profile"]["data"]) == b"profile of nina"
    assert all("audio" not in source for source in body["voice"]["sources"])
    assert (body["language"], body["voice"]["prompt"]) == ("pt-BR", PROMPT)


def test_what_the_recado_server_found_out_is_in_the_profile(make_engine: MakeEngine) -> None:
    engine = make_engine(recado())

    profile = engine.cast(voice(SAMPLE), [recording()])

    assert profile.facts == (("similarity", 0.75),)
    assert (profile.engine, profile.voice_id) == ("remote", "nina")


@pytest.mark.parametrize("texts", [("Bom dia.",), ("Um.", "Dois.")])
def test_a_server_that_cannot_use_the_profile_gets_the_recordings(
    make_engine: MakeEngine, texts: tuple[str, ...]
) -> None:
    server = recado()
    engine = make_engine(server)
    asked = cloned(engine, *texts)
    server.profile_model = "base-0.6b"

    audio(engine.synthesize(asked))

    last = server.received[-1].body
    sent = last["voice"] if "voice" in last else last["voices"][0]
    assert "profile" not in sent
    assert sent["sources"][0]["transcript"] == "Isto é uma amostra."


def test_casting_ends_within_its_total_however_many_servers_are_silent(make_engine: MakeEngine) -> None:
    servers = [recado(always=Fault.SILENT) for _ in range(4)]
    engine = make_engine(*servers, patience=Patience(read_s=0.2, total_s=0.3))

    profile = engine.cast(voice(SAMPLE), [recording()])

    assert b"profile of nina" not in profile.data
    assert sum(len(server.received) for server in servers) <= 2  # a third would begin after the total


def test_without_a_profile_the_recordings_are_sent(make_engine: MakeEngine) -> None:
    server = recado()
    server.faults.append(Fault.FAILING)
    engine = make_engine(server)

    audio(engine.synthesize(cloned(engine, "Bom dia.")))

    assert "audio" in server.bodies(SPEECH)[0]["voice"]["sources"][0]


def test_a_recado_batch_sends_each_voice_once(make_engine: MakeEngine) -> None:
    server = recado()
    engine = make_engine(server)

    audio(engine.synthesize([*cloned(engine, "Um.", "Dois.", seed=4), utterance("Três.")]))

    (body,) = server.bodies(BATCH)
    assert len(body["voices"]) == 2
    assert [(item["input"], item["voice"], item.get("seed")) for item in body["items"]] == [
        ("Um.", 0, 4),
        ("Dois.", 0, 4),
        ("Três.", 1, None),
    ]


# -- capabilities -------------------------------------------------------------------------------------------------


def test_capabilities_are_those_of_the_models_the_servers_turn_out_to_run(make_engine: MakeEngine) -> None:
    engine = make_engine(omni(BASE), omni(CUSTOM))

    info = engine.info

    assert info.source_kinds == {SourceKind.SAMPLE, SourceKind.DESIGNED, SourceKind.TIMBRE}
    assert info.model == f"{BASE}, {CUSTOM}"
    assert "pt" in info.languages
    assert not info.designs


def test_an_openai_server_takes_named_voices_only() -> None:
    engine = RemoteEngine([openai().address])

    assert engine.info.source_kinds == {SourceKind.TIMBRE}
    assert engine.info.languages == frozenset()


def test_it_casts_and_designs_as_the_contract_says() -> None:
    engine = RemoteEngine([openai().address])

    assert isinstance(engine, CastingEngine)
    assert isinstance(engine, DesigningEngine)


def test_a_blend_is_refused_where_only_one_clip_can_be_sent(make_engine: MakeEngine) -> None:
    engine = make_engine(omni(), openai())
    other = VoiceSource(kind=SourceKind.SAMPLE, ref="b")

    with pytest.raises(BadVoice, match=r"takes one source, and a blend of 2 exists only as an embedding"):
        engine.cast(voice(SAMPLE, other), [recording(), recording(other)])


def test_a_source_without_weight_makes_no_blend(make_engine: MakeEngine) -> None:
    server = omni()
    engine = make_engine(server)
    silent = VoiceSource(kind=SourceKind.SAMPLE, ref="b", weight=0.0)

    audio(engine.synthesize(cloned(engine, "Oi.", sources=[recording(), recording(silent)])))


def test_each_voice_goes_to_a_server_that_takes_it(make_engine: MakeEngine) -> None:
    base, custom = omni(BASE), omni(CUSTOM)
    engine = make_engine(base, custom)

    audio(engine.synthesize([*cloned(engine, "Clonada."), utterance("Nomeada.")]))

    assert (base.spoken, custom.spoken) == (["Clonada."], ["Nomeada."])


def test_a_recording_is_no_voice_without_a_profile(make_engine: MakeEngine) -> None:
    engine = make_engine(omni())

    assert isinstance(error(engine.synthesize([utterance(by=voice(SAMPLE))])), BadVoice)


def test_a_profile_of_another_engine_is_refused(make_engine: MakeEngine) -> None:
    engine = make_engine(omni())
    (asked,) = cloned(engine, "Oi.")
    assert asked.profile is not None
    foreign = Utterance(
        text="Oi.",
        language="pt-BR",
        voice=asked.voice,
        expected_s=1.0,
        profile=type(asked.profile)(voice_id="v", voice_version=1, engine="qwen3", model="m", data=b"\x00safetensors"),
    )

    assert isinstance(error(engine.synthesize([foreign])), BadVoice)


def test_a_stand_in_speaks_where_the_voice_itself_cannot_be_sent(make_engine: MakeEngine) -> None:
    server = openai()
    engine = make_engine(server)

    audio(engine.synthesize([utterance(by=voice(SAMPLE, stand_in=(RYAN,)))]))

    assert server.bodies(SPEECH)[0]["voice"] == "ryan"


# -- designing ----------------------------------------------------------------------------------------------------


def test_a_voice_design_server_makes_a_clip_of_the_prompt(make_engine: MakeEngine) -> None:
    server = omni(DESIGN)
    engine = make_engine(server)

    clip = engine.design(PROMPT, text="Olá, tudo bem?", language="pt-BR", seed=5)

    (body,) = server.bodies(SPEECH)
    assert clip.duration_s > 0.5
    assert (body["task_type"], body["instructions"], body["seed"]) == ("VoiceDesign", PROMPT, 5)
    assert engine.info.designs


def test_without_a_server_that_designs_the_cure_is_named(make_engine: MakeEngine) -> None:
    engine = make_engine(omni(BASE))

    with pytest.raises(EngineUnavailable, match="add a VoiceDesign model"):
        engine.design(PROMPT, text="Olá.", language="pt-BR", seed=1)


def test_a_recado_server_is_asked_for_a_clip_as_for_a_voice_without_sources(make_engine: MakeEngine) -> None:
    server = recado()
    engine = make_engine(server)

    clip = engine.design(PROMPT, text="Olá, tudo bem?", language="pt-BR", seed=5)

    (body,) = server.bodies(SPEECH)
    assert clip.duration_s > 0.5
    assert (body["voice"]["prompt"], body["voice"]["sources"], body["seed"]) == (PROMPT, [], 5)


@pytest.mark.parametrize("make_server", [openai, omni, recado])
def test_no_server_speaks_a_prompt_alone_which_would_sound_different_in_every_note(
    make_engine: MakeEngine, make_server: Callable[[], SpeechServer]
) -> None:
    server = make_server()
    engine = make_engine(server, omni(DESIGN))
    prompted = Voice(id="nina", language="pt-BR", prompt=PROMPT)

    with pytest.raises(BadVoice, match="a clip has to be designed"):
        engine.cast(prompted, [])
    assert isinstance(error(engine.synthesize([utterance(by=prompted)])), BadVoice)
    assert server.received == []


def test_where_one_server_cannot_design_another_one_does(make_engine: MakeEngine) -> None:
    unable, able = recado(always=Fault.UNABLE), omni(DESIGN)
    engine = make_engine(unable, able)

    clip = engine.design(PROMPT, text="Olá, tudo bem?", language="pt-BR", seed=5)

    assert clip.duration_s > 0.5
    assert len(unable.received) == len(able.received) == 1


def test_designing_ends_within_its_total_though_a_server_may_take_all_of_it(make_engine: MakeEngine) -> None:
    servers = [recado(always=Fault.SILENT) for _ in range(3)]
    engine = make_engine(*servers, patience=Patience(read_s=0.01, total_s=0.3))

    with pytest.raises(TtsError) as told:
        engine.design(PROMPT, text="Olá.", language="pt-BR", seed=1)

    assert told.value.retryable
    assert sum(len(server.received) for server in servers) == 1


# -- answers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("media_type", ["audio/wav", "audio/flac", "audio/mpeg", "audio/ogg", "audio/pcm"])
def test_every_container_becomes_pcm_at_the_declared_rate(make_engine: MakeEngine, media_type: str) -> None:
    server = openai(wants=media_type)
    engine = make_engine(server)

    (take,) = audio(engine.synthesize([utterance("O seu pedido deve chegar amanhã.")]))

    assert take.sample_rate_hz == engine.info.sample_rate_hz == 24_000
    assert take.samples.dtype == np.float32
    assert take.duration_s == pytest.approx(expected_duration_s("O seu pedido deve chegar amanhã.", "en"), abs=0.15)
    assert 0.05 < np.abs(take.samples).max() <= 1.0


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (Fault.FAILING, "answered 500 (InternalServerError, 500)"),
        (Fault.GARBAGE, "no usable audio"),
        (Fault.HTML, "answered text/html in place of audio"),
        (Fault.TRUNCATED, "only the beginning"),
        (Fault.LOST, "could not be asked"),
        (Fault.RESET, "could not be asked"),
        (Fault.ENDLESS, "more than"),
        (Fault.ZIPPED, "compressed"),
        (Fault.LIMIT, "cut the speech at its length limit"),
        (Fault.CRUMB, "sent 1 bytes of raw audio"),
    ],
)
def test_a_failing_server_is_a_failure_that_may_pass(make_engine: MakeEngine, fault: Fault, told: str) -> None:
    server = openai(always=fault)
    engine = make_engine(server)

    failed = error(engine.synthesize([utterance()]))

    assert type(failed) is EngineFailed
    assert failed.retryable
    assert told in str(failed)


@pytest.mark.parametrize("fault", [Fault.TRUNCATED, Fault.UNENDED])
@pytest.mark.parametrize("media_type", ["audio/wav", "audio/flac", "audio/mpeg", "audio/ogg"])
def test_half_a_file_is_no_answer_whatever_its_container(
    make_engine: MakeEngine, media_type: str, fault: Fault
) -> None:
    engine = make_engine(openai(wants=media_type, always=fault))

    failed = error(engine.synthesize([utterance()]))

    assert type(failed) is EngineFailed
    assert "only the beginning" in str(failed)


def test_raw_audio_is_no_answer_where_its_end_was_not_told(make_engine: MakeEngine) -> None:
    engine = make_engine(openai(wants="audio/pcm", always=Fault.UNENDED))

    assert "where its raw audio ends" in str(error(engine.synthesize([utterance()])))


@pytest.mark.parametrize(("fault", "wait_s"), [(Fault.FULL, 7.0), (Fault.WARMING, 5.0)])
def test_a_full_server_says_when_to_come_back(make_engine: MakeEngine, fault: Fault, wait_s: float) -> None:
    engine = make_engine(openai(always=fault))

    overloaded = error(engine.synthesize([utterance()]))

    assert isinstance(overloaded, EngineOverloaded)
    assert overloaded.retry_after_s == wait_s


def test_a_full_server_is_left_alone_until_then(make_engine: MakeEngine) -> None:
    clock = Clock()
    server = openai()
    server.faults.append(Fault.FULL)
    engine = make_engine(server, clock=clock)
    engine.synthesize([utterance()])

    clock.now_s += 4.0
    assert error(engine.synthesize([utterance()])).retry_after_s == pytest.approx(3.0)
    assert len(server.received) == 1

    clock.now_s += 3.0
    audio(engine.synthesize([utterance()]))


def test_a_server_that_says_nothing_is_given_up(make_engine: MakeEngine) -> None:
    server = openai(always=Fault.SILENT)
    engine = make_engine(server, patience=Patience(read_s=0.2))

    failed = error(engine.synthesize([utterance()]))

    assert type(failed) is EngineFailed
    assert "in time (ReadTimeout)" in str(failed)


def test_a_server_that_drips_its_headers_is_given_up_and_another_one_asked(make_engine: MakeEngine) -> None:
    dripping, sound = openai(always=Fault.DRIPPING), openai()
    engine = make_engine(dripping, sound, patience=Patience(connect_s=0.1, read_s=0.1))

    audio(engine.synthesize([utterance("Um."), utterance("Dois.")]))

    assert sorted(sound.spoken) == ["Dois.", "Um."]


def test_no_number_of_dripping_answers_keeps_others_from_being_spoken(make_engine: MakeEngine) -> None:
    server = openai(always=Fault.DRIPPING)
    engine = make_engine(server, patience=Patience(connect_s=0.1, read_s=0.1))
    failed = engine.synthesize([utterance(f"Número {n}.") for n in range(40)])
    assert {type(result) for result in failed} == {EngineFailed}

    server.always = None

    audio(engine.synthesize([utterance()]))


def test_a_batch_of_silence_ends_within_its_total(make_engine: MakeEngine) -> None:
    first, second = openai(always=Fault.SILENT), openai(always=Fault.SILENT)
    engine = make_engine(first, second, patience=Patience(read_s=5.0, total_s=0.3))

    results = engine.synthesize([utterance(), utterance()])

    assert all(isinstance(result, TtsError) and result.retryable for result in results)
    assert len(first.received) + len(second.received) == 2


def test_what_is_wrong_with_the_voice_is_told_as_that(make_engine: MakeEngine) -> None:
    engine = make_engine(openai())
    stranger = VoiceSource(kind=SourceKind.TIMBRE, ref="nobody")

    assert isinstance(error(engine.synthesize([utterance(by=voice(stranger))])), BadVoice)


def test_an_unknown_speaker_is_told_as_that_without_a_parameter_too(make_engine: MakeEngine) -> None:
    engine = make_engine(omni(CUSTOM))
    stranger = VoiceSource(kind=SourceKind.TIMBRE, ref="nobody")

    assert isinstance(error(engine.synthesize([utterance(by=voice(stranger))])), BadVoice)


def test_what_is_wrong_with_the_text_is_told_as_that_and_the_text_is_not(make_engine: MakeEngine) -> None:
    engine = make_engine(openai())

    refused = error(engine.synthesize([utterance("Meu segredo [whole]")]))

    assert isinstance(refused, BadText)
    assert "segredo" not in str(refused)


def test_a_text_of_nothing_is_refused_before_anything_is_sent(make_engine: MakeEngine) -> None:
    server = openai()
    engine = make_engine(server)

    assert isinstance(error(engine.synthesize([utterance(" ")])), BadText)
    assert server.received == []


def test_a_part_of_a_batch_may_fail_and_costs_its_neighbours_nothing(make_engine: MakeEngine) -> None:
    engine = make_engine(omni())
    texts = ["Um.", "Dois [fail].", "Três [garble].", "Quatro [omit].", "Cinco."]

    first, failed, garbled, omitted, last = engine.synthesize(cloned(engine, *texts))

    assert len(audio([first, last])) == 2
    assert type(failed) is type(garbled) is type(omitted) is EngineFailed


def test_a_batch_refused_for_one_text_is_spoken_without_it(make_engine: MakeEngine) -> None:
    server = omni()
    engine = make_engine(server)

    first, refused, last = engine.synthesize(cloned(engine, "Um.", "Dois [whole].", "Três."))

    assert len(audio([first, last])) == 2
    assert isinstance(refused, BadText)


# -- several servers ----------------------------------------------------------------------------------------------


def test_a_batch_is_shared_out_among_servers(make_engine: MakeEngine) -> None:
    first, second = openai(), openai()
    engine = make_engine(first, second)

    audio(engine.synthesize([utterance(f"Número {n}.") for n in range(6)]))

    assert (len(first.spoken), len(second.spoken)) == (3, 3)


@pytest.mark.parametrize(
    "fault", [Fault.FAILING, Fault.FULL, Fault.RESET, Fault.GARBAGE, Fault.LOST, Fault.MISSING, Fault.REDIRECT]
)
def test_another_server_speaks_what_one_could_not(make_engine: MakeEngine, fault: Fault) -> None:
    broken, sound = openai(always=fault), openai()
    engine = make_engine(broken, sound)

    audio(engine.synthesize([utterance("Um."), utterance("Dois.")]))

    assert sorted(sound.spoken) == ["Dois.", "Um."]
    assert len(broken.received) == 1


def test_no_other_server_is_asked_what_one_refused(make_engine: MakeEngine) -> None:
    first, second = openai(), openai()
    engine = make_engine(first, second)

    error(engine.synthesize([utterance("Errado [whole]")]))

    assert len(first.received) + len(second.received) == 1


def test_a_batch_moves_to_another_server_as_one(make_engine: MakeEngine) -> None:
    broken, sound = omni(), omni()
    engine = make_engine(broken, sound)
    broken.always = Fault.FAILING

    audio(engine.synthesize(cloned(engine, "Um.", "Dois.", "Três.", "Quatro.")))

    assert sorted(sound.spoken) == ["Dois.", "Quatro.", "Três.", "Um."]
    assert [len(body["items"]) for body in sound.bodies(BATCH)] == [2, 2]


def test_a_server_that_failed_rests_and_is_asked_again_after_a_light_question(make_engine: MakeEngine) -> None:
    clock = Clock()
    first, second = openai(), openai()
    engine = make_engine(first, second, clock=clock)
    failing = min((first, second), key=lambda server: str(server.address))
    other = second if failing is first else first
    failing.faults.append(Fault.FAILING)
    audio(engine.synthesize([utterance("Um.")]))

    audio(engine.synthesize([utterance("Dois.")]))
    assert other.spoken == ["Um.", "Dois."]

    clock.now_s += 5.0
    failing.probes.clear()
    audio(engine.synthesize([utterance("Três.")]))
    assert failing.spoken == ["Um.", "Três."]
    assert failing.probes[0] == "/health"


def test_a_text_does_not_wait_for_a_server_whose_health_is_bad(make_engine: MakeEngine) -> None:
    clock = Clock()
    first, second = openai(), openai()
    engine = make_engine(first, second, clock=clock)
    failing = min((first, second), key=lambda server: str(server.address))
    failing.faults.append(Fault.FAILING)
    audio(engine.synthesize([utterance("Um.")]))
    failing.unhealthy = True

    clock.now_s += 5.0
    audio(engine.synthesize([utterance("Dois.")]))

    assert failing.spoken == ["Um."]


def test_a_server_that_is_down_at_first_is_used_once_it_is_there(make_engine: MakeEngine) -> None:
    clock = Clock()
    server = openai(unhealthy=True)
    engine = make_engine(server, clock=clock)
    assert isinstance(error(engine.synthesize([utterance()])), EngineFailed)

    server.unhealthy = False

    audio(engine.synthesize([utterance()]))
    assert engine.info.model == "tts-1"


# -- keys, and where they go --------------------------------------------------------------------------------------


def test_every_server_gets_its_own_key_and_no_other(make_engine: MakeEngine) -> None:
    first, second = openai(key="one"), openai(key="two")
    engine = make_engine(first, second, keys=("one", "two"))

    audio(engine.synthesize([utterance("Um."), utterance("Dois.")]))

    assert first.received[0].headers["Authorization"] == "Bearer one"
    assert second.received[0].headers["Authorization"] == "Bearer two"


def test_without_a_key_none_is_sent(make_engine: MakeEngine) -> None:
    server = openai()
    engine = make_engine(server)

    audio(engine.synthesize([utterance()]))

    assert "Authorization" not in server.received[0].headers


def test_a_redirect_is_not_followed(make_engine: MakeEngine) -> None:
    thief = openai()
    with running(thief):
        server = openai(key="secret", always=Fault.REDIRECT, elsewhere=f"http://127.0.0.1:{thief.port}{SPEECH}")
        engine = make_engine(server, keys=("secret",))

        refused = error(engine.synthesize([utterance()]))

    assert isinstance(refused, EngineUnavailable)
    assert "redirects are not followed" in str(refused)
    assert thief.received == []


def test_the_proxies_of_the_environment_get_nothing(make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = openai()
    with running(proxy):
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        engine = make_engine(openai())

        audio(engine.synthesize([utterance()]))

    assert (proxy.received, proxy.probes) == ([], [])


def test_a_wrong_key_is_told_when_loading() -> None:
    server = openai(key="right")
    with running(server):
        engine = RemoteEngine([server.address], keys=("wrong",))

        with pytest.raises(EngineUnavailable, match="check QWEN3_API_KEY") as told:
            engine.load()

    assert "wrong" not in str(told.value)


@pytest.mark.parametrize("misled", [{"key": "right"}, {"always": Fault.MISSING}, {"always": Fault.REDIRECT}])
@pytest.mark.parametrize("make_server", [openai, omni])
def test_a_server_with_a_wrong_key_or_address_loses_no_text_however_often_it_has_rested(
    make_engine: MakeEngine, make_server: Callable[..., SpeechServer], misled: dict[str, object]
) -> None:
    clock = Clock()
    wrong, right = make_server(**misled), make_server()
    engine = make_engine(wrong, right, clock=clock)
    asked = (
        [utterance(text) for text in ("Um.", "Dois.", "Três.")]
        if make_server is openai
        else cloned(engine, "Um.", "Dois.", "Três.")
    )

    for _ in range(4):
        audio(engine.synthesize(asked))
        clock.now_s += 100.0

    assert len(right.spoken) == 12


def test_when_all_fail_an_error_that_may_pass_is_told_before_one_that_stays(make_engine: MakeEngine) -> None:
    told = []
    for order in (1, -1):
        with ExitStack() as stack:
            servers = [openai(always=Fault.FAILING), openai(key="right")]
            stack.enter_context(running(*servers))
            first, second = sorted(servers, key=lambda server: str(server.address))[::order]
            first.always, first.key = Fault.FAILING, ""
            second.always, second.key = None, "right"
            engine = RemoteEngine([first.address, second.address])
            stack.callback(engine.close)
            engine.load()
            told.append(error(engine.synthesize([utterance()])))

    assert [type(one) for one in told] == [EngineFailed, EngineFailed]


def test_a_server_that_lacks_every_path_is_asked_for_batches_again_once_it_has_them(make_engine: MakeEngine) -> None:
    server = omni()
    engine = make_engine(server)
    server.faults.extend([Fault.MISSING] * 3)
    refused = engine.synthesize(cloned(engine, "Um.", "Dois."))
    assert all(isinstance(result, EngineUnavailable) for result in refused)

    audio(engine.synthesize(cloned(engine, "Um.", "Dois.")))

    assert len(server.bodies(BATCH)) == 2


# -- life ---------------------------------------------------------------------------------------------------------


def test_connections_are_kept(make_engine: MakeEngine) -> None:
    server = openai()
    engine = make_engine(server)
    for _ in range(5):
        audio(engine.synthesize([utterance()]))

    assert engine._client is not None
    pool = engine._client._transport._pool  # type: ignore[attr-defined] # httpx offers no other sight of it
    assert len(pool.connections) <= 2


def test_it_speaks_only_while_loaded(make_engine: MakeEngine) -> None:
    engine = make_engine(openai())
    engine.close()

    with pytest.raises(EngineUnavailable):
        engine.synthesize([utterance()])

    engine.load()
    audio(engine.synthesize([utterance()]))


def test_closing_tells_whoever_waits(make_engine: MakeEngine) -> None:
    server = openai(always=Fault.SILENT)
    engine = make_engine(server)
    with ThreadPoolExecutor(max_workers=1) as thread:
        speaking = thread.submit(engine.synthesize, [utterance()])
        assert server.asked.wait(10)

        engine.close()

        with pytest.raises(EngineUnavailable, match="closing"):
            speaking.result()


async def test_a_slow_server_holds_up_nobody_who_is_spoken_for_by_another() -> None:
    servers = [openai(), openai()]
    with running(*servers):
        slow, quick = sorted(servers, key=lambda server: str(server.address))  # among equals, in this order
        slow.always = Fault.SILENT
        settings = TtsSettings(
            _env_file=None,
            tts_engines=(EngineName.REMOTE,),
            qwen3_api_url=(slow.address, quick.address),
            qwen3_api_read_timeout_s=600.0,
        )
        speaker = build_speaker(settings, on_lost=lambda _name, _suspects: None)
        await speaker.start()
        waiting = asyncio.create_task(speaker.speak("Número um.", voice()))
        assert await asyncio.to_thread(slow.asked.wait, 10)

        async with asyncio.timeout(60):
            await speaker.speak("Número dois.", voice())

        assert not waiting.done()
        assert (len(slow.spoken), len(quick.spoken)) == (1, 1)
        slow.released.set()
        await waiting
        await speaker.close()


def test_two_servers_can_be_asked_within_the_time_a_turn_has_for_its_voice() -> None:
    defaults = TtsSettings.model_fields["qwen3_api_read_timeout_s"].default

    assert Patience().read_s == defaults
    assert 2 * defaults <= Settings.model_fields["voice_deadline_s"].default
