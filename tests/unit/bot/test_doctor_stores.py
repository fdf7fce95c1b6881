from __future__ import annotations

from pathlib import Path

import pytest

from bot.doctor.finding import Level
from bot.doctor.stores import packaged_server, program, several_hosts


def test_the_packaged_valkey_runs_and_tells_its_version() -> None:
    finding = program(packaged_server())
    assert finding.level is Level.OK
    assert finding.message[0].isdigit()


def test_a_missing_program_fails(tmp_path: Path) -> None:
    assert program(None).level is Level.FAIL
    assert program(tmp_path / "valkey-server").level is Level.FAIL


def test_a_program_that_may_not_be_executed_fails_with_the_command_that_allows_it(tmp_path: Path) -> None:
    path = tmp_path / "valkey-server"
    path.write_text("")
    path.chmod(0o600)
    assert "chmod +x" in program(path).cure


@pytest.mark.parametrize("content", ["#!/bin/sh\nexit 1\n", "not a program"])
def test_a_program_that_does_not_run_here_fails(tmp_path: Path, content: str) -> None:
    path = tmp_path / "valkey-server"
    path.write_text(content)
    path.chmod(0o700)
    assert program(path).level is Level.FAIL


@pytest.mark.parametrize("url", ["redis://localhost:6379", "redis://127.0.0.1", "unix:///run/valkey.sock"])
def test_a_store_on_this_machine_needs_no_shared_folder(url: str) -> None:
    assert several_hosts(url, Path("data")) == []


def test_a_store_on_another_host_is_noted_without_its_password() -> None:
    (finding,) = several_hosts("rediss://user:hush@redis.example.org:6380/0", Path("data"))
    assert finding.level is Level.SKIP
    assert "RECADO_DATA_DIR" in finding.cure
    assert "hush" not in str(finding)
