"""`recado voice`: makes voices of prompts and samples, mixes them, speaks with them, and carries them elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click

from bot.commandline.lab_access import hearing, in_lab
from bot.commandline.processes import read_settings
from bot.commandline.say import end_lost, format_of
from bot.commandline.store_access import with_store
from bot.commandline.table import columns, pairs
from bot.commandline.voice_samples import samples
from bot.installation import Installation
from bot.persona_form import LANGUAGE, VOICE_ID
from bot.provenance import build_notary
from bot.voice import VoiceError, dump_voice, parse_voice, read_bundle, write_bundle
from bot.voice_lab import Change, VoiceLab, consent_words
from tts.casting import Casting
from tts.contract import SourceKind, Voice, VoiceNote, VoiceSource
from tts.engines import ENGINES
from tts.errors import EngineUnavailable, NoVoice
from tts.settings import EngineName, TtsSettings
from tts.slots import EngineState, EngineStatus
from tts.speaker import Speaker, build_speaker

_VOICE = click.argument("voice_id", metavar="VOICE")


def weight_of(text: str) -> tuple[str, float]:
    """`NAME=0.7` as name and weight; a name alone weighs 1."""
    name, equals, number = text.rpartition("=")
    if not equals:
        return text, 1.0
    try:
        return name, float(number)
    except ValueError as error:
        raise click.BadParameter(f"{text!r}: write NAME=WEIGHT, such as 3fa1b2=0.7") from error


@click.group()
def voice() -> None:
    """Make, mix, hear, export and import voices."""


voice.add_command(samples)


@voice.command()
@_VOICE
@click.option("--language", required=True, help="pt-BR, en, …")
@click.option("--prompt", default="", help="How the voice sounds, in words; a warm default without it.")
@click.option("--stand-in", multiple=True, metavar="STYLE=WEIGHT", help="Styles for light engines (Kokoro); repeat.")
@click.option("--timbre", help="Speak with a named speaker of the large model.")
@click.option("--engine", "engines", multiple=True, help="Engines in order of preference; repeat.")
@click.option("--seed", type=click.IntRange(min=0), help="Seed of the design and of every note.")
@click.option("--speed", type=click.FloatRange(0.5, 2.0), default=1.0, show_default=True)
@click.option("--design/--no-design", default=True, help="Design a clip of the prompt now, where an engine can.")
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
    design: bool,
) -> None:
    """Create VOICE from a prompt, to be designed once and cloned from then on; `samples add` makes it somebody's."""
    settings = TtsSettings()
    made = Voice(
        id=voice_id,
        language=language,
        prompt=prompt or settings.qwen3_voice_prompt_default,
        sources=(VoiceSource(kind=SourceKind.TIMBRE, ref=timbre),) if timbre else (),
        stand_in=tuple(
            VoiceSource(kind=SourceKind.STYLE, ref=name, weight=weight) for name, weight in map(weight_of, stand_in)
        ),
        engines=engines,
        seed=seed,
        speed=speed,
    )
    try:
        checked = parse_voice(dump_voice(made))
    except VoiceError as error:
        raise click.ClickException(f"{error} (ids match {VOICE_ID}, languages {LANGUAGE})") from error
    stored = in_lab(lambda lab, _: lab.create(checked))
    click.echo(f"{stored.id}: created, version {stored.version}")
    if design and not timbre:
        try:
            _design(stored, settings)
        except click.ClickException as error:
            click.echo(f"No clip was designed: {error.message}", err=True)
            click.echo(f"The voice is its prompt until `recado voice design {stored.id}` runs.", err=True)


@voice.command()
@_VOICE
def design(voice_id: str) -> None:
    """Design VOICE's clip anew from its prompt; its weight in the mix stays."""
    _design(in_lab(lambda lab, _: lab.voice(voice_id)), TtsSettings())


@voice.command("list")
def list_voices() -> None:
    """List the stored voices."""
    voices = with_store(lambda installation: installation.voices.list())
    if not voices:
        click.echo("No voice is stored yet: `recado voice create VOICE --language pt-BR --prompt …` makes one.")
        return
    rows = [
        (one.id, one.language, str(one.version), _mix_words(one.sources), _mix_words(one.stand_in), one.prompt[:60])
        for one in voices
    ]
    for line in columns(("ID", "LANGUAGE", "VERSION", "MIX", "STAND-IN", "PROMPT"), rows):
        click.echo(line)


@voice.command()
@_VOICE
def show(voice_id: str) -> None:
    """Show what VOICE is made of, whose consent it needs, and who speaks with it."""

    async def look(lab: VoiceLab, installation: Installation) -> list[tuple[str, str]]:
        one = await lab.voice(voice_id)
        total = sum(source.weight for source in one.sources) or 1.0
        mixed = []
        for source in one.sources:
            sample = await installation.samples.find(source.ref)
            state = f", consent {consent_words(sample, datetime.now(UTC))}" if sample else ""
            gone = ", not here" if sample is None and source.kind in {SourceKind.SAMPLE, SourceKind.DESIGNED} else ""
            mixed.append((source.kind.value, f"{source.ref[:12]}  {100 * source.weight / total:.0f} %{state}{gone}"))
        personas = [persona.id for persona in await installation.personas.list() if persona.voice_id == one.id]
        return [
            ("id", one.id),
            ("language", one.language),
            ("prompt", one.prompt),
            *mixed,
            ("stand-in", _mix_words(one.stand_in)),
            ("engines", ", ".join(one.engines)),
            ("speed", f"{one.speed:g}"),
            ("seed", "" if one.seed is None else str(one.seed)),
            ("version", f"{one.version} ({len(await installation.voices.past(one.id))} kept)"),
            ("personas", ", ".join(personas)),
        ]

    for line in pairs(in_lab(look)):
        click.echo(line)


@voice.command()
@_VOICE
@click.argument("weights", nargs=-1, required=True, metavar="SOURCE=WEIGHT...")
def mix(voice_id: str, weights: tuple[str, ...]) -> None:
    """Set VOICE's mix: sample ids (their beginnings), `designed`, style:NAME or timbre:NAME, each with its weight."""
    stored = in_lab(lambda lab, _: lab.mix(voice_id, dict(map(weight_of, weights))))
    click.echo(f"{stored.id}: version {stored.version}, {_mix_words(stored.sources)}")


@voice.command()
@_VOICE
@click.argument("text")
@click.option("--language", help="pt-BR, en, …; without it the voice's own.")
@click.option("--engine", type=click.Choice([name.value for name in EngineName]), help="Only this engine.")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), default=Path("note.ogg"), show_default=True,
    help="Where the note goes; .ogg, .wav, .mp3 or .flac decides the format.",
)  # fmt: skip
def say(voice_id: str, text: str, *, language: str | None, engine: str | None, output: Path) -> None:
    """Speak TEXT with VOICE into one voice note; needs the store, and no other process."""
    audio_format, settings = format_of(output), TtsSettings()
    if engine:
        settings = settings.model_copy(update={"tts_engines": (EngineName(engine),)})

    async def speak(lab: VoiceLab, installation: Installation) -> VoiceNote:
        one = await lab.voice(voice_id)
        if engine:
            one = replace(one, engines=())
        async with hearing(settings) as transcriber:
            casting = Casting(installation.samples, profiles=installation.profiles, transcriber=transcriber)
            speaker = build_speaker(settings, casting=casting, on_lost=end_lost)
            try:
                await _started(speaker, voices=[one])
                click.echo("Speaking …", err=True)
                note = await speaker.speak(text, one, language=language, audio_format=audio_format)
            except NoVoice as error:
                raise click.ClickException(_attempt_words(error)) from error
            finally:
                await speaker.close()
        await build_notary(read_settings(), installation.redis, installation.samples).certify(note, turn_id="")
        return note

    note = in_lab(speak)
    output.write_bytes(note.data)
    making = note.making
    click.echo(
        f"{output}: {note.duration_s:.1f} s, {len(note.data):,} bytes, {note.engine} ({note.model}), "
        f"{making.sample_count} recordings, profile {making.profile or 'not needed'}, "
        f"made in {note.timings.generate_s + note.timings.encode_s:.1f} s",
        err=True,
    )


@voice.command()
@_VOICE
@click.option("-o", "--output", type=click.Path(path_type=Path), help="A .zip, or a folder; VOICE.zip without it.")
def export(voice_id: str, output: Path | None) -> None:
    """Write VOICE with its recordings and consents to one zip or folder, which `import` makes the same voice of."""
    place = output or Path(f"{voice_id}.zip")
    bundle = in_lab(lambda lab, _: lab.export(voice_id))
    write_bundle(bundle, place)
    click.echo(f"{place}: {bundle.voice.id}, version {bundle.voice.version}, {len(bundle.files)} recordings", err=True)


@voice.command("import")
@click.argument("place", metavar="ZIP_OR_FOLDER", type=click.Path(exists=True, path_type=Path))
def import_voice(place: Path) -> None:
    """Store the voice that `export` wrote, with its recordings and consents."""
    try:
        bundle = read_bundle(place)
    except VoiceError as error:
        raise click.ClickException(str(error)) from error
    stored = in_lab(lambda lab, _: lab.import_bundle(bundle))
    click.echo(f"{stored.id}: version {stored.version}, {len(bundle.files)} recordings")


@voice.command()
@_VOICE
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(voice_id: str, *, yes: bool) -> None:
    """Delete VOICE, its past versions, and the recordings no other voice uses."""
    if not yes:
        click.confirm(f"Delete {voice_id}, all its versions and its recordings?", abort=True)
    erased = in_lab(lambda lab, _: lab.delete(voice_id))
    click.echo(f"{voice_id} deleted, {erased} recordings erased")


def _design(stored: Voice, settings: TtsSettings) -> None:
    """Load the engines that design, and keep the first clip the gate accepts."""
    names = tuple(name for name in settings.tts_engines if _designs(name, settings))
    if not names:
        raise click.ClickException(
            "no engine here makes voices of prompts; set QWEN3_DESIGN_MODEL where there is a GPU, and keep qwen3 in "
            "TTS_ENGINES."
        )

    async def work(lab: VoiceLab, _installation: Installation) -> Change:
        speaker = build_speaker(settings.model_copy(update={"tts_engines": names}), on_lost=end_lost)
        try:
            await _started(speaker, voices=[])  # the model that designs comes with the first clip
            click.echo("Designing the voice …", err=True)
            clip = await speaker.design(stored.prompt, language=stored.language, seed=stored.seed or 0)
        except NoVoice as error:
            raise click.ClickException(_attempt_words(error)) from error
        finally:
            await speaker.close()
        return await lab.keep_design(stored.id, clip)

    change = in_lab(work)
    click.echo(f"{change.voice.id}: designed, version {change.voice.version}, clip {change.sample.id[:12]}")


def _designs(name: EngineName, settings: TtsSettings) -> bool:
    entry = ENGINES.get(name)
    try:
        engine = entry.make(settings) if entry else None
    except EngineUnavailable:
        return False
    return engine is not None and engine.info.designs


async def _started(speaker: Speaker, *, voices: Sequence[Voice]) -> None:
    click.echo("Loading the engines …", err=True)

    def told(status: EngineStatus) -> None:
        if status.state is not EngineState.NOT_CONFIGURED:
            click.echo(f"  {status.engine}: {status.state} {status.reason}".rstrip(), err=True)

    await speaker.start(told, voices=voices)


def _attempt_words(error: NoVoice) -> str:
    lines = [f"  {attempt.engine}: {attempt.reason or attempt.outcome}" for attempt in error.attempts]
    return "\n".join([str(error), *lines])


def _mix_words(sources: Sequence[VoiceSource]) -> str:
    total = sum(source.weight for source in sources) or 1.0
    return " + ".join(
        f"{source.ref[:12]} {100 * source.weight / total:.0f} %" for source in sources if source.weight > 0
    )
