"""`recado verify`: did this installation make that file?"""

from __future__ import annotations

import asyncio
from pathlib import Path

import click
import orjson

from bot.commandline.processes import read_settings
from bot.commandline.store_access import open_store
from bot.commandline.table import pairs
from bot.provenance import Records, installation_keys, local_records
from bot.settings import Settings
from tts.audio.decode import decode, sniff_container
from tts.errors import TtsError
from tts.provenance import FoundRecord, Match, SignedRecord, dump_signed, find_record
from tts.watermark import MARKED_FROM, PerthWatermark, watermark_installed

MAX_BYTES = 64_000_000
_MATCHED = {
    Match.FILE: "the file itself, byte for byte",
    Match.SOUND: "its sound; container or tags were changed on the way",
}


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the signed record as JSON.")
def verify(file: Path, *, as_json: bool) -> None:
    """Say whether we made FILE, and show its record.

    Compares the file, then the coded sound in it, with the records of this installation, and checks the signature. Ends
    with 0 when the file is ours, with 1 when it is not or nobody can tell.
    """
    if file.stat().st_size > MAX_BYTES:
        raise click.ClickException(f"{file} has more than {MAX_BYTES:,} bytes; a voice note is far smaller")
    data, settings = file.read_bytes(), read_settings()
    found, searched_store = asyncio.run(_find(settings, data))
    if not searched_store:
        click.echo("The store does not answer: only the records of this machine's commands were searched.", err=True)
    if found is None:
        if sniff_container(data) is None:
            raise click.ClickException(f"{file} is not audio: voice notes are OGG, WAV, MP3 or FLAC files.")
        click.echo(f"{file}: no record of it; we cannot say that we made it.")
        _tell_watermark(data)
        raise SystemExit(1)
    try:
        valid = installation_keys(settings).verify(found.signed)
    except TtsError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(orjson.dumps({"match": found.match, "valid": valid, **orjson.loads(dump_signed(found.signed))}))
    else:
        click.echo(f"{file}: made here." if valid else f"{file}: a record names it, but the signature is not ours.")
        for line in pairs(_facts(found.signed, found.match, valid=valid)):
            click.echo(line)
        _tell_watermark(data)
    raise SystemExit(0 if valid else 1)


async def _find(settings: Settings, data: bytes) -> tuple[FoundRecord | None, bool]:
    """The record, and whether the store was there to be asked."""
    local = local_records(settings)
    try:
        async with open_store(settings) as installation:
            records = Records(installation.redis, kept_s=settings.provenance_days * 86_400)
            return await find_record(data, [records, local]), True
    except click.ClickException:
        return await find_record(data, [local]), False


def _facts(signed: SignedRecord, match: Match, *, valid: bool) -> list[tuple[str, str]]:
    record = signed.record
    return [
        ("matched by", _MATCHED[match]),
        ("signature", f"valid, key {signed.key_id}" if valid else f"NOT valid, key {signed.key_id}"),
        ("made at", record.made_at),
        ("length", f"{record.duration_s:.1f} s"),
        ("voice", f"{record.voice_id}, version {record.voice_version}"),
        ("engine", f"{record.engine} ({record.model})"),
        ("sources", "\n".join(record.sources)),
        ("consents", "\n".join(record.consents)),
        ("turn", record.turn_id),
        ("scores", ", ".join(f"{name} {value:g}" for name, value in record.scores)),
        ("record", record.id),
        ("file", record.file_sha256),
        ("sound", record.coded_sha256),
    ]


def _tell_watermark(data: bytes) -> None:
    """The watermark says that audio is synthetic, not whose it is: worth a line, never the answer."""
    if not watermark_installed():
        return
    try:
        score = PerthWatermark().score(decode(data).audio)
    except TtsError:
        return
    found = "found" if score >= MARKED_FROM else "not found"
    click.echo(f"Watermark of synthetic speech: {found} ({score:.2f}).", err=True)
