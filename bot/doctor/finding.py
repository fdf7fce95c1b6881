"""What a check says. Knows no check and no terminal."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is. Only `fail` makes the examination fail."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"  # could not be looked at, or does not apply here


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the report; `cure` is one sentence that says what to do, empty when there is nothing to do."""

    name: str
    level: Level
    message: str
    cure: str = ""


def ok(name: str, message: str) -> Finding:
    """All is well."""
    return Finding(name=name, level=Level.OK, message=message)


def warn(name: str, message: str, cure: str) -> Finding:
    """It runs, but not as it should."""
    return Finding(name=name, level=Level.WARN, message=message, cure=cure)


def fail(name: str, message: str, cure: str) -> Finding:
    """It will not run like this."""
    return Finding(name=name, level=Level.FAIL, message=message, cure=cure)


def skip(name: str, message: str, cure: str = "") -> Finding:
    """Not looked at, and why."""
    return Finding(name=name, level=Level.SKIP, message=message, cure=cure)
