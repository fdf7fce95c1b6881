"""What the business knows of a message beyond what it sent: who speaks, in which words, and what it had heard.

WhatsApp sends none of this, and the emulator has no ears: whoever starts it may hand it a source, asked by the opaque
callback data that the business put on the message. A stand-in for the transcripts that real phones make themselves.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Caption:
    """`speaker` is who speaks for the business, `text` the words of the message in `language`.

    `heard` are the words that it answers, as the business understood them. Each may be empty.
    """

    speaker: str = ""
    text: str = ""
    language: str = ""
    heard: str = ""


Captions = Callable[[str], Awaitable[Caption | None]]
