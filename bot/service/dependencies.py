"""What the effects of turns need. Knows how none of it is made."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bot.composer import Composer
from bot.conversation import Conversations
from bot.ears import Ears
from bot.mailbox import Mailbox
from bot.metrics import Metrics
from bot.persona_store import Personas
from bot.provenance import Notary
from bot.turn import TurnLimits
from bot.voice_store import Voices
from tts.contract import BlobStore
from tts.speaker import Speaker
from webhooks.contract import Channel, Pace


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependencies:
    """Built once by the worker. `note_kept_s` is how long the last note of a conversation is kept for "repeat"."""

    mailbox: Mailbox
    channel: Channel
    pace: Pace
    speaker: Speaker
    blobs: BlobStore
    composer: Composer
    ears: Ears
    conversations: Conversations
    personas: Personas
    voices: Voices
    notary: Notary
    metrics: Metrics
    limits: TurnLimits
    note_kept_s: float
    now_ms: Callable[[], int]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
