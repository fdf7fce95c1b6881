"""`recado voice design`: a clip of a voice's prompt, kept and cloned from then on. Loads engines for commands."""

from __future__ import annotations

from collections.abc import Sequence

import click

from bot.commandline.processes import read_tts_settings
from bot.commandline.say import end_lost
from bot.commandline.voice.lab_access import in_lab
from bot.commandline.voice.words import VOICE
from bot.installation import Installation
from bot.voice_lab import Change, VoiceLab
from tts.composition import build_speaker
from tts.contract import Voice
from tts.engines import ENGINES
from tts.errors import EngineUnavailable, NoVoice
from tts.settings import EngineName, TtsSettings
from tts.slots import EngineState, EngineStatus
from tts.speaker import Speaker


@click.command()
@VOICE
def design(voice_id: str) -> None:
    """Design VOICE's clip anew from its prompt; its weight in the mix stays, and `restore` goes back."""
    click.echo(designed(in_lab(lambda lab, _: lab.voice(voice_id)), read_tts_settings()))


def designed(stored: Voice, settings: TtsSettings) -> str:
    """Load the engines that design, and keep the first clip the gate accepts; what there is to say of it."""
    names = tuple(name for name in settings.tts_engines if _designs(name, settings))
    if not names:
        raise click.ClickException(
            "no engine here makes voices of prompts; set QWEN3_DESIGN_MODEL where there is a GPU, and keep qwen3 in "
            "TTS_ENGINES."
        )

    async def work(lab: VoiceLab, _installation: Installation) -> Change:
        speaker = build_speaker(settings.model_copy(update={"tts_engines": names}), on_lost=end_lost)
        try:
            await started(speaker, voices=[])  # the model that designs comes with the first clip
            click.echo("Designing the voice …", err=True)
            clip = await speaker.design(stored.prompt, language=stored.language, seed=stored.seed or 0)
        except NoVoice as error:
            raise click.ClickException(str(error)) from error
        finally:
            await speaker.close()
        return await lab.keep_design(stored.id, clip)

    change = in_lab(work)
    return f"{change.voice.id}: designed, version {change.voice.version}, clip {change.sample.id[:12]}"


async def started(speaker: Speaker, *, voices: Sequence[Voice]) -> None:
    """Load a speaker's engines for these voices, and tell how each of them fares."""
    click.echo("Loading the engines …", err=True)

    def told(status: EngineStatus) -> None:
        if status.state is not EngineState.NOT_CONFIGURED:
            click.echo(f"  {status.engine}: {status.state} {status.reason}".rstrip(), err=True)

    await speaker.start(told, voices=voices)


def _designs(name: EngineName, settings: TtsSettings) -> bool:
    entry = ENGINES.get(name)
    try:
        engine = entry.make(settings) if entry else None
    except EngineUnavailable:
        return False
    return engine is not None and engine.info.designs
