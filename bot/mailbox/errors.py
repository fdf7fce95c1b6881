"""What may go wrong between the application and its mailbox.

    MailboxError            base; retryable says whether the same call may work later
    ├── StoreUnavailable    no answer, or the store cannot write now (full, loading, read-only): nothing is known
    ├── StoreBroken         the store refuses the call itself: a foreign key in our place, a permission
    ├── LeaseLost           the turn belongs to somebody else by now: stop working on it
    ├── TurnCancelled       the person said stop, took the message back, or a human took over: send nothing more
    ├── UnknownTurn         no such turn, or not in the state the call is for
    └── WindowClosed        the person wrote too long ago for a dead letter to be answered

Knows no redis: `bot.mailbox.functions` translates.
"""

from __future__ import annotations


class MailboxError(Exception):
    """Base of everything the mailbox raises on purpose."""

    retryable = False


class StoreUnavailable(MailboxError):
    """The store did not answer or cannot write now; the call may or may not have happened, and is safe to repeat."""

    retryable = True


class StoreBroken(MailboxError):
    """The store refused the call; repeating it will not help until somebody has looked."""


class LeaseLost(MailboxError):
    """The token is no longer this consumer's; whatever it still wants to do with the turn is refused."""


class TurnCancelled(MailboxError):
    """The turn is closed and nothing more of it may be sent; `done` may still bring its last record."""


class UnknownTurn(MailboxError):
    """There is no such turn, or it is not a dead letter."""


class WindowClosed(MailboxError):
    """The person's last message is older than the channel's service window: a replay could not be delivered."""
