"""`recado voice say`: a stored voice's note, spoken here."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import click

from bot.commandline.processes import read_settings, read_tts_settings
from bot.commandline.say import ENGINE, OUTPUT, end_lost, format_of
from bot.commandline.voice.design import started
from bot.commandline.voice.lab_access import hearing, in_lab
from bot.commandline.voice.speakers import spoken_words
from bot.commandline.voice.words import VOICE
from bot.designs import Designs
from bot.installation import Installation
from bot.provenance import build_notary
from bot.voice_lab import VoiceLab
from tts.casting import Casting
from tts.composition import build_speaker
from tts.contract import Voice, VoiceNote
from tts.errors import NoVoice
from tts.settings import EngineName
from tts.speaker import Speaker


@click.command()
@VOICE
@click.argument("text")
@click.option("--language", help="pt-BR, en, …; without it the voice's own.")
@ENGINE
@OUTPUT
def say(voice_id: str, text: str, *, language: str | None, engine: str | None, output: Path) -> None:
    """Speak TEXT with VOICE into one voice note; needs the store, and no other process."""
    audio_format, settings = format_of(output), read_tts_settings()
    if not os.access(output.parent, os.W_OK):
        raise click.ClickException(f"{output.parent} is no folder that can be written to; choose another with -o.")
    if engine:
        settings = settings.model_copy(update={"tts_engines": (EngineName(engine),)})

    async def speak(lab: VoiceLab, installation: Installation) -> tuple[VoiceNote, str]:
        one = await installation.designs.applied(await lab.voice(voice_id))
        if engine:
            one = replace(one, engines=())
        async with hearing(settings) as transcriber:
            casting = Casting(installation.samples, profiles=installation.profiles, transcriber=transcriber)
            speaker = build_speaker(settings, casting=casting, on_lost=end_lost)
            try:
                await started(speaker, voices=[one])
                if speaker.wants_design(one):
                    one = await _designed(one, speaker, installation.designs)
                click.echo("Speaking …", err=True)
                note = await speaker.speak(text, one, language=language, audio_format=audio_format)
            except NoVoice as error:
                raise click.ClickException(str(error)) from error
            finally:
                await speaker.close()
        await build_notary(read_settings(), installation.redis, installation.samples).certify(note, turn_id="")
        return note, spoken_words(one, note, barred=await casting.refusal(one))

    note, speaker_told = in_lab(speak)
    output.write_bytes(note.data)
    making = note.making
    click.echo(
        f"{output}: {note.duration_s:.1f} s, {len(note.data):,} bytes, {note.engine} ({note.model}), "
        f"{making.sample_count} recordings, profile {making.profile or 'not needed'}, "
        f"made in {note.timings.generate_s + note.timings.encode_s:.1f} s",
        err=True,
    )
    click.echo(speaker_told, err=True)


async def _designed(one: Voice, speaker: Speaker, designs: Designs) -> Voice:
    """The voice with a clip of its prompt, unless a worker is making one."""
    if not await designs.take(one):
        click.echo("A worker is designing this voice; until that is done its stand-in speaks.", err=True)
        return one
    click.echo("Designing the voice from its prompt …", err=True)
    try:
        clip = await speaker.design(one.prompt, language=one.language, seed=one.seed or 0)
        await designs.keep(one, clip)
    finally:
        await designs.leave(one)
    return await designs.applied(one)
