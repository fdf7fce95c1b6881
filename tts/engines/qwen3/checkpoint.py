"""Whether a folder is the Qwen3-TTS checkpoint it should be: of the right kind, and whole. Must not know torch.

What transformers leaves out in silence it fills with random numbers: such a model loads, and speaks noise.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tts.errors import EngineUnavailable

_MODEL, _TOKENIZER = "qwen3_tts", "qwen3_tts_tokenizer_12hz"


def check_kind(folder: Path, kind: str, *, setting: str) -> None:
    """Raises EngineUnavailable, which names `setting`, unless config.json tells of a 12 Hz model of this kind."""
    try:
        config: Any = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError) as error:
        raise EngineUnavailable(
            f"{setting} has to be a hub id or folder of a Qwen3-TTS 12 Hz {kind} checkpoint; {folder.name!r} has no "
            f"config.json that can be read ({type(error).__name__})"
        ) from error
    about: dict[str, Any] = config if isinstance(config, dict) else {}
    found = (about.get("model_type"), about.get("tokenizer_type"), about.get("tts_model_type"))
    if found != (_MODEL, _TOKENIZER, kind):
        told = " ".join(str(word) for word in reversed(found) if word) or "no Qwen3-TTS"
        raise EngineUnavailable(f"{setting} has to name a 12 Hz {kind} model, {folder.name!r} is a {told} one")


def check_whole(folder: Path, wanted: Iterable[set[str]], *, setting: str) -> None:
    """Raises EngineUnavailable, which names `setting`, when the folder's safetensors lack a wanted tensor.

    `wanted` are the names that each may have. Weights of another form (`.bin`) are not looked into.
    """
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        return
    found = set[str]().union(*(_names(file) for file in files))
    missing = sorted(min(names) for names in wanted if not names & found)
    if missing:
        raise EngineUnavailable(
            f"{setting}: the checkpoint in {folder.name!r} lacks {len(missing)} weights, such as {missing[0]}: "
            "fetch it again"
        )


def _names(file: Path) -> set[str]:
    """The tensors of a safetensors file, which begins with the length of its JSON header."""
    with file.open("rb") as opened:
        (length,) = struct.unpack("<Q", opened.read(8))
        return set(json.loads(opened.read(length)))
