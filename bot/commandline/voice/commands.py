"""`recado voice`: makes voices of prompts, changes their settings, mixes and deletes them. The rest has own modules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import click

from bot.commandline.processes import read_tts_settings
from bot.commandline.table import columns, pairs
from bot.commandline.voice.design import design, designed
from bot.commandline.voice.files import export, import_voice
from bot.commandline.voice.history import history, restore
from bot.commandline.voice.lab_access import in_lab
from bot.commandline.voice.reseal import reseal
from bot.commandline.voice.samples import samples
from bot.commandline.voice.say import say
from bot.commandline.voice.speakers import speaker_words
from bot.commandline.voice.words import VOICE, YES, mix_words, styles_of, weight_of
from bot.installation import Installation
from bot.recordings import consent_words
from bot.voice_lab import VoiceLab
from tts.contract import SourceKind, Voice, VoiceSource
from tts.material import RECORDED, material_refusal


@click.group()
def voice() -> None:
    """Make, mix, hear, export and import voices."""


for command in (samples, design, say, export, import_voice, history, restore):
    voice.add_command(command)
samples.add_command(reseal)

_STAND_IN = click.option(
    "--stand-in", multiple=True, metavar="STYLE=WEIGHT", help="Styles for light engines (Kokoro); repeat."
)
_ENGINES = click.option("--engine", "engines", multiple=True, help="Engines in order of preference; repeat.")
_RESEMBLES = click.option(
    "--must-resemble/--need-not-resemble", default=None,
    help="Rather answer in text than with a voice that does not sound like this one.",
)  # fmt: skip
_SEED = click.IntRange(0, 2**63 - 1)


@voice.command()
@VOICE
@click.option("--language", required=True, help="pt-BR, en, …")
@click.option("--prompt", default="", help="How the voice sounds, in words; a warm default without it.")
@_STAND_IN
@click.option("--timbre", help="Speak with a named speaker of the large model.")
@_ENGINES
@click.option("--seed", type=_SEED, help="Seed of the design and of every note.")
@click.option("--speed", type=click.FloatRange(0.5, 2.0), default=1.0, show_default=True)
@_RESEMBLES
@click.option(
    "--design/--no-design", "designs", default=True, help="Design a clip of the prompt now, if an engine can."
)
def create(
    voice_id: str,
    *,
    language: str,
    prompt: str,
    stand_in: tuple[str, ...],
    timbre: str | None,
    engines: tuple[str, ...],
    seed: int | None,
    speed: float,
    must_resemble: bool | None,
    designs: bool,
) -> None:
    """Create VOICE from a prompt, to be designed once and cloned from then on; `samples add` makes it somebody's."""
    settings = read_tts_settings()
    made = Voice(
        id=voice_id,
        language=language,
        prompt=prompt or settings.qwen3_voice_prompt_default,
        sources=(VoiceSource(kind=SourceKind.TIMBRE, ref=timbre),) if timbre else (),
        stand_in=styles_of(stand_in),
        engines=engines,
        seed=seed,
        speed=speed,
        must_resemble=bool(must_resemble),
    )
    stored = in_lab(lambda lab, _: lab.create(made))
    click.echo(f"{stored.id}: created, version {stored.version}")
    if designs and not timbre:
        try:
            click.echo(designed(stored, settings))
        except click.ClickException as error:
            click.echo(f"No clip was designed: {error.message}", err=True)
            click.echo(f"The voice is its prompt until `recado voice design {stored.id}` runs.", err=True)


@voice.command("set")
@VOICE
@click.option("--language", help="pt-BR, en, …")
@click.option("--prompt", help="How the voice sounds, in words.")
@_STAND_IN
@click.option("--no-stand-in", is_flag=True, help="Never spoken by light engines.")
@_ENGINES
@click.option("--any-engine", is_flag=True, help="The installation's engines in their order.")
@click.option("--seed", type=_SEED, help="Seed of the design and of every note.")
@click.option("--no-seed", is_flag=True, help="Another seed for every note.")
@click.option("--speed", type=click.FloatRange(0.5, 2.0))
@_RESEMBLES
def set_voice(voice_id: str, *, no_stand_in: bool, any_engine: bool, no_seed: bool, **given: Any) -> None:
    """Change settings of VOICE; what is not named stays. `history` and `restore` go back."""
    for option, opposite, is_so in (("stand_in", "--no-stand-in", no_stand_in), ("engines", "--any-engine", any_engine),
                                    ("seed", "--no-seed", no_seed)):  # fmt: skip
        if is_so and given[option] not in (None, ()):
            raise click.UsageError(f"{opposite} contradicts what is given beside it: use one of the two.")
    wanted = {name: value for name, value in given.items() if value not in (None, ())}
    if "stand_in" in wanted:
        wanted["stand_in"] = styles_of(wanted["stand_in"])
    wanted |= {name: () for name, is_so in (("stand_in", no_stand_in), ("engines", any_engine)) if is_so}
    wanted |= {"seed": None} if no_seed else {}
    if not wanted:
        raise click.UsageError("Nothing to change: name a setting, such as --speed 1.1 (`--help` lists them).")

    async def change(lab: VoiceLab, _installation: Installation) -> tuple[Voice, Voice]:
        return await lab.voice(voice_id), await lab.edit(voice_id, lambda stored: replace(stored, **wanted))

    before, after = in_lab(change)
    click.echo(f"{after.id}: {'unchanged, ' if after == before else ''}version {after.version}")
    clip = any(source.kind is SourceKind.DESIGNED for source in after.sources)
    if clip and (before.prompt, before.seed, before.language) != (after.prompt, after.seed, after.language):
        click.echo(f"Its clip was designed before that: `recado voice design {after.id}` makes another.", err=True)


@voice.command("list")
def list_voices() -> None:
    """List the stored voices."""

    async def look(_lab: VoiceLab, installation: Installation) -> tuple[Sequence[Voice], Sequence[str]]:
        return await installation.voices.list(), tuple(await installation.voices.unreadable())

    voices, unreadable = in_lab(look)
    if not voices and not unreadable:
        click.echo("No voice is stored yet: `recado voice create VOICE --language pt-BR --prompt …` makes one.")
        return
    rows = [
        (one.id, one.language, str(one.version), mix_words(one.sources), mix_words(one.stand_in), one.prompt[:60])
        for one in voices
    ] + [(name, "", "", "cannot be read", "", f"see `recado voice show {name}`") for name in unreadable]
    for line in columns(("ID", "LANGUAGE", "VERSION", "MIX", "STAND-IN", "PROMPT"), rows):
        click.echo(line)


@voice.command()
@VOICE
def show(voice_id: str) -> None:
    """Show what VOICE is made of, whose consent it needs, and who speaks with it."""
    settings = read_tts_settings()

    async def look(lab: VoiceLab, installation: Installation) -> list[tuple[str, str]]:
        one = await lab.voice(voice_id)
        spoken = await installation.designs.applied(one)
        barred = await material_refusal(installation.samples, spoken.sources, datetime.now(UTC))
        total = sum(source.weight for source in one.sources) or 1.0
        mixed = []
        for source in one.sources:
            sample = await installation.samples.find(source.ref)
            state = f", consent {consent_words(sample, datetime.now(UTC))}" if sample else ""
            gone = ", not here" if source.kind in RECORDED and (sample is None or sample.erased_at) else ""
            mixed.append((source.kind.value, f"{source.ref[:12]}  {100 * source.weight / total:.0f} %{state}{gone}"))
        return [
            ("id", one.id),
            ("language", one.language),
            ("prompt", one.prompt),
            *mixed,
            ("stand-in", mix_words(one.stand_in)),
            ("engines", ", ".join(one.engines)),
            ("speaks", speaker_words(spoken, settings, barred=barred)),
            ("speed", f"{one.speed:g}"),
            ("seed", "" if one.seed is None else str(one.seed)),
            ("resembles", "must: rather text than another voice" if one.must_resemble else "need not"),
            ("version", f"{one.version} ({len(await installation.voices.past(one.id))} kept)"),
            ("personas", ", ".join(await lab.recordings.uses.personas_of(one.id))),
        ]

    for line in pairs(in_lab(look)):
        click.echo(line)


@voice.command()
@VOICE
@click.argument("weights", nargs=-1, required=True, metavar="SOURCE=WEIGHT...")
def mix(voice_id: str, weights: tuple[str, ...]) -> None:
    """Set VOICE's mix: sample ids (their beginnings), `designed`, style:NAME or timbre:NAME, each with its weight."""
    stored = in_lab(lambda lab, _: lab.mix(voice_id, dict(map(weight_of, weights))))
    click.echo(f"{stored.id}: version {stored.version}, {mix_words(stored.sources)}")


@voice.command()
@VOICE
@YES
def delete(voice_id: str, *, yes: bool) -> None:
    """Delete VOICE, its past versions, and the recordings nobody else uses."""

    async def look(lab: VoiceLab, installation: Installation) -> tuple[str, ...]:
        if voice_id not in await installation.voices.unreadable():
            await lab.voice(voice_id)
        return await lab.recordings.uses.personas_of(voice_id)

    speakers = in_lab(look)
    if speakers:
        click.echo(f"With it speaks: {', '.join(speakers)}. Without a voice that is answered in text.", err=True)
    if not yes:
        click.confirm(f"Delete {voice_id}, all its versions and its recordings?", abort=True)
    erased = in_lab(lambda lab, _: lab.delete(voice_id))
    click.echo(f"{voice_id} deleted, {erased} recordings erased")
