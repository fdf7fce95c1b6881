"""Engine after engine is killed under a persona with a cloned voice: the next one answers, at last text."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from tests.stack import Stack

pytestmark = pytest.mark.speech
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
    await recado(house, "voice", "create", "ana", "--language", "pt-BR", "--stand-in", "jm_kumo=1", "--no-design")
    consent = ("--speaker", "Ana", "--consent-by", "Ana", "--statement", "Pode usar a minha voz.")
    await recado(house, "voice", "samples", "add", "ana", "sample.wav", *consent, "--transcript", words)
    persona = yaml.safe_load(await recado(house, "persona", "export", "nina"))
    persona["voice"] = "ana"
    (house.folder / "nina.yaml").write_text(yaml.safe_dump(persona, allow_unicode=True))
    await recado(house, "persona", "import", "nina.yaml")


def spoken_by(house: Stack) -> list[str]:
    lines = (json.loads(line) for line in house.log("worker").splitlines() if line.startswith("{"))
    return [line["engine"] for line in lines if line.get("event") == "spoken"]


async def test_the_answer_comes_from_the_next_engine_and_at_last_in_text(
    tmp_path: Path, tiny_qwen3: Path, tiny_xtts: Path
) -> None:
    settings = {
        **LENIENT,
        "SWITCHES": str(tmp_path),
        "TTS_ENGINES": "qwen3,xtts,kokoro",
        "QWEN3_BASE_MODEL": str(tiny_qwen3 / "base"),
        "QWEN3_DEVICE": "cpu",
        "QWEN3_DTYPE": "float32",
        "XTTS_MODEL": str(tiny_xtts),
        "XTTS_ACCEPT_CPML": "1",
        "XTTS_DEVICE": "cpu",
    }
    stack = Stack(tmp_path, settings, worker=("-m", "tests.e2e.killable_worker"))
    async with stack as house:
        await give_nina_a_cloned_voice(house)
        await asyncio.sleep(1.5)  # personas are read anew every second
        hello = await house.write("ana", "oi")
        await house.answers_after("ana", hello, 2, within_s=120)
        kinds = []
        for killed in ("qwen3", "xtts", "kokoro"):
            (tmp_path / f"kill-{killed}").touch()
            asked = await house.write("ana", "tudo bem?")
            (answer,) = await house.answers_after("ana", asked, 1, within_s=120)
            kinds.append(answer["type"])
        assert spoken_by(house) == ["qwen3", "xtts", "kokoro"]
        assert kinds == ["audio", "audio", "text"]
