"""Commands run as people run them: in a folder of their own, with only the settings a test gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from bot.commandline.env_example import fields
from tests.speech import speech, wav
from tests.voice_house import House
from tts.engines import ENGINES, EngineEntry
from tts.engines.fake import FakeCastingEngine
from tts.settings import EngineName

Recado = Callable[..., Result]


@pytest.fixture
def workplace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty folder, and an environment without settings."""
    for name in fields():
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def recado(workplace: Path, store_url: str, monkeypatch: pytest.MonkeyPatch) -> Recado:
    """Runs a command on the emptied test store."""
    assert workplace.is_dir()
    monkeypatch.setenv("REDIS_URL", store_url)

    def run(command: click.Command, *arguments: str, answer: str | None = None) -> Result:
        return CliRunner().invoke(command, arguments, input=answer)

    return run


@pytest.fixture
def house(recado: Recado, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """A store, a large fake engine in the place of qwen3, and a recording of Ana."""
    engine = FakeCastingEngine(name="qwen3")
    monkeypatch.setitem(ENGINES, EngineName.QWEN3, EngineEntry(make=lambda _settings: engine, device="fake"))
    monkeypatch.setenv("TTS_ENGINES", "qwen3")
    file = tmp_path / "ana.wav"
    file.write_bytes(wav(speech()))
    return House(recado=recado, engine=engine, folder=tmp_path, file=str(file))
