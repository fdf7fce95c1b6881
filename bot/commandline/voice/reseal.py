"""`recado voice samples reseal`: everything of samples under the first key of SAMPLES_KEY."""

from __future__ import annotations

import contextlib

import click
from redis.exceptions import ResponseError

from bot.commandline.processes import read_settings
from bot.commandline.store_access import with_store
from bot.installation import Installation
from bot.sample_store import Resealed


@click.command()
def reseal() -> None:
    """Encrypt all samples and their records with the first key of SAMPLES_KEY.

    Run it once SAMPLES_KEY is set, and after a new key was put before the old one, which may go when nothing is left
    under it. What engines made of voices is forgotten and made anew.
    """
    if not read_settings().samples_key:
        raise click.ClickException(
            "SAMPLES_KEY is not set, so there is nothing to encrypt with. Make a key: "
            'python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"'
        )
    done = with_store(_reseal)
    click.echo(f"Under the first key of SAMPLES_KEY now: records {done.records}, recordings {done.recordings}.")
    click.echo("Exports, backups and provenance records are not touched.", err=True)
    if done.locked:
        raise click.ClickException(
            f"{done.locked} more were stored under a key that SAMPLES_KEY does not list: they are as they were. Add "
            "that key behind the others, and run this again."
        )


async def _reseal(installation: Installation) -> Resealed:
    done = await installation.samples.reseal()
    await installation.profiles.purge_all()
    with contextlib.suppress(ResponseError):  # a store that does this by itself, or lets nobody ask for it
        await installation.redis.bgrewriteaof()  # the old records stand in its log until then
    return done
