"""`recado voice samples`: recordings of people who consented, in and out of a voice's mix."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from bot.commandline.processes import read_tts_settings
from bot.commandline.table import columns, pairs
from bot.commandline.voice.lab_access import hearing, in_lab
from bot.commandline.voice.words import VOICE, YES, left_of, names_of
from bot.installation import Installation
from bot.recordings import consent_words, same_consent
from bot.voice_lab import Change, VoiceLab
from bot.voice_store import recordings_of
from bot.voice_uses import Use
from tts.errors import BadAudio
from tts.voices.consent import Consent
from tts.voices.samples import (
    InspectedSample,
    SampleLimits,
    SampleWarning,
    StoredSample,
    check_packages,
    inspect_sample,
)

_SAMPLE = click.argument("sample", metavar="SAMPLE")


@click.group()
def samples() -> None:
    """List, add, remove samples, and withdraw the consent to one."""


@samples.command("list")
@click.argument("voice_id", metavar="[VOICE]", required=False)
def list_samples(voice_id: str | None) -> None:
    """List the recordings of VOICE, or all, who uses them, and how their consents stand."""

    async def look(lab: VoiceLab, installation: Installation) -> list[tuple[str, ...]]:
        among = recordings_of(await lab.voice(voice_id)) if voice_id else None
        found = await installation.samples.list()
        return [
            _row(sample, await lab.recordings.uses.of(sample.id))
            for sample in found
            if among is None or sample.id in among
        ]

    rows = in_lab(look)
    if not rows:
        click.echo("No sample yet: `recado voice samples add VOICE FILE --speaker … --consent-by … --statement …`.")
        return
    for line in columns(
        ("SAMPLE", "KIND", "SPEECH", "RATE", "NOISE", "CONSENT", "SPEAKER", "USED BY", "REMARKS"), rows
    ):
        click.echo(line)


@samples.command()
@VOICE
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
@click.option("--language", default="", help="What is spoken in it, where that is not the voice's language.")
@click.option("--accept-narrowband", is_flag=True, help="Take telephone quality without asking.")
@click.option(
    "--replace-consent", is_flag=True,
    help="Where the recording is known: put this consent in the place of that one, for every voice that uses it.",
)  # fmt: skip
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
    language: str,
    accept_narrowband: bool,
    replace_consent: bool,
) -> None:
    """Take FILE (WAV, MP3, FLAC, OGG, M4A or AMR; 3 s of speech or more) into VOICE's mix."""
    consent = Consent(
        speaker=_plain(speaker),
        by=_plain(consent_by),
        statement=_plain(statement),
        given_at=datetime.now(UTC),
        expires_at=expires.replace(hour=23, minute=59, second=59, tzinfo=UTC) if expires else None,
    )
    # Listening takes long: what would refuse any recording comes before it.
    _check_file(file)
    in_lab(lambda lab, _: _check_early(lab, voice_id, consent, language))
    inspected = _inspected(file)
    for line in pairs(_measured(inspected)):
        click.echo(line, err=True)
    if SampleWarning.NARROWBAND in inspected.report.warnings and not accept_narrowband:
        click.confirm("The recording has telephone quality, and so will the voice. Take it?", abort=True, err=True)
    settings = read_tts_settings()

    async def work(lab: VoiceLab, _installation: Installation) -> Change:
        if not transcript:
            click.echo("Writing down what is said, unless that is known …", err=True)
        async with hearing(settings) as transcriber:
            return await lab.add_sample(
                voice_id,
                inspected,
                consent=consent,
                weight=weight,
                transcript=_plain(transcript),
                language=language,
                transcriber=transcriber,
                narrowband_confirmed=True,
                replace_consent=replace_consent,
            )

    change = in_lab(work)
    click.echo(f"{change.sample.id[:12]}: in the mix of {change.voice.id}, version {change.voice.version}")
    kept = change.sample.consent
    if change.known and kept is not None and not same_consent(kept, consent):
        until = f" until {kept.expires_at:%Y-%m-%d}" if kept.expires_at else ""
        click.echo(
            f"The recording is known: it is {kept.speaker}'s, by a consent of {kept.by} of {kept.given_at:%Y-%m-%d}"
            f"{until}. That consent stays, with its transcript; yours was not stored. To put yours in its place, for "
            "every voice that uses the recording, add it again with --replace-consent.",
            err=True,
        )


@samples.command()
@VOICE
@_SAMPLE
@YES
def remove(voice_id: str, sample: str, *, yes: bool) -> None:
    """Take SAMPLE out of VOICE's mix, and erase it where nobody else uses it."""

    async def look(lab: VoiceLab, _installation: Installation) -> tuple[StoredSample, tuple[Use, ...]]:
        found = await lab.recordings.one(sample, recordings_of(await lab.voice(voice_id)))
        return found, await lab.recordings.uses.of(found.id)

    found, uses = in_lab(look)
    if len(uses) == 1 and not yes:
        click.confirm(
            f"Nobody but {voice_id} uses {found.id[:12]}: it is erased then, for good. Remove it?", abort=True, err=True
        )
    change, erased = in_lab(lambda lab, _: lab.remove_sample(voice_id, found.id))
    fate = "erased" if erased else f"kept, it is used by {names_of([use for use in uses if use.name != voice_id])}"
    click.echo(f"{change.sample.id[:12]}: {fate}; {change.voice.id} is version {change.voice.version}")


@samples.command()
@_SAMPLE
@YES
def withdraw(sample: str, *, yes: bool) -> None:
    """End the consent to SAMPLE: no voice made of it is spoken from now on, and what was made of it is forgotten."""

    async def look(lab: VoiceLab, _installation: Installation) -> tuple[StoredSample, tuple[Use, ...]]:
        found = await lab.recordings.one(sample)
        return found, await lab.recordings.uses.of(found.id)

    found, uses = in_lab(look)
    if found.consent and not yes:
        click.echo(f"{found.id[:12]} is {found.consent.speaker}'s, used by {names_of(uses) or 'nobody'}.", err=True)
        click.confirm("A withdrawal cannot be taken back. End the consent?", abort=True, err=True)
    withdrawn, silenced = in_lab(lambda lab, _: lab.recordings.withdraw(found.id))
    click.echo(f"{withdrawn.id[:12]}: consent withdrawn")
    for use in silenced:
        click.echo(f"{use.name}: {left_of(use)}")
    click.echo(
        f"The recording itself is still here: `recado voice samples erase {withdrawn.id[:12]}` erases it. The record "
        "of the consent and of its end stays as proof.",
        err=True,
    )


@samples.command()
@_SAMPLE
@YES
def erase(sample: str, *, yes: bool) -> None:
    """Erase SAMPLE, which nobody uses or whose consent was withdrawn; the record of a withdrawn consent stays."""
    uses = in_lab(lambda lab, _: lab.recordings.users(sample))
    speakers = names_of([use for use in uses if use.by_prompt])
    if speakers:
        click.echo(f"With it speaks: {speakers}. Another clip is designed then, and sounds different.", err=True)
    if not yes:
        click.confirm(f"Erase {sample} for good?", abort=True, err=True)

    async def work(lab: VoiceLab, installation: Installation) -> tuple[str, StoredSample | None]:
        erased = await lab.recordings.erase(sample)
        return erased, await installation.samples.find(erased)

    erased, left = in_lab(work)
    proof = "; the record of its withdrawn consent stays as proof" if left else ""
    click.echo(f"{erased[:12]}: erased{proof}")


async def _check_early(lab: VoiceLab, voice_id: str, consent: Consent, language: str) -> None:
    await lab.check_sample(voice_id, consent=consent, language=language)
    check_packages()


def _check_file(file: Path) -> None:
    size, most = file.stat().st_size, SampleLimits().max_bytes
    if size > most:
        raise click.ClickException(
            f"{file}: the file has {size / 1e6:.1f} MB, a sample at most {most / 1e6:g} MB; cut the recording, or save "
            "it as FLAC or MP3. Nothing was stored."
        )


def _inspected(file: Path) -> InspectedSample:
    click.echo("Listening to the recording …", err=True)
    try:
        return inspect_sample(file.read_bytes())
    except BadAudio as error:
        raise click.ClickException(f"{file}: {error}. Nothing was stored.") from error


def _plain(text: str) -> str:
    """One line, without line breaks and control characters: it is shown in tables, and asked for in court."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def _measured(inspected: InspectedSample) -> list[tuple[str, str]]:
    report = inspected.report
    return [
        ("file", f"{report.container} ({report.codec}), {report.sample_rate_hz} Hz, {report.channels} channels"),
        ("speech", f"{report.speech_s:.1f} s of {report.file_s:.1f} s"),
        ("noise", f"{report.snr_db:.0f} dB below the speech"),
        ("clipped", f"{100 * report.clipped:.2f} %"),
        ("warnings", ", ".join(report.warnings)),
    ]


def _row(sample: StoredSample, uses: Sequence[Use]) -> tuple[str, ...]:
    report = sample.report
    remarks = [*(report.warnings if report else ()), *(["erased"] if sample.erased_at else [])]
    return (
        sample.id[:12],
        sample.kind.value,
        f"{report.speech_s:.1f} s" if report else "",
        f"{report.sample_rate_hz} Hz" if report else "",
        f"-{report.snr_db:.0f} dB" if report else "",
        consent_words(sample, datetime.now(UTC)),
        sample.consent.speaker if sample.consent else "",
        names_of(uses),
        ", ".join(remarks),
    )
