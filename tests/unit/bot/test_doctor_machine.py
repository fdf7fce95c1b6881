from __future__ import annotations

from pathlib import Path

import pytest

from bot.doctor import machine
from bot.doctor.finding import Level


def test_an_old_python_fails_and_names_the_version_that_is_wanted() -> None:
    finding = machine.python((3, 10, 2), "3.10.2")
    assert finding.level is Level.FAIL
    assert "3.11" in finding.cure


def test_the_oldest_supported_python_is_fine() -> None:
    assert machine.python((3, 11, 0), "3.11.0").level is Level.OK


@pytest.mark.parametrize(
    ("system", "kind", "level"),
    [
        ("Linux", "x86_64", Level.OK),
        ("Darwin", "arm64", Level.OK),
        ("Windows", "AMD64", Level.FAIL),
        ("Linux", "riscv64", Level.FAIL),
    ],
)
def test_the_platform_must_be_one_that_has_a_store_binary(system: str, kind: str, level: Level) -> None:
    assert machine.platform(system, kind, "any").level is level


def test_packages_that_all_fit_are_counted() -> None:
    finding = machine.packages(["aiohttp>=3.12,<4", "numpy>=2"], {"aiohttp": "3.14.5", "numpy": "2.4.6"}.get)
    assert finding.level is Level.OK
    assert "2" in finding.message


def test_missing_and_unfit_packages_are_named() -> None:
    finding = machine.packages(["onnxruntime>=1.20", "redis>=8,<9", "av"], {"redis": "5.2.1", "av": "18.1.0"}.get)
    assert finding.level is Level.FAIL
    assert "missing: onnxruntime" in finding.message
    assert "redis 5.2.1" in finding.message
    assert "av" not in finding.message


def test_packages_for_other_platforms_and_extras_are_not_asked_for() -> None:
    required = ["colorama; sys_platform == 'no such system'", "pytest; extra == 'test'"]
    assert machine.packages(required, {}.get).level is Level.OK


def test_the_project_lists_what_it_needs() -> None:
    assert any(line.startswith("aiohttp") for line in machine.own_requirements())


@pytest.mark.parametrize(
    ("free_bytes", "level"),
    [(499_999_999, Level.FAIL), (500_000_000, Level.WARN), (1_999_999_999, Level.WARN), (2_000_000_000, Level.OK)],
)
def test_disk_space_warns_below_2_gb_and_fails_below_500_mb(free_bytes: int, level: Level) -> None:
    assert machine.disk(Path("data"), free_bytes).level is level


@pytest.mark.parametrize(
    ("available_bytes", "level"),
    [(999_999_999, Level.FAIL), (1_500_000_000, Level.WARN), (8_000_000_000, Level.OK)],
)
def test_memory_must_hold_voice_and_hearing(available_bytes: int, level: Level) -> None:
    assert machine.memory(available_bytes).level is level


def test_a_containers_limit_bounds_the_memory(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("400000\n")
    assert machine.available_memory_bytes(tmp_path / "memory.max") == 600_000


def test_a_container_without_a_limit_has_the_machines_memory(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("400000\n")
    assert machine.available_memory_bytes(tmp_path / "memory.max") > 1_000_000


def test_without_a_card_nothing_is_wrong() -> None:
    assert machine.gpu(None, torch=False).level is Level.SKIP


def test_a_card_without_pytorch_is_said_to_be_unused() -> None:
    assert "PyTorch" in machine.gpu(["NVIDIA L4 (23034 MiB, driver 550)"], torch=False).message


def test_a_card_with_pytorch_is_fine() -> None:
    assert machine.gpu(["NVIDIA L4 (23034 MiB, driver 550)"], torch=True).level is Level.OK


def test_cards_are_read_from_the_drivers_program(tmp_path: Path) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'NVIDIA L4, 23034 MiB, 550.54.15'\n")
    program.chmod(0o755)
    assert machine.graphics_cards(str(program)) == ["NVIDIA L4 (23034 MiB, driver 550.54.15)"]


@pytest.mark.parametrize("script", ["exit 9", None])
def test_a_missing_or_failing_driver_counts_as_no_card(tmp_path: Path, script: str | None) -> None:
    program = tmp_path / "nvidia-smi"
    if script is not None:
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    assert machine.graphics_cards(str(program)) is None


def test_a_data_folder_that_does_not_exist_yet_is_fine_and_is_not_made(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"
    assert machine.data_folder(folder).level is Level.OK
    assert not folder.exists()


def test_a_file_in_the_data_folders_place_fails(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    assert machine.data_folder(tmp_path / "data").level is Level.FAIL


@pytest.mark.parametrize("below", [".", "new/data"])
def test_a_data_folder_that_is_not_writable_fails(tmp_path: Path, below: str) -> None:
    assert machine.data_folder(tmp_path / below, writable=lambda folder: folder != tmp_path).level is Level.FAIL


def test_a_data_folder_that_is_writable_is_fine(tmp_path: Path) -> None:
    assert machine.data_folder(tmp_path).level is Level.OK
