from dataclasses import replace

from tts.breaker import BreakerState
from tts.contract import EngineInfo, SourceKind, Voice, VoiceSource
from tts.fallback import SKIPPED, Choice, EngineView, choose_engines
from tts.voices.mix import stand_in_only

SAMPLE = VoiceSource(kind=SourceKind.SAMPLE, ref="ab" * 32)
STYLE = VoiceSource(kind=SourceKind.STYLE, ref="jm_kumo")
LARGE = EngineInfo(
    name="large",
    model="m",
    licence="l",
    languages=frozenset(),
    sample_rate_hz=24_000,
    max_batch=8,
    source_kinds=frozenset({SourceKind.SAMPLE, SourceKind.DESIGNED}),
    designs=True,
)
LIGHT = replace(
    LARGE,
    name="light",
    languages=frozenset({"en", "pt-BR"}),
    source_kinds=frozenset({SourceKind.STYLE}),
    designs=False,
    names=("jm_kumo",),
)
VIEWS = {"large": EngineView(info=LARGE), "light": EngineView(info=LIGHT)}
CLONED = Voice(id="c", language="pt-BR", sources=(SAMPLE,), stand_in=(STYLE,))


def choose(voice: Voice, language: str = "pt-BR", **views: EngineView) -> Choice:
    return choose_engines(voice, language, installed=("large", "light"), views={**VIEWS, **views})


def reason(choice: Choice, engine: str) -> str:
    return next(attempt.reason for attempt in choice.skipped if attempt.engine == engine)


def test_engines_that_can_are_asked_in_the_installations_order() -> None:
    assert choose(CLONED).candidates == ("large", "light")


def test_the_voices_own_order_wins() -> None:
    assert choose(replace(CLONED, engines=("light", "large"))).candidates == ("light", "large")


def test_engines_a_voice_does_not_name_are_not_asked() -> None:
    assert choose(replace(CLONED, engines=("light",))).candidates == ("light",)


def test_an_engine_outside_the_installation_is_skipped_as_such() -> None:
    choice = choose(replace(CLONED, engines=("other", "light")))

    assert choice.candidates == ("light",)
    assert "TTS_ENGINES" in reason(choice, "other")


def test_a_voice_without_stand_in_is_never_spoken_by_a_stranger() -> None:
    choice = choose(replace(CLONED, stand_in=()))

    assert choice.candidates == ("large",)
    assert "stranger" in reason(choice, "light")


def test_a_voice_that_is_only_a_prompt_waits_for_its_clip() -> None:
    choice = choose(Voice(id="p", language="en", prompt="a warm voice"))

    assert choice.candidates == ()
    assert "no clip of it has been designed yet" in reason(choice, "large")


def test_an_unknown_name_is_answered_with_the_valid_ones() -> None:
    choice = choose(Voice(id="s", language="en", sources=(replace(STYLE, ref="nobody"),)))

    assert reason(choice, "light").startswith("has no style named nobody; valid: ")


def test_a_stand_in_with_an_unknown_style_stands_in_for_nothing() -> None:
    stranger = VoiceSource(kind=SourceKind.STYLE, ref="nobody")

    assert choose(replace(CLONED, stand_in=(stranger,))).candidates == ("large",)


def test_a_voice_made_of_styles_needs_no_stand_in() -> None:
    assert choose(Voice(id="s", language="en", sources=(STYLE,))).candidates == ("light",)


def test_an_engine_that_does_not_speak_the_language_is_skipped() -> None:
    choice = choose(CLONED, "ja")

    assert choice.candidates == ("large",)
    assert reason(choice, "light") == "does not speak ja; valid: en, pt-BR"


def test_an_engine_that_is_not_configured_is_skipped_as_such() -> None:
    choice = choose(CLONED, large=EngineView(info=None, unavailable="not configured"))

    assert choice.candidates == ("light",)
    assert reason(choice, "large") == "not configured"


def test_an_engine_that_failed_to_load_is_skipped_with_its_reason() -> None:
    choice = choose(CLONED, large=EngineView(info=LARGE, unavailable="failed: no GPU"))

    assert reason(choice, "large") == "failed: no GPU"


def test_an_engine_with_an_open_breaker_is_skipped() -> None:
    choice = choose(CLONED, large=EngineView(info=LARGE, breaker=BreakerState.OPEN, allowed=False))

    assert choice.candidates == ("light",)
    assert "breaker open" in reason(choice, "large")


def test_weights_that_are_all_zero_are_refused() -> None:
    choice = choose(Voice(id="z", language="en", sources=(replace(STYLE, weight=0.0),)))

    assert choice.candidates == ()
    assert "zero" in reason(choice, "light")


def test_every_engine_is_either_asked_or_skipped_with_a_reason() -> None:
    choice = choose(replace(CLONED, stand_in=()))

    assert {*choice.candidates, *(attempt.engine for attempt in choice.skipped)} == {"large", "light"}
    assert all(attempt.reason and attempt.outcome == SKIPPED for attempt in choice.skipped)


def test_an_engine_that_cannot_stand_in_for_a_barred_voice_is_told_the_bar() -> None:
    choice = choose_engines(
        stand_in_only(CLONED), "pt-BR", installed=("large", "light"), views=VIEWS, barred="the consent was withdrawn"
    )

    assert choice.candidates == ("light",)
    assert reason(choice, "large") == "the consent was withdrawn"


def test_a_barred_voice_is_not_designed_anew_from_its_prompt() -> None:
    voice = stand_in_only(replace(CLONED, prompt="a warm voice", stand_in=()))

    assert choose(voice).candidates == ()
