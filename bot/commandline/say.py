"""`recado say`: text to voice note on this machine, with no service running."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from bot.commandline.processes import read_settings, read_tts_settings
from bot.persona import BadPersona, Persona, parse_persona, shipped_personas
from bot.provenance import certify_here
from tts.audio.opus import AudioFormat
from tts.casting import Casting
from tts.composition import build_speaker
from tts.contract import Utterance, VoiceNote
from tts.errors import TtsError
from tts.material import MemoryMaterial
from tts.settings import EngineName, TtsSettings
from tts.speaker import Speaker
from tts.text import UtterancePlan, plan_utterance

ENGINE = click.option("--engine", type=click.Choice([name.value for name in EngineName]), help="Only this engine.")
OUTPUT = click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), default=Path("note.ogg"), show_default=True,
    help="Where the note goes; .ogg, .wav, .mp3 or .flac decides the format.",
)  # fmt: skip

_FORMATS = {f".{known.value}": known for known in AudioFormat}


@click.command()
@click.argument("text")
@click.option(
    "--persona", "persona_name", default="nina", show_default=True, help="Persona id, or a persona's YAML file."
)
@click.option("--language", help="pt-BR, en, …; without it the persona's own.")
@ENGINE
@OUTPUT
@click.option("--dry-run", is_flag=True, help="Print what will be spoken, one segment a line, and load no model.")
def say(text: str, persona_name: str, language: str | None, engine: str | None, output: Path, *, dry_run: bool) -> None:
    """Speak TEXT in a persona's voice into one voice note ("-" reads the text from standard input)."""
    if text == "-":
        text = sys.stdin.read()
    persona = _persona(persona_name)
    if persona.voice_id:
        raise click.ClickException(
            f"{persona.id} speaks with the stored voice {persona.voice_id}: `recado voice say {persona.voice_id} TEXT`."
        )
    try:
        plan = _plan(text, persona, language)  # what cannot be spoken is told before any model is loaded
        if dry_run:
            _print(plan)
            return
        audio_format = format_of(output)
        if not os.access(output.parent, os.W_OK):
            raise click.ClickException(f"{output.parent} is no folder that can be written to; choose another with -o.")
        settings = read_tts_settings()
        if engine:
            settings = settings.model_copy(update={"tts_engines": (EngineName(engine),)})
        note = asyncio.run(_spoken(settings, text, persona, language, audio_format))
    except TtsError as error:
        raise click.ClickException(str(error)) from error
    output.write_bytes(note.data)
    certify(note)
    click.echo(
        f"{output}: {note.duration_s:.1f} s, {len(note.data):,} bytes, {note.engine} ({note.model}), "
        f"made in {note.timings.generate_s + note.timings.encode_s:.1f} s",
        err=True,
    )


def certify(note: VoiceNote) -> None:
    """Keep the note's signed record on this machine, so that `recado verify` knows it."""
    try:
        asyncio.run(certify_here(read_settings(), note))
    except (TtsError, OSError) as error:
        click.echo(f"warning: the note has no record of its origin: {error}", err=True)


def _persona(name: str) -> Persona:
    shipped = {persona.id: persona for persona in shipped_personas()}
    if name.lower() in shipped:
        return shipped[name.lower()]
    path = Path(name)
    if not path.is_file():
        raise click.ClickException(
            f"No persona {name!r}. Known: {', '.join(shipped)}; or give a YAML file "
            "(recado persona export ID writes one for a stored persona)."
        )
    try:
        return parse_persona(path.read_bytes())
    except BadPersona as error:
        raise click.ClickException(f"{path}: {error}") from error


def _plan(text: str, persona: Persona, language: str | None) -> UtterancePlan:
    return plan_utterance(
        text,
        language=language or persona.language,
        lexicon=persona.lexicon,
        max_spoken_s=persona.max_spoken_s * persona.voice.speed,
    )


def _print(plan: UtterancePlan) -> None:
    for segment in plan.segments:
        click.echo(segment.text)
    for warning in plan.warnings:
        click.echo(f"warning: {warning}", err=True)


def format_of(output: Path) -> AudioFormat:
    """The container that the name of the note's file asks for."""
    try:
        return _FORMATS[output.suffix.lower()]
    except KeyError:
        raise click.ClickException(f"{output}: choose a name that ends in {', '.join(sorted(_FORMATS))}") from None


async def _spoken(
    settings: TtsSettings, text: str, persona: Persona, language: str | None, audio_format: AudioFormat
) -> VoiceNote:
    material, voice = MemoryMaterial(), persona.voice
    speaker: Speaker = build_speaker(settings, casting=Casting(material), on_lost=end_lost)
    click.echo("Loading the voice …", err=True)
    await speaker.start(voices=[voice])
    try:
        if speaker.wants_design(voice):
            click.echo("Designing the voice from its prompt …", err=True)
            clip = await speaker.design(voice.prompt, language=voice.language, seed=voice.seed or 0)
            voice = replace(voice, sources=(material.add_clip(clip, language=voice.language),))
        click.echo("Speaking …", err=True)
        return await speaker.speak(
            text,
            voice,
            language=language,
            max_spoken_s=persona.max_spoken_s,
            lexicon=persona.lexicon,
            seed=persona.voice.seed,
            audio_format=audio_format,
        )
    finally:
        await speaker.close()


def end_lost(engine: str, _suspects: Sequence[Utterance]) -> None:
    """Say so and end: a hung engine's thread cannot be joined, a failed device not be used again."""
    click.echo(f"Error: the engine {engine} hangs, or its device failed; ending. Try again.", err=True)
    os._exit(1)
