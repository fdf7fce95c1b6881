"""Forgets what was made of recordings whose consent is over, without waiting for somebody to speak with them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

from bot.sample_store import Samples
from bot.voice_uses import Uses
from tts.material import sample_refusal


async def forget_ended(
    samples: Samples, uses: Uses, *, forget: Callable[[str], Awaitable[None]], now: datetime
) -> tuple[str, ...]:
    """`forget` every voice that is heard with a recording nobody allows at `now`; the ids of these voices.

    The recordings stay where they are: who may erase them is for people to say.
    """
    ended: set[str] = set()
    for sample in await samples.list():
        if sample_refusal(sample, now):
            spoken = [use.voice for use in await uses.of(sample.id) if use.heard and use.voice is not None]
            ended |= {voice.id for voice in spoken}
    for voice_id in sorted(ended):
        await forget(voice_id)
    return tuple(sorted(ended))
