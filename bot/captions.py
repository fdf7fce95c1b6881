"""Tells the emulator's phone page who speaks in which words: from the turn that a message's callback data names.

Reads the store and changes nothing. For the demo and for developers; the Cloud API carries none of this.
"""

from __future__ import annotations

import asyncio

import structlog
from redis.exceptions import RedisError

from bot.installation import Installation, open_installation
from bot.mailbox import MailboxError
from bot.record import load_record
from bot.settings import Settings
from bot.store import Role
from bot.wire import Unreadable
from tts.errors import TtsError
from webhooks.emulator.captions import Caption

log = structlog.get_logger()

OPENED_WITHIN_S = 3.0


class StoredCaptions:
    """Captions from this installation's store, which is opened when the first one is asked for."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._installation: Installation | None = None
        self._opening = asyncio.Lock()

    async def find(self, callback_data: str) -> Caption | None:
        """What is known of the message; None where its turn is gone or the store does not answer."""
        try:
            return await caption(await self._opened(), callback_data)
        except (MailboxError, RedisError, TtsError, OSError, Unreadable) as error:
            log.warning("a caption cannot be had", error=type(error).__name__)
            return None

    async def close(self) -> None:
        """Close the store again."""
        if self._installation is not None:
            await self._installation.close()

    async def _opened(self) -> Installation:
        async with self._opening:
            if self._installation is None:
                self._installation = await open_installation(self._settings, role=Role.WORKER, wait_s=OPENED_WITHIN_S)
            return self._installation


async def caption(installation: Installation, callback_data: str) -> Caption | None:
    """The caption of the part that this callback datum names; None for a datum or a turn that nobody knows."""
    turn_id, _, place = callback_data.partition(":")
    index = place.partition(":")[0]
    if not index.isdecimal():
        return None
    stored = await installation.mailbox.turn(turn_id)
    if stored is None or stored.record is None:
        return None
    record = load_record(stored.record)
    if int(index) >= len(record.turn.parts):
        return None
    said = record.aftermath
    persona = await installation.personas.get(said.persona_id) if said.persona_id else None
    return Caption(
        speaker=persona.name if persona else "",
        text=record.turn.parts[int(index)].text,
        language=said.language,
        heard=next((line.text for line in said.lines if line.role == "person"), ""),
    )
