from __future__ import annotations

from pathlib import Path

import pytest

from bot.doctor.configuration import env_file, load_settings
from bot.doctor.finding import Level
from bot.settings import Settings

KNOWN = ["WHATSAPP_APP_SECRET", "WHATSAPP_ACCESS_TOKEN", "WEB_PORT"]


def written(folder: Path, text: str, *, mode: int = 0o600) -> Path:
    path = folder / ".env"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def test_no_env_file_is_fine(tmp_path: Path) -> None:
    (finding,) = env_file(tmp_path / ".env", KNOWN)
    assert finding.level is Level.OK


def test_a_good_env_file_is_fine_and_its_settings_are_counted(tmp_path: Path) -> None:
    (finding,) = env_file(written(tmp_path, "WEB_PORT=1\nweb_port=2\nOTHER_PROGRAM=3\n"), KNOWN)
    assert finding.level is Level.OK
    assert finding.message.startswith("2 settings")


def test_an_env_file_that_others_may_read_warns(tmp_path: Path) -> None:
    (finding,) = env_file(written(tmp_path, "WEB_PORT=1\n", mode=0o644), KNOWN)
    assert finding.level is Level.WARN
    assert "chmod 600" in finding.cure


def test_a_misspelt_name_is_pointed_out_with_the_right_one(tmp_path: Path) -> None:
    (finding,) = env_file(written(tmp_path, "WHATSAPP_APP_SECERT=hush\n"), KNOWN)
    assert finding.level is Level.WARN
    assert "WHATSAPP_APP_SECRET" in finding.cure


def test_a_line_that_is_no_setting_fails_with_its_number_and_without_its_text(tmp_path: Path) -> None:
    (finding,) = env_file(written(tmp_path, "WEB_PORT=1\nhush hush\n"), KNOWN)
    assert finding.level is Level.FAIL
    assert "line 2" in finding.message
    assert "hush" not in str(finding)


def test_a_file_that_is_no_text_fails(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_bytes(b"\xff\xfe\x00")
    (finding,) = env_file(path, KNOWN)
    assert finding.level is Level.FAIL


def test_valid_settings_are_handed_out_without_findings() -> None:
    settings, findings = load_settings(lambda: Settings(_env_file=None, web_port=81))  # type: ignore[call-arg] # pydantic-settings' own
    assert settings is not None
    assert settings.web_port == 81
    assert findings == []


def test_each_wrong_field_is_one_finding_with_its_name_and_meaning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_PORT", "eighty")
    monkeypatch.setenv("WHATSAPP_API_VERSION", "26")
    settings, findings = load_settings(Settings)
    assert settings is None
    assert {(finding.name, finding.level) for finding in findings} == {
        ("WEB_PORT", Level.FAIL),
        ("WHATSAPP_API_VERSION", Level.FAIL),
    }
    assert "is no whole number" in {finding.message for finding in findings}
    assert any("Version of the Graph API." in finding.cure for finding in findings)


def test_a_wrong_value_is_never_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_TIMEOUT_S", "sk-secret-in-the-wrong-place")
    _, findings = load_settings(Settings)
    assert findings
    assert "sk-secret" not in str(findings)
