from pathlib import Path

import pytest
from pydantic import ValidationError

from tts.settings import EngineName, TtsSettings


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in TtsSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def settings() -> TtsSettings:
    return TtsSettings(_env_file=None)


def test_the_default_order_is_the_large_engines_then_the_light_one() -> None:
    assert settings().tts_engines == (EngineName.QWEN3, EngineName.REMOTE, EngineName.XTTS, EngineName.KOKORO)


def test_the_order_is_read_comma_separated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTS_ENGINES", " kokoro, espeak ,kokoro")

    assert settings().tts_engines == (EngineName.KOKORO, EngineName.ESPEAK)


def test_an_unknown_engine_is_refused_with_the_valid_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTS_ENGINES", "kokoro,tacotron")

    with pytest.raises(
        ValidationError, match="unknown engine tacotron; valid: qwen3, remote, xtts, bark, kokoro, espeak"
    ):
        settings()


def test_an_empty_order_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTS_ENGINES", "")

    assert EngineName.KOKORO in settings().tts_engines


def test_a_dotenv_file_is_read_and_its_other_keys_are_left_alone(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("KOKORO_THREADS=1\nWHATSAPP_APP_SECRET=x\n")

    assert TtsSettings(_env_file=file).kokoro_threads == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OPUS_FRAME_MS", "50"),
        ("OPUS_SAMPLE_RATE_HZ", "44100"),
        ("OPUS_APPLICATION", "music"),
        ("KOKORO_THREADS", "0"),
        ("TTS_BATCH_DEADLINE_S", "0"),
    ],
)
def test_a_value_that_cannot_work_is_refused(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(ValidationError):
        settings()


@pytest.mark.parametrize("name", TtsSettings.model_fields)
def test_every_setting_says_what_it_is(name: str) -> None:
    assert TtsSettings.model_fields[name].description


def test_keys_do_not_show_when_settings_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STT_API_KEY", "sk-very-secret")

    assert "very-secret" not in repr(settings())


def test_what_the_parts_get_is_what_was_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTE_MAX_BYTES", "100000")
    monkeypatch.setenv("GATE_MAX_GAP_S", "9")
    monkeypatch.setenv("BREAKER_FAILURES", "2")

    read = settings()

    assert (read.opus.max_bytes, read.gate.max_gap_s, read.breaker.failures) == (100_000, 9.0, 2)
