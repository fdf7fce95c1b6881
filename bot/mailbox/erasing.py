"""Removes people from the mailbox, and remembers that until all others have forgotten them: no crash ends it halfway.

Knows neither what the others keep nor how they forget it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, ResponseError

from bot.mailbox.decoding import Fields
from bot.mailbox.errors import StoreBroken
from bot.mailbox.functions import Functions
from bot.mailbox.keys import fresh_id
from bot.mailbox.model import Erased, Erasure

log = structlog.get_logger()

MEMORY = "memory"
"""The keeper of what was remembered of conversations; the others are folders of recorded webhooks, by their names."""

_LOOK_S = 0.1


class Erasing:
    """Erasure, and what is owed to it."""

    def __init__(self, redis: Redis, functions: Functions) -> None:
        self._redis = redis
        self._functions = functions

    async def erase(self, person_id: str, *, asked_in: str = "") -> Erased:
        """Remove all that is kept of a person, running turns too; safe to repeat.

        Whoever works on one of these turns meets LeaseLost. Dedupe and opt-out marks stay: keyed hashes only. Where the
        person asked for it in a conversation, what was written there since is kept, as a first contact. What MEMORY and
        recordings keep is theirs to remove, see `erasures`; what the store's log keeps goes with `rewrite_log`.
        """
        erasure_id = fresh_id()
        mailboxes, turns, known = await self._functions.call("erase", person_id, asked_in, erasure_id)
        return Erased(
            conversation_ids=tuple(mailbox.decode() for mailbox in mailboxes),
            records={turn.decode(): record for turn, record in turns},
            erasure_id=erasure_id if known else None,
        )

    async def enlist_recordings(self, folder: str, *, until_ms: int) -> None:
        """A folder of recorded webhooks may hold something of anybody until then; from now on every erasure asks it."""
        await self._functions.call("enlist_recordings", folder, until_ms)

    async def erasures(self, keeper: str, *, min_age_s: float = 0) -> tuple[Erasure, ...]:
        """The erasures that wait for `keeper`, of those that are at least so old."""
        found = [
            (name.decode(), Fields(flat))
            for name, flat in await self._functions.call("erasures", keeper, round(min_age_s * 1000))
        ]
        return tuple(
            Erasure(
                id=name,
                conversation_ids=one.ids("conversations"),
                marks=tuple(filter(None, (one.text("phone"), one.text("user_id")))),
            )
            for name, one in found
        )

    async def erased(self, erasure_id: str, keeper: str) -> None:
        """`keeper` has nothing of that person any more. After the last one nothing is left of the erasure itself."""
        await self._functions.call("erased", erasure_id, keeper)

    async def rewrite_log(self, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> bool:
        """Let the store rewrite its append-only file if that still holds what was erased; whether it is rid of it now.

        False while another rewrite is under way, or when this one failed: call again. Returns when it is done.
        """
        removed = await self._functions.call("log_debt")
        if removed is None:
            return True
        if not await self._rewritten(sleep):
            return False
        await self._functions.call("log_rewritten", removed)
        return True

    async def _rewritten(self, sleep: Callable[[float], Awaitable[None]]) -> bool:
        before = await self._persistence()
        if not before["aof_enabled"]:
            return True
        try:
            await self._functions.guarded(self._redis.bgrewriteaof)
        except StoreBroken as error:
            if _is_forbidden(error.__cause__):
                log.warning(
                    "the store lets nobody rewrite its log; what was erased stays in it until it does so itself"
                )
                return True
            log.info("the store cannot rewrite its log now", error=str(error))
            return False
        after = await self._persistence()
        while after["aof_rewrite_in_progress"] or after["aof_rewrite_scheduled"]:
            await sleep(_LOOK_S)
            after = await self._persistence()
        if after["run_id"] == before["run_id"] and after["aof_last_bgrewrite_status"] == "ok":
            return True
        log.warning("the store did not rewrite its log")
        return False

    async def _persistence(self) -> dict[str, int | str]:
        found = await self._functions.guarded(lambda: self._redis.info("server", "persistence"))
        return dict(found)


def _is_forbidden(error: BaseException | None) -> bool:
    """Hosted stores keep their log to themselves."""
    unknown = isinstance(error, ResponseError) and str(error).lower().startswith("unknown command")
    return unknown or isinstance(error, NoPermissionError)
