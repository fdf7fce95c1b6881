from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from bot.commandline.doctor import doctor, report
from bot.commandline.env_example import fields
from bot.doctor.examination import Check, Section, run
from bot.doctor.finding import Finding, Level, fail, ok, skip, warn

ROOT = Path(__file__).parents[3]
HEAVY = ("numpy", "av", "onnxruntime", "ctranslate2", "faster_whisper", "soundfile", "soxr", "phonenumbers")


def check(name: str, *findings: Finding, section: str = "One", limit_s: float = 5) -> Check:
    async def look() -> list[Finding]:
        return list(findings)

    return Check(section=section, name=name, look=look, limit_s=limit_s)


async def test_findings_keep_the_order_of_the_checks_under_their_sections() -> None:
    checks = [check("a", ok("a", "1")), check("b", ok("b", "2"), section="Two"), check("c", ok("c", "3"))]
    titles = [(section.title, [finding.name for finding in section.findings]) for section in await run(checks)]
    assert titles == [("One", ["a", "c"]), ("Two", ["b"])]


async def test_checks_run_at_once() -> None:
    met = asyncio.Barrier(2)

    async def look() -> list[Finding]:
        await met.wait()
        return [ok("met", "")]

    sections = await run([Check(section="One", name="met", look=look, limit_s=5) for _ in range(2)])
    assert [finding.level for finding in sections[0].findings] == [Level.OK, Level.OK]


async def test_a_check_that_hangs_fails_and_the_others_are_heard() -> None:
    async def look() -> list[Finding]:
        await asyncio.Event().wait()
        return []

    hanging = Check(section="One", name="hangs", look=look, limit_s=0)
    (section,) = await run([hanging, check("a", ok("a", "1"))])
    assert [(finding.name, finding.level) for finding in section.findings] == [("hangs", Level.FAIL), ("a", Level.OK)]


async def test_a_check_that_breaks_fails_and_the_others_are_heard() -> None:
    async def look() -> list[Finding]:
        raise KeyError("secret")

    (section,) = await run([Check(section="One", name="breaks", look=look), check("a", ok("a", "1"))])
    assert [finding.level for finding in section.findings] == [Level.FAIL, Level.OK]
    assert "secret" not in str(section)


def test_the_list_is_aligned_and_cures_are_indented_below() -> None:
    section = Section(title="Store", findings=(ok("disk", "81 GB free"), fail("data folder", "not there", "Make it.")))
    assert [click.unstyle(line) for line in report([section], width=80)] == [
        "Store",
        "  ✓ disk         81 GB free",
        "  ✗ data folder  not there",
        "                 → Make it.",
        "",
    ]


def test_long_messages_go_on_below_themselves() -> None:
    section = Section(title="Store", findings=(skip("disk", "some words that go on and on"), warn("x", "y", "z")))
    _, first, second, *_ = report([section], width=30)
    assert first.endswith("disk  some words that go")
    assert second == "          on and on"


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder without .env and an environment without settings, ports any."""
    for name in fields():
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("WEB_PORT", "WORKER_PORT", "EMULATOR_PORT"):
        monkeypatch.setenv(name, "0")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def levels_of(output: str) -> dict[str, str]:
    return {finding["name"]: finding["level"] for finding in json.loads(output)["findings"]}


@pytest.mark.usefixtures("bare")
def test_a_machine_that_can_run_the_demo_passes() -> None:
    result = CliRunner().invoke(doctor, ["--json"])
    levels = levels_of(result.output)
    failed = {name for name, level in levels.items() if level == "fail"}
    assert failed <= {"disk", "memory"}, "whether these suffice depends on where the tests run"
    assert result.exit_code == bool(failed)
    assert levels["packages"] == levels["Kokoro"] == levels["Whisper"] == levels["Valkey"] == "ok"


@pytest.mark.usefixtures("bare")
def test_something_wrong_ends_with_status_1_and_says_so_to_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_PORT", "eighty")
    result = CliRunner().invoke(doctor, ["--json"])
    assert result.exit_code == 1
    assert json.loads(result.output)["ok"] is False
    assert levels_of(result.output)["WEB_PORT"] == "fail"


@pytest.mark.usefixtures("bare")
def test_people_get_a_list_and_a_summary() -> None:
    output = CliRunner().invoke(doctor).output
    assert "✓ Python" in output
    assert "fine" in output.splitlines()[-1]


def test_secrets_never_show(monkeypatch: pytest.MonkeyPatch, bare: Path) -> None:
    secret = "EAAhush"
    (bare / ".env").write_text(
        f"WHATSAPP_APP_SECRET={secret}1\nWHATSAPP_VERIFY_TOKEN={secret}2\nWHATSAPP_ACCESS_TOKEN={secret}3\n"
        f"WHATSAPP_PHONE_NUMBER_ID=1\nWHATSAPP_API_URL=http://127.0.0.1:9\nLLM_BASE_URL=http://u:{secret}4@127.0.0.1:9/v1\n"
        f"LLM_API_KEY={secret}5\nLLM_MODEL=m\nSTT_BASE_URL=http://127.0.0.1:9/v1\nSTT_API_KEY={secret}6\n"
    )
    result = CliRunner().invoke(doctor)
    assert result.exit_code == 1
    assert "WhatsApp" in result.output
    assert secret not in result.output


def test_it_works_where_the_heavy_packages_are_missing(bare: Path) -> None:
    blocked = (
        "import sys\n"
        f"heavy = {HEAVY!r}\n"
        "class Missing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in heavy:\n"
        "            raise ModuleNotFoundError(name, name=name)\n"
        "sys.meta_path.insert(0, Missing())\n"
        "from bot.commandline.doctor import doctor\n"
        "doctor(['--json'])\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        [sys.executable, "-c", blocked], cwd=bare, env=environment, capture_output=True, text=True, check=False
    )
    levels = levels_of(ended.stdout)
    assert levels["voice settings"] == "fail"
    assert levels["Python"] == "ok"
    assert ended.returncode == 1
