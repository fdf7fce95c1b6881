from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tts.contract import Engine
from tts.engines import ENGINES
from tts.engines.remote import RemoteEngine
from tts.settings import EngineName, TtsSettings
from tts.speech_address import Dialect, SpeechAddress, parse_address


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in TtsSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def settings(tmp_path: Path, **lines: str) -> TtsSettings:
    file = tmp_path / ".env"
    file.write_text("\n".join(f"{name.upper()}={value}" for name, value in lines.items()))
    return TtsSettings(_env_file=file)


def made(settings: TtsSettings) -> Engine | None:
    return ENGINES[EngineName.REMOTE].make(settings)


@pytest.mark.parametrize(
    "written",
    ["openai=https://api.example.com/v1", " openai = https://api.example.com/v1/ ", "openai=https://api.example.com"],
)
def test_an_address_may_end_in_v1_or_not(written: str) -> None:
    assert parse_address(written) == SpeechAddress(dialect=Dialect.OPENAI, url="https://api.example.com")


def test_a_path_before_v1_is_kept() -> None:
    assert parse_address("recado=http://gate:8443/tts/v1").url == "http://gate:8443/tts"


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("http://gpu:8091", "dialects: openai, vllm-omni, recado"),
        ("sglang=http://gpu:8091", "dialects: openai, vllm-omni, recado"),
        ("openai=gpu:8091", "not an http"),
        ("openai=file:///etc/passwd", "not an http"),
        ("openai=http://", "not an http"),
        ("openai=http://gpu:99999", "not an http"),
        ("openai=http://me:secret@gpu", "keys go into QWEN3_API_KEY"),
        ("openai=http://gpu/?key=secret", "ends in a query"),
    ],
)
def test_an_address_that_cannot_work_is_refused_without_its_secret(written: str, told: str) -> None:
    with pytest.raises(ValueError, match=told) as refused:
        parse_address(written)

    assert "secret" not in str(refused.value)


@given(st.text() | st.text().map("openai=http://{}".format))
def test_anything_is_refused_with_a_value_error_or_read_to_what_is_read_the_same_again(written: str) -> None:
    try:
        address = parse_address(written)
    except ValueError:
        return
    assert parse_address(str(address)) == address


def test_servers_are_read_in_their_order(tmp_path: Path) -> None:
    read = settings(tmp_path, qwen3_api_url="vllm-omni=http://a:1, openai=http://b:2/v1,")

    assert [str(address) for address in read.qwen3_api_url] == ["vllm-omni=http://a:1", "openai=http://b:2"]


def test_a_wrong_address_is_told_without_what_was_written(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="keys go into QWEN3_API_KEY") as refused:
        settings(tmp_path, qwen3_api_url="openai=http://me:hunter2@gpu")

    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("written", "keys"), [("", ("", "")), ("one", ("one", "one")), ("one,two", ("one", "two")), (",two", ("", "two"))]
)
def test_each_server_has_its_key(tmp_path: Path, written: str, keys: tuple[str, ...]) -> None:
    read = settings(tmp_path, qwen3_api_url="openai=http://a,openai=http://b", qwen3_api_key=written)

    assert read.qwen3_api_keys == keys


def test_keys_that_match_no_servers_are_refused_and_not_shown(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="3 keys for the 2 addresses") as refused:
        settings(tmp_path, qwen3_api_url="openai=http://a,openai=http://b", qwen3_api_key="alpha,beta,gamma")

    assert "gamma" not in str(refused.value)


def test_without_an_address_remote_is_not_configured(tmp_path: Path) -> None:
    assert made(settings(tmp_path)) is None


def test_with_one_it_is(tmp_path: Path) -> None:
    assert isinstance(made(settings(tmp_path, qwen3_api_url="recado=http://gpu:8082")), RemoteEngine)


def test_a_slow_server_cannot_make_the_engine_count_as_hung(tmp_path: Path) -> None:
    engine = made(
        settings(tmp_path, qwen3_api_url="recado=http://a", qwen3_api_timeout_s="500", tts_batch_deadline_s="100")
    )

    assert isinstance(engine, RemoteEngine)
    assert engine._patience.total_s == 90.0
