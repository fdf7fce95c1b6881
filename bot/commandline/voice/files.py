"""`recado voice export` and `import`: voices as files, with their recordings and consents."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from bot.commandline.voice.lab_access import in_transfer
from bot.commandline.voice.words import VOICE, left_of
from bot.voice import VoiceError
from bot.voice_bundle import SAMPLES_FOLDER, VOICE_FILE, read_bundle, write_bundle
from tts.blobs import is_blob_id
from tts.material import sample_refusal


@click.command()
@VOICE
@click.option("-o", "--output", type=click.Path(path_type=Path), help="A .zip, or a folder; VOICE.zip without it.")
@click.option("--overwrite", is_flag=True, help="Replace an export that is there.")
def export(voice_id: str, output: Path | None, *, overwrite: bool) -> None:
    """Write VOICE with its recordings and consents to one zip or folder, which `import` makes the same voice of."""
    place = output or Path(f"{voice_id}.zip")
    _check_place(place, overwrite=overwrite)
    bundle = in_transfer(lambda transfer: transfer.export(voice_id))
    for sample in bundle.samples:
        refusal = sample_refusal(sample, datetime.now(UTC))
        if refusal:
            click.echo(f"warning: {sample.id[:12]}: {refusal}; nobody may make a voice of what you export.", err=True)
    if place.is_dir():
        _clear(place)
    try:
        write_bundle(bundle, place)
    except OSError as error:
        raise click.ClickException(f"{place} cannot be written: {error.strerror}.") from error
    click.echo(f"{place}: {bundle.voice.id}, version {bundle.voice.version}, {len(bundle.files)} recordings", err=True)
    if bundle.files:
        click.echo("It holds recordings and consents, unencrypted: keep it as you keep those.", err=True)


@click.command("import")
@click.argument("place", metavar="ZIP_OR_FOLDER", type=click.Path(exists=True, path_type=Path))
@click.option("--overwrite", is_flag=True, help="Replace a stored voice of the same id; `restore` goes back.")
@click.option(
    "--trust-designed", is_flag=True,
    help="Take clips that the archive calls designed, so nobody's voice, without any consent.",
)  # fmt: skip
def import_voice(place: Path, *, overwrite: bool, trust_designed: bool) -> None:
    """Store the voice that `export` wrote, with its recordings and consents."""
    try:
        bundle = read_bundle(place)
    except VoiceError as error:
        raise click.ClickException(str(error)) from error
    imported = in_transfer(
        lambda transfer: transfer.import_bundle(bundle, overwrite=overwrite, trust_designed=trust_designed)
    )
    click.echo(f"{imported.voice.id}: version {imported.voice.version}, {len(bundle.files)} recordings")
    for remark in imported.remarks:
        click.echo(remark, err=True)
    for use in imported.silenced:
        click.echo(f"{use.name}: {left_of(use)}", err=True)


def _check_place(place: Path, *, overwrite: bool) -> None:
    """Refuse to replace what is there; a folder is replaced only where it holds an export."""
    if not place.absolute().parent.is_dir():
        raise click.ClickException(f"{place.absolute().parent} is no folder; make it first, or choose another with -o.")
    if place.is_dir() and place.suffix.lower() == ".zip":
        raise click.ClickException(f"{place} is a folder; choose another name with -o.")
    if not place.exists() or (place.is_dir() and not any(place.iterdir())):
        return
    if place.is_dir() and not (place / VOICE_FILE).is_file():
        raise click.ClickException(f"{place} is a folder with other files; choose another with -o.")
    if place.is_file() and place.suffix.lower() != ".zip":
        raise click.ClickException(f"{place} is a file; choose a name that ends in .zip, or a folder, with -o.")
    if not overwrite:
        raise click.ClickException(f"{place} is there already; --overwrite replaces it, -o names another place.")


def _clear(place: Path) -> None:
    """Take the recordings of an earlier export away: the new one may have fewer."""
    for file in (place / SAMPLES_FOLDER).glob("*.flac"):
        if is_blob_id(file.stem):
            file.unlink()
