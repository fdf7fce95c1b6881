"""`recado voice history` and `restore`: the versions a voice had, and the way back."""

from __future__ import annotations

import click

from bot.commandline.table import columns
from bot.commandline.voice.lab_access import in_lab
from bot.commandline.voice.words import VOICE, mix_words
from bot.installation import Installation
from bot.voice_lab import VoiceLab
from bot.voice_store import recordings_of
from tts.contract import Voice


@click.command()
@VOICE
def history(voice_id: str) -> None:
    """List the kept versions of VOICE, newest first (50 at most)."""

    async def look(lab: VoiceLab, installation: Installation) -> list[tuple[Voice, bool]]:
        past = await installation.voices.past(voice_id)
        if not past:
            await lab.voice(voice_id)
        return [(one, await _whole(one, installation)) for one in past]

    rows = [
        (
            str(one.version),
            mix_words(one.sources),
            mix_words(one.stand_in),
            " ".join(one.engines),
            f"{one.speed:g}",
            "" if one.seed is None else str(one.seed),
            "" if whole else "a recording was erased",
            one.prompt[:60],
        )
        for one, whole in in_lab(look)
    ]
    for line in columns(("VERSION", "MIX", "STAND-IN", "ENGINES", "SPEED", "SEED", "REMARKS", "PROMPT"), rows):
        click.echo(line)


@click.command()
@VOICE
@click.argument("version", type=click.IntRange(min=1))
def restore(voice_id: str, version: int) -> None:
    """Make VOICE what it was in VERSION, as a new version."""
    stored = in_lab(lambda lab, _: lab.restore(voice_id, version))
    click.echo(f"{stored.id}: version {stored.version}, as version {version} was")


async def _whole(one: Voice, installation: Installation) -> bool:
    found = [await installation.samples.find(ref) for ref in recordings_of(one)]
    return all(sample is not None and sample.erased_at is None for sample in found)
