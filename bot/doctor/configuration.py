"""Checks of what was configured: the `.env` file and the settings made of it. Never repeats a value."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TypeVar

from dotenv.parser import parse_stream
from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsError

from bot.doctor.finding import Finding, fail, ok, warn

AnySettings = TypeVar("AnySettings", bound=BaseSettings)

_PLAINLY = {
    "int_parsing": "is no whole number",
    "int_from_float": "is no whole number",
    "float_parsing": "is no number",
    "bool_parsing": "is neither true nor false",
    "string_pattern_mismatch": "does not have the right form",
}


def env_file(path: Path, known: Collection[str]) -> list[Finding]:
    """Whether `.env` can be read, who may read it, and names in it that look like a slip of the pen.

    `known` are the names of all settings. Other names are allowed: one file may serve several programs.
    """
    if not path.exists():
        return [ok(".env", "none: the environment and the defaults decide (.env.example shows every setting)")]
    try:
        with path.open(encoding="utf-8") as stream:
            bindings = list(parse_stream(stream))
    except (OSError, UnicodeDecodeError) as error:
        cure = "Save it as UTF-8 text that this user may read."
        return [fail(".env", f"{path} cannot be read: {type(error).__name__}", cure)]
    findings = [
        fail(".env", f"line {binding.original.line} is no NAME=value", "Correct the line, or put # in front of it.")
        for binding in bindings
        if binding.error
    ]
    for name in dict.fromkeys(binding.key for binding in bindings if binding.key):
        near = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.85)
        if near and near[0] != name.upper():
            findings.append(warn(".env", f"{name} is no setting and is ignored", f"Did you mean {near[0]}?"))
    if path.stat().st_mode & 0o077:
        findings.append(warn(".env", f"other users of this machine may read {path}", f"Run `chmod 600 {path}`."))
    used = sum(1 for binding in bindings if binding.key and binding.key.upper() in known)
    return findings or [ok(".env", f"{used} settings, readable only by you")]


def load_settings(load: Callable[[], AnySettings]) -> tuple[AnySettings | None, list[Finding]]:
    """The settings `load` gives, or None and one finding for each field that is wrong."""
    try:
        return load(), []
    except ValidationError as error:
        return None, [_wrong_field(load, dict(item)) for item in error.errors(include_url=False, include_input=False)]
    except (SettingsError, UnicodeDecodeError) as error:
        cure = "Compare .env with .env.example."
        return None, [fail("settings", f"cannot be read: {type(error).__name__}", cure)]


def _wrong_field(load: object, item: dict[str, object]) -> Finding:
    location = item["loc"]
    name = str(location[0]) if isinstance(location, tuple) and location else ""
    message = _PLAINLY.get(str(item["type"]), str(item["msg"]).removeprefix("Value error, "))
    field = getattr(load, "model_fields", {}).get(name)
    description = f"{field.description} " if field is not None and field.description else ""
    return fail(name.upper() or "settings", message, f"{description}Correct it in .env or in the environment.")
