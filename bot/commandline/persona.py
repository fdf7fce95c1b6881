"""`recado persona`: lists, shows, checks, imports, exports and deletes personas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

import click

from bot.commandline.processes import read_tts_settings
from bot.commandline.store_access import with_store
from bot.commandline.table import columns, pairs
from bot.installation import Installation
from bot.persona import BadPersona, Persona, dump_persona, parse_persona, shipped_personas
from bot.voice_names import known_names
from bot.voice_uses import stored_voice_id

_FILES = click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
_SHIPPED = click.option("--shipped", is_flag=True, help="Of the personas that come with the program; needs no store.")


@click.group()
def persona() -> None:
    """List, show, check, import, export and delete personas."""


@persona.command("list")
@_SHIPPED
def list_personas(*, shipped: bool) -> None:
    """List the stored personas."""
    personas = shipped_personas() if shipped else with_store(lambda installation: installation.personas.list())
    rows = [
        (
            one.id,
            one.name,
            one.language,
            one.reply_mode.value,
            str(one.version),
            " ".join(one.endpoints),
            one.description,
        )
        for one in personas
    ]
    if not rows:
        click.echo("No persona is stored yet: `recado persona import FILE` adds one, a first start adds those shipped.")
        return
    for line in columns(("ID", "NAME", "LANGUAGE", "REPLIES", "VERSION", "NUMBERS", "DESCRIPTION"), rows):
        click.echo(line)


@persona.command()
@click.argument("persona_id", metavar="ID")
@_SHIPPED
def show(persona_id: str, *, shipped: bool) -> None:
    """Show who the persona ID is and how it sounds (`export` writes all of it)."""
    for line in pairs(_facts(_find(persona_id, shipped=shipped))):
        click.echo(line)


@persona.command()
@_FILES
def check(files: tuple[Path, ...]) -> None:
    """Check persona FILEs and list every problem; stores nothing and needs no store."""
    for path, one in zip(files, _parsed(files), strict=True):
        click.echo(f"{path}: {one.id} ({one.name}, {one.language}) is a valid persona")
        stored = stored_voice_id(one)
        if stored:
            click.echo(f"  it speaks with the stored voice {stored}; `import` checks that there is one", err=True)


@persona.command("import")
@_FILES
def import_files(files: tuple[Path, ...]) -> None:
    """Store the personas in FILEs and tell what changed. One bad file, and none is stored."""
    parsed = _parsed(files)

    async def store(installation: Installation) -> list[tuple[Persona | None, Persona]]:
        await _check_voices(files, parsed, installation)
        return [(await installation.personas.get(one.id), await installation.personas.put(one)) for one in parsed]

    for before, after in with_store(store):
        click.echo(f"{after.id}: {_difference(before, after)}")


@persona.command()
@click.argument("persona_id", metavar="ID")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Where to; standard output without it."
)
@_SHIPPED
def export(persona_id: str, output: Path | None, *, shipped: bool) -> None:
    """Write the persona ID as YAML, which `import` makes the same persona of."""
    document = dump_persona(_find(persona_id, shipped=shipped))
    if output is None:
        click.echo(document, nl=False)
    else:
        output.write_text(document, encoding="utf-8")
        click.echo(f"{output} written", err=True)


@persona.command()
@click.argument("persona_id", metavar="ID")
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(persona_id: str, *, yes: bool) -> None:
    """Delete the persona ID and its past versions."""
    if not yes:
        click.confirm(f"Delete {persona_id} and all its versions?", abort=True)

    async def remove(installation: Installation) -> tuple[bool, Sequence[Persona]]:
        return await installation.personas.delete(persona_id), await installation.personas.list()

    deleted, left = with_store(remove)
    if not deleted:
        raise _unknown(persona_id, left)
    click.echo(f"{persona_id} deleted, {len(left)} left")


def _find(persona_id: str, *, shipped: bool) -> Persona:
    async def look(installation: Installation) -> tuple[Persona, ...]:
        return await installation.personas.list()

    personas = shipped_personas() if shipped else with_store(look)
    for one in personas:
        if one.id == persona_id:
            return one
    raise _unknown(persona_id, personas)


def _unknown(persona_id: str, known: Sequence[Persona]) -> click.ClickException:
    ids = ", ".join(one.id for one in known) or "none"
    return click.ClickException(f"There is no persona {persona_id!r}. Known: {ids}.")


def _parsed(files: Sequence[Path]) -> list[Persona]:
    """Every file's persona, whose names are known here; ends with all problems of all files if there is one."""
    names = known_names(read_tts_settings())
    parsed, problems = [], []
    for path in files:
        try:
            one = parse_persona(path.read_bytes())
            found = names.persona_problems(one)
        except BadPersona as error:
            found = error.problems
        else:
            parsed.append(one)
        problems += [f"{path}: {field}: {problem}" for field, problem in found]
    if problems:
        raise _invalid(problems)
    return parsed


def _invalid(problems: Sequence[str]) -> click.ClickException:
    return click.ClickException("not a valid persona\n" + "\n".join(f"  {problem}" for problem in problems))


async def _check_voices(files: Sequence[Path], personas: Sequence[Persona], installation: Installation) -> None:
    """End with every persona whose stored voice is not there: it could only answer in text."""
    voices = {voice.id for voice in await installation.voices.list()}
    missing = [
        f"{path}: voice: no voice {stored_voice_id(one)!r} is stored; stored: {', '.join(sorted(voices)) or 'none'} "
        "(`recado voice create` or `recado voice import` adds one)"
        for path, one in zip(files, personas, strict=True)
        if stored_voice_id(one) and stored_voice_id(one) not in voices
    ]
    if missing:
        raise _invalid(missing)


def _difference(before: Persona | None, after: Persona) -> str:
    if before is None:
        return f"new, version {after.version}"
    if before == after:
        return f"unchanged, version {after.version}"
    plain = replace(before.voice, version=after.voice.version)
    changed = [
        field.name
        for field in fields(Persona)
        if field.name not in {"version", "voice"} and getattr(before, field.name) != getattr(after, field.name)
    ] + ["voice"] * (plain != after.voice)
    return f"version {before.version} → {after.version}, changed: {', '.join(changed)}"


def _facts(one: Persona) -> list[tuple[str, str]]:
    voice = one.voice
    mixed = [(name, sources) for name, sources in (("sources", voice.sources), ("stand-in", voice.stand_in)) if sources]
    return [
        ("id", one.id),
        ("name", one.name),
        ("description", one.description),
        ("language", one.language),
        ("time zone", one.timezone),
        ("replies", f"{one.reply_mode.value}, at most {one.max_spoken_s:g} s spoken"),
        ("numbers", ", ".join(one.endpoints)),
        ("keywords", ", ".join(one.keywords)),
        ("greeting", one.greeting),
        ("disclosure", one.disclosure),
        ("voice", _voice_words(one)),
        *((name, ", ".join(f"{part.kind.value} {part.ref} × {part.weight:g}" for part in mix)) for name, mix in mixed),
        ("engines", ", ".join(voice.engines)),
        ("script", f"{len(one.intents)} intents, {sum(len(intent.replies) for intent in one.intents)} replies"),
        ("lexicon", f"{len(one.lexicon)} words" if one.lexicon else ""),
        ("version", str(one.version) if one.voice_id else f"{one.version} (voice {voice.version})"),
    ]


def _voice_words(one: Persona) -> str:
    stored = stored_voice_id(one)
    if stored:
        return f"stored voice {one.voice_id} (`recado voice show {stored}`)"
    return f"timbre {one.voice_id}" if one.voice_id else one.voice.prompt
