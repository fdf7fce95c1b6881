"""What is kept and told of a note: who was tried, what it was made of, and that it is on record before it leaves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs
from structlog.types import EventDict

from bot.metrics import Metrics
from bot.provenance import Notary, RecordNotKept, Records
from bot.record import VoiceAttempt
from bot.turn import Outcome
from tests.household import Household, personas
from tts.contract import Attempt, Making, Timings, VoiceNote
from tts.errors import DeadlineExceeded, EngineFailed, NoVoice, TtsError
from tts.material import MemoryMaterial
from tts.provenance import SignedRecord, SigningKeys, find_record
from webhooks.contract import NotSent

NINA, _ = personas()
PROMPT = "Calm, low, a little amused."
MAKING = Making(
    sample_count=2, prompt_mark="0123456789ab", profile="memory", batch_size=3, gpu_memory_bytes=4_000_000_000
)
TIMINGS = Timings(plan_s=0.01, queue_s=0.25, generate_s=1.5, gate_s=0.125, encode_s=0.0625)
FELL = Attempt(engine="qwen3", outcome="EngineFailed", reason="qwen3 raised RuntimeError", latency_s=2.5)
LEFT_OUT = Attempt(engine="remote", outcome="skipped", reason="not configured")
SPOKE = Attempt(engine="fake", outcome="ok", latency_s=1.75)


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[EventDict]]:
    """What was logged."""
    with capture_logs() as entries:
        yield entries


@pytest.fixture
async def friends(redis: Redis) -> AsyncIterator[Household]:
    """A household that Ana has met, with nothing counted yet."""
    async with Household.opened(redis) as house:
        await house.met()
        house.metrics = Metrics()
        yield house


class Telling:
    """A speaker whose notes say what a test wants of how they were made; or one that raises."""

    def __init__(self, speaker: Any, *, raises: TtsError | None = None) -> None:
        self._speaker = speaker
        self._raises = raises

    async def speak(self, *arguments: Any, **choices: Any) -> VoiceNote:
        if self._raises is not None:
            raise self._raises
        note: VoiceNote = await self._speaker.speak(*arguments, **choices)
        return replace(note, making=MAKING, timings=TIMINGS, attempts=(LEFT_OUT, FELL, SPOKE))

    async def close(self) -> None:
        await self._speaker.close()


class LostRecords(Records):
    """A store that takes no record."""

    async def put(self, signed: SignedRecord) -> None:  # noqa: ARG002 - the signature is the contract's
        raise RecordNotKept("the record of a note was not kept (TimeoutError)")


def one(logs: Sequence[EventDict], event: str) -> EventDict:
    (found,) = [entry for entry in logs if entry["event"] == event]
    return found


async def spoken(house: Household) -> bytes:
    """Ana is answered by voice; the note as it was uploaded."""
    house.channel.media.clear()
    await house.write("bom dia")
    await house.answer()
    (note,) = house.channel.media.values()
    return note


# -- what a note was made of ------------------------------------------------------------------------------------------


async def test_the_log_line_of_a_note_tells_all_of_its_making(friends: Household, logs: list[EventDict]) -> None:
    friends.speaker = Telling(friends.speaker)
    logs.clear()
    note = await spoken(friends)
    (part,) = friends.record((await friends.mailbox.turns(1))[0]).turn.parts
    wanted = {
        "engine": "fake",
        "has_sample": True,
        "sample_count": 2,
        "prompt": "0123456789ab",
        "profile": "memory",  # where the profile came from: a hit, or "made"
        "batch": 3,
        "queue_s": 0.25,
        "generate_s": 1.5,
        "gate_s": 0.125,
        "encode_s": 0.062,
        "audio_s": round(part.duration_s, 2),
        "note_bytes": len(note),
        "gpu_memory_bytes": 4_000_000_000,
    }
    line = one(logs, "spoken")
    assert {name: line.get(name) for name in wanted} == wanted


async def test_the_metrics_of_a_note_tell_all_of_its_making(friends: Household) -> None:
    friends.speaker = Telling(friends.speaker)
    note = await spoken(friends)
    (part,) = friends.record((await friends.mailbox.turns(1))[0]).turn.parts
    made_of = {"engine": "fake", "has_sample": "true", "sample_count": "2", "prompt": "0123456789ab"}
    wanted: list[tuple[str, dict[str, str], float]] = [
        ("recado_notes_total", {**made_of, "profile": "memory"}, 1),
        ("recado_note_seconds_sum", {"engine": "fake", "stage": "queue"}, 0.25),
        ("recado_note_seconds_sum", {"engine": "fake", "stage": "generate"}, 1.5),
        ("recado_note_seconds_sum", {"engine": "fake", "stage": "gate"}, 0.125),
        ("recado_note_seconds_sum", {"engine": "fake", "stage": "encode"}, 0.0625),
        ("recado_audio_seconds_total", {"engine": "fake"}, part.duration_s),
        ("recado_note_bytes_sum", {}, len(note)),
        ("recado_gpu_memory_bytes", {}, 4_000_000_000),
    ]
    counted = [(name, labels, friends.counted(name, **labels)) for name, labels, _ in wanted]
    assert counted == wanted


async def test_a_voice_without_recordings_is_told_as_such(friends: Household, logs: list[EventDict]) -> None:
    logs.clear()
    await spoken(friends)
    line = one(logs, "spoken")
    assert (line["has_sample"], line["sample_count"], line["gpu_memory_bytes"]) == (False, 0, None)


async def test_a_prompt_goes_by_its_mark_and_never_by_its_words(friends: Household, logs: list[EventDict]) -> None:
    await friends.personas.put(replace(NINA, voice=replace(NINA.voice, prompt=PROMPT)))
    logs.clear()
    await spoken(friends)
    metrics, _ = friends.metrics.render()
    mark = one(logs, "spoken")["prompt"]
    assert f'prompt="{mark}"' in metrics.decode()
    assert len(mark) == 12
    assert PROMPT not in repr(logs) + metrics.decode()


# -- who was tried ----------------------------------------------------------------------------------------------------


async def test_every_attempt_at_a_note_is_kept_with_its_turn(friends: Household) -> None:
    friends.speaker = Telling(friends.speaker)
    await friends.write("bom dia")
    assert friends.record(await friends.answer()).attempts == (
        VoiceAttempt(part=0, engine="remote", outcome="skipped", reason="not configured"),
        VoiceAttempt(part=0, engine="qwen3", outcome="EngineFailed", reason="qwen3 raised RuntimeError", latency_s=2.5),
        VoiceAttempt(part=0, engine="fake", outcome="ok", latency_s=1.75),
    )


@pytest.mark.parametrize("error", [NoVoice, DeadlineExceeded])
async def test_the_attempts_that_led_to_text_are_kept_with_its_turn(
    friends: Household, error: type[NoVoice | DeadlineExceeded]
) -> None:
    friends.speaker = Telling(friends.speaker, raises=error("no voice", attempts=(LEFT_OUT, FELL)))
    await friends.write("bom dia")
    tried = friends.record(await friends.answer()).attempts
    assert [(one.engine, one.outcome, one.reason, one.latency_s) for one in tried] == [
        ("remote", "skipped", "not configured", 0.0),
        ("qwen3", "EngineFailed", "qwen3 raised RuntimeError", 2.5),
    ]


async def test_attempts_are_logged_with_engine_outcome_reason_and_latency(
    friends: Household, logs: list[EventDict]
) -> None:
    friends.speaker = Telling(friends.speaker)
    logs.clear()
    await spoken(friends)
    assert one(logs, "spoken")["attempts"][1:] == [
        {"engine": "qwen3", "outcome": "EngineFailed", "reason": "qwen3 raised RuntimeError", "latency_s": 2.5},
        {"engine": "fake", "outcome": "ok", "reason": "", "latency_s": 1.75},
    ]


async def test_attempts_that_led_to_text_are_logged_as_well(friends: Household, logs: list[EventDict]) -> None:
    friends.speaker = Telling(friends.speaker, raises=NoVoice("no voice", attempts=(FELL,)))
    logs.clear()
    await friends.write("bom dia")
    await friends.answer()
    assert one(logs, "no voice, answering in text")["attempts"] == [
        {"engine": "qwen3", "outcome": "EngineFailed", "reason": "qwen3 raised RuntimeError", "latency_s": 2.5}
    ]


@pytest.mark.parametrize("speaks", [True, False])
async def test_attempts_are_counted_whether_or_not_a_note_comes_of_them(friends: Household, *, speaks: bool) -> None:
    failure = None if speaks else NoVoice("no voice", attempts=(LEFT_OUT, FELL))
    friends.speaker = Telling(friends.speaker, raises=failure)
    await friends.write("bom dia")
    await friends.answer()
    assert [
        friends.counted("recado_engine_attempts_total", engine="remote", outcome="skipped"),
        friends.counted("recado_engine_attempts_total", engine="qwen3", outcome="EngineFailed"),
        friends.counted("recado_engine_attempt_seconds_sum", engine="qwen3"),
        friends.counted("recado_engine_attempt_seconds_count", engine="remote"),
    ] == [1, 1, 2.5, 0]


async def test_an_engine_that_fails_is_named_with_its_reason(friends: Household) -> None:
    friends.engine.raises = EngineFailed("broken")
    await friends.write("bom dia")
    (tried,) = friends.record(await friends.answer()).attempts
    assert (tried.engine, tried.outcome, tried.reason) == ("fake", "EngineFailed", "broken")


async def test_attempts_at_a_note_that_was_lost_stand_beside_those_at_the_next(friends: Household) -> None:
    friends.channel.fail("upload_voice", NotSent("no connection"))
    await friends.write("bom dia")
    (part,) = friends.record(await friends.answer()).turn.parts
    await friends.blobs.delete(part.blob_id)
    await friends.later(15)
    tried = friends.record(await friends.answer()).attempts
    assert [one.outcome for one in tried] == ["ok", "ok"]


# -- on record --------------------------------------------------------------------------------------------------------


async def test_a_note_that_leaves_is_on_record_with_its_turn(friends: Household) -> None:
    note = await spoken(friends)
    found = await find_record(note, [Records(friends.redis, kept_s=3600)])
    assert found is not None
    assert found.signed.record.turn_id == (await friends.mailbox.turns(1))[0].turn_id


async def test_a_note_whose_record_cannot_be_kept_becomes_text(friends: Household) -> None:
    friends.notary = Notary(SigningKeys([bytes(32)]), LostRecords(friends.redis, kept_s=1), material=MemoryMaterial())
    await friends.write("bom dia")
    turn = await friends.answer()
    (part,) = friends.record(turn).turn.parts
    assert (turn.outcome, friends.texts) == (Outcome.ANSWERED, ["bom dia"])
    assert (part.fallback_reason, part.blob_id) == ("RecordNotKept", "")


async def test_a_note_whose_record_cannot_be_kept_is_counted_as_none(friends: Household) -> None:
    friends.notary = Notary(SigningKeys([bytes(32)]), LostRecords(friends.redis, kept_s=1), material=MemoryMaterial())
    await friends.write("bom dia")
    await friends.answer()
    assert [
        friends.counted("recado_voice_fallbacks_total", reason="RecordNotKept"),
        friends.counted("recado_engine_attempts_total", engine="fake", outcome="ok"),
        friends.counted("recado_audio_seconds_total", engine="fake"),
    ] == [1, 1, 0]
