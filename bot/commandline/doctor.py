"""`recado doctor`: checks this machine and its settings before anything heavy is installed or loaded."""

from __future__ import annotations

import asyncio
import json
import shutil
import textwrap
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import click

from bot.doctor.examination import Section, examine
from bot.doctor.finding import Finding, Level

_MARKS = {Level.OK: "✓", Level.WARN: "!", Level.FAIL: "✗", Level.SKIP: "–"}
_COLOURS = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "red", Level.SKIP: "bright_black"}
_COUNTS = {Level.OK: "fine", Level.WARN: "to look at", Level.FAIL: "wrong", Level.SKIP: "not checked"}
_WIDEST = 110


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document for machines.")
@click.option("--heavy", is_flag=True, help="Also read every model in full and compare its SHA-256.")
def doctor(*, as_json: bool, heavy: bool) -> None:
    """Check this machine and its settings, and say how to mend what is wrong.

    Ends with status 1 when something is wrong. Loads no model, sends no message, prints no secret.
    """
    began_s = time.perf_counter()
    sections = asyncio.run(examine(Path(".env"), heavy=heavy))
    findings = [finding for section in sections for finding in section.findings]
    failed = any(finding.level is Level.FAIL for finding in findings)
    if as_json:
        click.echo(json.dumps(_document(sections, passed=not failed), ensure_ascii=False, indent=2))
    else:
        for line in report(sections, width=min(_WIDEST, shutil.get_terminal_size((100, 24)).columns)):
            click.echo(line)
        click.echo(_summary(findings, time.perf_counter() - began_s))
    if failed:
        raise SystemExit(1)


def report(sections: Sequence[Section], *, width: int) -> Iterator[str]:
    """The lines of the list: a title, a line for each finding, its cure indented below."""
    column = max(len(finding.name) for section in sections for finding in section.findings)
    for section in sections:
        yield click.style(section.title, bold=True)
        for finding in section.findings:
            mark = click.style(_MARKS[finding.level], fg=_COLOURS[finding.level], bold=finding.level is Level.FAIL)
            indent = " " * (column + 6)
            first, *rest = textwrap.wrap(finding.message, width - len(indent), break_on_hyphens=False) or [""]
            yield f"  {mark} {finding.name:<{column}}  {first}"
            yield from (indent + line for line in rest)
            if finding.cure:
                arrow = textwrap.wrap(finding.cure, width - len(indent) - 2, break_on_hyphens=False)
                yield from (indent + ("→ " if not number else "  ") + line for number, line in enumerate(arrow))
        yield ""


def _summary(findings: Sequence[Finding], took_s: float) -> str:
    counted = Counter(finding.level for finding in findings)
    parts = [click.style(f"{counted[level]} {_COUNTS[level]}", fg=_COLOURS[level]) for level in Level if counted[level]]
    return f"{', '.join(parts)} ({took_s:.1f} s)"


def _document(sections: Sequence[Section], *, passed: bool) -> dict[str, object]:
    findings = [{"section": section.title, **asdict(finding)} for section in sections for finding in section.findings]
    return {"ok": passed, "findings": findings}
