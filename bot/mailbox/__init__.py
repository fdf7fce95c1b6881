"""Durable turns on Valkey: what comes in is kept, ordered per conversation, worked on once and never lost."""

from bot.mailbox.coalescing import CoalescingSender
from bot.mailbox.erasing import MEMORY
from bot.mailbox.errors import (
    LeaseLost,
    MailboxError,
    StoreBroken,
    StoreUnavailable,
    TurnCancelled,
    UnknownTurn,
    WindowClosed,
)
from bot.mailbox.mailbox import Mailbox
from bot.mailbox.model import (
    DRAINING,
    Claim,
    Depth,
    Effect,
    Erased,
    Erasure,
    Incoming,
    Lane,
    Lease,
    MailboxSettings,
    MediaTask,
    PersonRecord,
    PutResult,
    Receipt,
    Token,
    TurnStatus,
    TurnSummary,
)

__all__ = [
    "DRAINING",
    "MEMORY",
    "Claim",
    "CoalescingSender",
    "Depth",
    "Effect",
    "Erased",
    "Erasure",
    "Incoming",
    "Lane",
    "Lease",
    "LeaseLost",
    "Mailbox",
    "MailboxError",
    "MailboxSettings",
    "MediaTask",
    "PersonRecord",
    "PutResult",
    "Receipt",
    "StoreBroken",
    "StoreUnavailable",
    "Token",
    "TurnCancelled",
    "TurnStatus",
    "TurnSummary",
    "UnknownTurn",
    "WindowClosed",
]
