from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from bot.commandline import env_example
from bot.settings import Settings
from tts.settings import TtsSettings

ROOT = Path(__file__).parents[2]
SHOWN = (ROOT / ".env.example").read_text(encoding="utf-8")


def is_setting(line: str) -> bool:
    return line.startswith("#") and not line.startswith("# ") and "=" in line and line[1:2].isupper()


def uncommented() -> str:
    return "\n".join(line[1:] for line in SHOWN.splitlines() if is_setting(line))


@pytest.fixture
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in env_example.fields():
        for spelling in (name, name.upper()):
            if spelling in os.environ:
                monkeypatch.delenv(spelling)


def test_every_setting_stands_in_the_file_exactly_once_and_nothing_else_does() -> None:
    names = Counter(line.partition("=")[0] for line in uncommented().splitlines())
    assert names == Counter(name.upper() for name in env_example.fields())


@pytest.mark.usefixtures("bare_environment")
@pytest.mark.parametrize("settings", [Settings, TtsSettings])
def test_the_values_shown_are_the_defaults_of_the_code(settings: type[Settings | TtsSettings], tmp_path: Path) -> None:
    copied = tmp_path / ".env"
    copied.write_text(uncommented(), encoding="utf-8")
    assert settings(_env_file=copied) == settings(_env_file=None)  # type: ignore[call-arg] # pydantic-settings' own


@pytest.mark.parametrize("name", sorted(env_example.fields()))
def test_the_description_stands_above_its_setting(name: str) -> None:
    before, found, _ = SHOWN.partition(f"\n#{name.upper()}=")
    paragraph = before.rpartition("\n\n")[2]
    words = " ".join(line.removeprefix("# ") for line in paragraph.splitlines())
    assert found
    assert words.startswith(env_example.fields()[name].description or "a description is missing")


def test_the_file_is_the_one_the_code_writes() -> None:
    assert "\n".join(env_example.lines()) + "\n" == SHOWN, "run: python -m bot.commandline.env_example > .env.example"


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (True, "true"), (("a", "b"), "a,b"), (20.0, "20"), (0.005, "0.005"), (16_000_000, "16000000")],
)
def test_values_are_written_as_people_write_them(value: object, text: str) -> None:
    assert env_example.value_text(value) == text
