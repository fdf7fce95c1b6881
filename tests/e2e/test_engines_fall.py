"""Engines fail under a persona with a cloned voice, each in its way: somebody speaks, at last there is text.

What became of them is told by log, metrics and the turn.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from bot.worker import LOST_EXIT_CODE
from tests.stack import HOST, Stack

pytestmark = [pytest.mark.speech, pytest.mark.asyncio(loop_scope="module")]
pytest.importorskip("torch", reason="the large engines are not installed")

# Random checkpoints speak noise, so the gate lets it pass here; which engine spoke is the claim.
LENIENT = {
    "GATE_MIN_RATIO": "0.01",
    "GATE_MAX_RATIO": "100",
    "GATE_SLACK_S": "60",
    "GATE_MIN_LEVEL_DBFS": "-100",
    "GATE_MAX_GAP_S": "60",
    "GATE_MAX_CLIPPED": "1",
    "GATE_MAX_REPETITION": "1",
    "GATE_MAX_DRONE_S": "60",
}
WORKER = ("-m", "tests.e2e.killable_worker")
PROMPT = "A calm voice, as if telling a story on a porch."
SHORT = "obrigado!"  # Nina's answers to it are short: a tiny model is slow enough
LONG = "como funciona o áudio?"  # whatever Nina answers to it is spoken in two segments


def with_qwen3(checkpoints: Path, switches: Path, *, engines: str) -> dict[str, str]:
    return {
        **LENIENT,
        "SWITCHES": str(switches),
        "TTS_ENGINES": engines,
        "QWEN3_BASE_MODEL": str(checkpoints / "base"),
        "QWEN3_DEVICE": "cpu",
        "QWEN3_DTYPE": "float32",
    }


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, tiny_qwen3: Path) -> AsyncIterator[Stack]:
    """Qwen3-TTS with Kokoro behind it, a breaker that opens soon, and Ana and Bia, who know Nina's cloned voice."""
    folder = tmp_path_factory.mktemp("fall")
    settings = {
        **with_qwen3(tiny_qwen3, folder, engines="qwen3,kokoro"),
        "TTS_TAKES": "1",
        "BREAKER_FAILURES": "2",
        "BREAKER_RECOVERY_S": "8",
        "LEASE_S": "6",
    }
    async with Stack(folder, settings, worker=WORKER) as stack:
        await give_nina_a_cloned_voice(stack)
        await until_nina_speaks_with_it(stack, "ana")
        bia = await stack.add_person("Bia", "5511970000077")
        assert bia == "bia"
        await answer_to(stack, "bia", SHORT)
        yield stack


@contextlib.contextmanager
def switched(house: Stack, name: str) -> Iterator[None]:
    """While a switch of the worker's is on."""
    switch = house.folder / name
    switch.touch()
    try:
        yield
    finally:
        switch.unlink(missing_ok=True)


async def recado(house: Stack, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "bot", *arguments),
        cwd=house.folder,
        env={**house.environment, **(environment or {})},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


async def give_nina_a_cloned_voice(house: Stack) -> None:
    """A recording with its consent becomes a voice, and Nina speaks with it."""
    words = "Oi! Esta é a minha voz, gravada com calma em casa, para que ela possa responder às mensagens por mim."
    await recado(house, "say", words, "-o", "sample.wav", environment={"TTS_ENGINES": "kokoro"})
    style = ("--prompt", PROMPT, "--stand-in", "jm_kumo=1", "--no-design")
    await recado(house, "voice", "create", "ana", "--language", "pt-BR", *style)
    consent = ("--speaker", "Ana", "--consent-by", "Ana", "--statement", "Pode usar a minha voz.")
    await recado(house, "voice", "samples", "add", "ana", "sample.wav", *consent, "--transcript", words)
    persona = yaml.safe_load(await recado(house, "persona", "export", "nina"))
    persona["voice"] = "ana"
    (house.folder / "nina.yaml").write_text(yaml.safe_dump(persona, allow_unicode=True))
    await recado(house, "persona", "import", "nina.yaml")


async def until_nina_speaks_with_it(house: Stack, person: str) -> None:
    """The worker reads personas anew every second."""
    async with asyncio.timeout(240):
        while line_of(house, await answer_to(house, person, SHORT))["engine"] != "qwen3":
            pass


async def answer_to(house: Stack, person: str, text: str) -> dict[str, Any]:
    """The answer to a message: the part that quotes it."""
    asked = await house.write(person, text)
    return await answered(house, person, asked)


async def answered(house: Stack, person: str, asked: dict[str, Any]) -> dict[str, Any]:
    count = 1
    while True:
        for answer in await house.answers_after(person, asked, count, within_s=120):
            if answer["context_id"] == asked["wamid"]:
                return dict(answer)
        count += 1


def logged(house: Stack, event: str, **fields: object) -> list[dict[str, Any]]:
    lines = (json.loads(line) for line in house.log("worker").splitlines() if line.startswith("{"))
    return [line for line in lines if {"event": event, **fields}.items() <= line.items()]


def line_of(house: Stack, answer: Mapping[str, Any]) -> dict[str, Any]:
    """The log's line `spoken` of the turn of an answer."""
    return logged(house, "spoken", turn=turn_id_of(answer))[-1]


def turn_id_of(answer: Mapping[str, Any]) -> str:
    return str(answer["callback_data"]).partition(":")[0]


def tried(line: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(attempt["engine"], attempt["outcome"]) for attempt in line["attempts"]]


async def metrics(house: Stack) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """The worker's metrics, by name and labels."""
    text = (await house.http.get(f"http://{HOST}:{house.worker_port}/metrics")).text
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return {(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples}


async def breaker_is(house: Stack, state: str) -> bool:
    labels = frozenset({("engine", "qwen3"), ("state", state)})
    return (await metrics(house))[("recado_engine_breaker", labels)] == 1


async def until(house: Stack, true: Callable[[], Awaitable[object]], within_s: float = 60) -> None:
    """Return once it is true."""
    ends = time.monotonic() + within_s
    while not await true():
        if time.monotonic() > ends:
            raise AssertionError(f"it never happened\n{house.log('worker')[-6000:]}")
        await asyncio.sleep(0.02)


async def breaker_has_opened(house: Stack) -> bool:
    return bool(logged(house, "engine.breaker_opened", engine="qwen3"))


async def test_the_answer_comes_from_the_next_engine_and_at_last_in_text(
    tmp_path: Path, tiny_qwen3: Path, tiny_xtts: Path
) -> None:
    settings = {
        **with_qwen3(tiny_qwen3, tmp_path, engines="qwen3,xtts,kokoro"),
        "XTTS_MODEL": str(tiny_xtts),
        "XTTS_ACCEPT_CPML": "1",
        "XTTS_DEVICE": "cpu",
    }
    async with Stack(tmp_path, settings, worker=WORKER) as stack:
        await give_nina_a_cloned_voice(stack)
        await until_nina_speaks_with_it(stack, "ana")
        answers = []
        for killed in ("qwen3", "xtts", "kokoro"):
            (tmp_path / f"kill-{killed}").touch()
            answers.append(await answer_to(stack, "ana", SHORT))

        assert [answer["type"] for answer in answers] == ["audio", "audio", "text"]
        assert [line_of(stack, answer)["engine"] for answer in answers[:2]] == ["xtts", "kokoro"]
        shown = await recado(stack, "turn", "show", turn_id_of(answers[2]))
        told = [" ".join(line.split()) for line in shown.splitlines() if line.startswith("voice of 0")]
        assert [line.split(" after ")[0] for line in told] == [
            "voice of 0 qwen3: EngineFailed",
            "voice of 0 xtts: EngineFailed",
            "voice of 0 kokoro: EngineFailed",
        ]
        assert all(line.endswith("switched off") for line in told)


async def test_a_batch_that_finds_no_memory_is_made_in_parts_by_the_same_engine(house: Stack) -> None:
    before = len(logged(house, "qwen3.batch"))
    with switched(house, "crowd"):
        answer = await answer_to(house, "ana", LONG)

    line = line_of(house, answer)
    assert answer["type"] == "audio"
    assert tried(line) == [("qwen3", "ok")]
    assert logged(house, "qwen3.out_of_memory")[-1]["batch"] > 1
    assert [made["batch"] for made in logged(house, "qwen3.batch")[before:]] == [1] * line["segments"]


async def test_a_model_that_fails_again_and_again_is_left_alone_until_a_trial_succeeds(house: Stack) -> None:
    with switched(house, "break"):
        first = await answer_to(house, "ana", SHORT)
        second = await house.write("ana", SHORT)
        await until(house, lambda: breaker_has_opened(house))
        assert await breaker_is(house, "open")
        meanwhile = await answer_to(house, "bia", SHORT)
        lines = [line_of(house, one) for one in (first, await answered(house, "ana", second), meanwhile)]
    await until(house, lambda: breaker_is(house, "half-open"))
    trial = await answer_to(house, "ana", SHORT)

    assert [tried(line) for line in lines] == [
        [("qwen3", "EngineFailed"), ("kokoro", "ok")],
        [("qwen3", "EngineFailed"), ("kokoro", "ok")],
        [("qwen3", "skipped"), ("kokoro", "ok")],
    ]
    assert lines[2]["attempts"][0]["reason"] == "breaker open: it failed too often"
    assert tried(line_of(house, trial)) == [("qwen3", "ok")]
    assert await breaker_is(house, "closed")
    assert len(logged(house, "engine.breaker_closed", engine="qwen3")) == 1


async def test_a_device_that_fails_ends_the_worker_and_the_next_one_finishes_the_turn(house: Stack) -> None:
    with capture_logs() as supervised, switched(house, "lose"):
        asked = await house.write("ana", SHORT)
        answer = await answered(house, "ana", asked)
    await house.until_ready()

    turn, line = await house.turn_of(answer), line_of(house, answer)
    assert turn is not None
    assert [one["exit_code"] for one in supervised if one.get("child") == "worker"] == [LOST_EXIT_CODE]
    assert "device-side assert" in logged(house, "engine.lost", engine="qwen3")[-1]["reason"]
    assert (answer["type"], tried(line), turn.attempt) == ("audio", [("qwen3", "ok")], 2)
    assert await house.answers_after("ana", asked, 1) == [answer]


async def test_log_and_metrics_tell_what_went_into_each_note(house: Stack) -> None:
    line = line_of(house, await answer_to(house, "bia", SHORT))
    mark = hashlib.sha256(PROMPT.encode()).hexdigest()[:12]
    made_of = {"engine": "qwen3", "has_sample": True, "sample_count": 1, "prompt": mark, "profile": "memory"}
    assert {name: line.get(name) for name in made_of} == made_of
    assert all(line[name] > 0 for name in ("batch", "generate_s", "encode_s", "audio_s", "note_bytes"))
    assert line["queue_s"] >= 0
    assert line["gpu_memory_bytes"] is None  # a number where there is a GPU

    labels = {name: str(value).lower() for name, value in made_of.items()}
    by_engine = {"engine": "qwen3"}
    expected = [
        ("recado_notes_total", labels),
        ("recado_batch_size_count", by_engine),
        *(("recado_note_seconds_count", {**by_engine, "stage": stage}) for stage in ("queue", "generate", "encode")),
        ("recado_audio_seconds_total", by_engine),
        ("recado_note_bytes_count", {}),
        ("recado_profile_cache_total", {"where": "memory", "result": "hit"}),
        ("recado_engine_attempts_total", {**by_engine, "outcome": "ok"}),
        ("recado_engine_attempt_seconds_count", by_engine),
    ]
    counted = await metrics(house)
    assert [one for one in expected if counted.get((one[0], frozenset(one[1].items())), 0) < 1] == []
    assert ("recado_gpu_memory_bytes", frozenset()) in counted
    assert PROMPT not in house.log("worker")
