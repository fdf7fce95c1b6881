"""`recado voice samples`: recordings of people who consented, in and out of a voice's mix."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from bot.commandline.lab_access import hearing, in_lab
from bot.commandline.table import columns, pairs
from bot.installation import Installation
from bot.voice_lab import Change, VoiceLab, consent_words
from bot.voice_store import recordings_of
from tts.contract import Voice
from tts.errors import BadAudio
from tts.settings import TtsSettings
from tts.voices.consent import Consent
from tts.voices.samples import InspectedSample, SampleLimits, SampleWarning, StoredSample, inspect_sample

_SAMPLE = click.argument("sample", metavar="SAMPLE")


@click.group()
def samples() -> None:
    """List, add, remove samples, and withdraw the consent to one."""


@samples.command("list")
@click.argument("voice_id", metavar="[VOICE]", required=False)
def list_samples(voice_id: str | None) -> None:
    """List the recordings of VOICE, or all, and how their consents stand."""

    async def look(lab: VoiceLab, installation: Installation) -> list[tuple[str, ...]]:
        among = recordings_of(await lab.voice(voice_id)) if voice_id else None
        found = await installation.samples.list()
        return [
            _row(sample, await installation.voices.using(sample.id))
            for sample in found
            if among is None or sample.id in among
        ]

    rows = in_lab(look)
    if not rows:
        click.echo("No sample yet: `recado voice samples add VOICE FILE --speaker … --consent-by … --statement …`.")
        return
    for line in columns(("SAMPLE", "KIND", "SPEECH", "RATE", "NOISE", "CONSENT", "SPEAKER", "VOICES", "REMARKS"), rows):
        click.echo(line)


@samples.command()
@click.argument("voice_id", metavar="VOICE")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--speaker", required=True, help="Whose voice it is.")
@click.option("--consent-by", required=True, help="Who gave the consent: the speaker, or who may speak for them.")
@click.option("--statement", required=True, help="What they agreed to, in their words.")
@click.option("--expires", type=click.DateTime(["%Y-%m-%d"]), help="Last day of the consent (UTC), as 2027-12-31.")
@click.option("--weight", type=click.FloatRange(min=0), default=1.0, show_default=True, help="Its part in the mix.")
@click.option(
    "--transcript",
    default="",
    help="All that is said in it; without, it is written down.",
)
@click.option("--accept-narrowband", is_flag=True, help="Take telephone quality without asking.")
def add(
    voice_id: str,
    file: Path,
    *,
    speaker: str,
    consent_by: str,
    statement: str,
    expires: datetime | None,
    weight: float,
    transcript: str,
    accept_narrowband: bool,
) -> None:
    """Take FILE (WAV, MP3, FLAC, OGG, M4A or AMR; 3 s of speech or more) into VOICE's mix."""
    inspected = _inspected(file)
    for line in pairs(_measured(inspected)):
        click.echo(line, err=True)
    if SampleWarning.NARROWBAND in inspected.report.warnings and not accept_narrowband:
        click.confirm("The recording has telephone quality, and so will the voice. Take it?", abort=True, err=True)
    now = datetime.now(UTC)
    consent = Consent(
        speaker=speaker,
        by=consent_by,
        statement=statement,
        given_at=now,
        expires_at=expires.replace(hour=23, minute=59, second=59, tzinfo=UTC) if expires else None,
    )
    settings = TtsSettings()

    async def work(lab: VoiceLab, _installation: Installation) -> Change:
        await lab.voice(voice_id)
        if not transcript:
            click.echo("Writing down what is said …", err=True)
        async with hearing(settings) as transcriber:
            return await lab.add_sample(
                voice_id,
                inspected,
                consent=consent,
                weight=weight,
                transcript=transcript,
                transcriber=transcriber,
                narrowband_confirmed=True,
            )

    change = in_lab(work)
    click.echo(f"{change.sample.id[:12]}: in the mix of {change.voice.id}, version {change.voice.version}")


@samples.command()
@click.argument("voice_id", metavar="VOICE")
@_SAMPLE
def remove(voice_id: str, sample: str) -> None:
    """Take SAMPLE out of VOICE's mix, and erase it where no other voice uses it."""
    change, erased = in_lab(lambda lab, _: lab.remove_sample(voice_id, sample))
    fate = "erased" if erased else "kept, another voice uses it"
    click.echo(f"{change.sample.id[:12]}: {fate}; {change.voice.id} is version {change.voice.version}")


@samples.command()
@_SAMPLE
def withdraw(sample: str) -> None:
    """End the consent to SAMPLE: no voice made of it is spoken from now on, and what was made of it is forgotten."""
    withdrawn, silenced = in_lab(lambda lab, _: lab.withdraw(sample))
    click.echo(f"{withdrawn.id[:12]}: consent withdrawn")
    for one in silenced:
        click.echo(f"{one.id}: {_left_of(one)}")
    click.echo("The record stays as proof; `recado voice samples remove` erases the recording.", err=True)


def _inspected(file: Path) -> InspectedSample:
    if file.stat().st_size > SampleLimits().max_bytes:
        raise click.ClickException(f"{file}: larger than {SampleLimits().max_bytes / 1e6:g} MB; cut the recording.")
    click.echo("Listening to the recording …", err=True)
    try:
        return inspect_sample(file.read_bytes())
    except BadAudio as error:
        raise click.ClickException(f"{file}: {error}. Nothing was stored.") from error


def _measured(inspected: InspectedSample) -> list[tuple[str, str]]:
    report = inspected.report
    return [
        ("file", f"{report.container} ({report.codec}), {report.sample_rate_hz} Hz, {report.channels} channels"),
        ("speech", f"{report.speech_s:.1f} s of {report.file_s:.1f} s"),
        ("noise", f"{report.snr_db:.0f} dB below the speech"),
        ("clipped", f"{100 * report.clipped:.2f} %"),
        ("warnings", ", ".join(report.warnings)),
    ]


def _row(sample: StoredSample, voices: tuple[Voice, ...]) -> tuple[str, ...]:
    report = sample.report
    return (
        sample.id[:12],
        sample.kind.value,
        f"{report.speech_s:.1f} s" if report else "",
        f"{report.sample_rate_hz} Hz" if report else "",
        f"-{report.snr_db:.0f} dB" if report else "",
        consent_words(sample, datetime.now(UTC)),
        sample.consent.speaker if sample.consent else "",
        " ".join(voice.id for voice in voices),
        ", ".join(report.warnings) if report else "",
    )


def _left_of(voice: Voice) -> str:
    return "spoken by its stand-in only" if voice.stand_in else "not spoken any more; its persona answers in text"
