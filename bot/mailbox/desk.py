"""What operators and people's rights need of the mailbox: lists, dead letters, pauses, opt-out.

Knows no console and no policy.
"""

from __future__ import annotations

from collections.abc import Callable

from redis.asyncio import Redis

from bot.mailbox.decoding import Fields, read_person, read_summary
from bot.mailbox.erasing import Erasing
from bot.mailbox.errors import UnknownTurn, WindowClosed
from bot.mailbox.functions import Functions
from bot.mailbox.keys import Sealer
from bot.mailbox.model import Depth, PersonRecord, TurnSummary
from webhooks.messages import Person

PAGE = 100  # so many turns a call: the store serves nobody else meanwhile


class Desk(Erasing):
    """The operator's side of the mailbox."""

    def __init__(self, redis: Redis, functions: Functions, sealer: Sealer) -> None:
        super().__init__(redis, functions)
        self._sealer = sealer

    # -- turns and dead letters -----------------------------------------------------------------------------------

    async def turns(self, limit: int) -> tuple[TurnSummary, ...]:
        """The newest turns, newest first."""
        return await self._pages("turns", limit)

    async def turn(self, turn_id: str) -> TurnSummary | None:
        """One turn with the messages that are still kept, or None when it is forgotten."""
        reply = await self._functions.call("turn", turn_id)
        return read_summary(reply) if reply is not None else None

    async def dead_letters(self, limit: int = 100) -> tuple[TurnSummary, ...]:
        """The turns that were given up, newest first; their `reason` says why."""
        return await self._pages("dead_letters", limit)

    async def _pages(self, function: str, limit: int) -> tuple[TurnSummary, ...]:
        found: list[TurnSummary] = []
        while len(found) < limit:
            wanted = min(PAGE, limit - len(found))
            seen, replies = await self._functions.call(function, len(found), wanted)
            found += map(read_summary, replies)
            if int(seen) < wanted:
                break
        return tuple(found)

    async def replay(self, turn_id: str) -> None:
        """Run a dead letter again, with fresh attempts. Raises UnknownTurn or WindowClosed."""
        match await self._functions.call("replay", turn_id):
            case b"UNKNOWN":
                raise UnknownTurn("no such dead letter")
            case b"CLOSED":
                raise WindowClosed("the person wrote too long ago: an answer could not be delivered")

    async def replay_all(
        self, *, on_progress: Callable[[int, int], None] = lambda _replayed, _refused: None
    ) -> tuple[int, int]:
        """Replay every dead letter there is now, the oldest first: how many run again, and how many came too late.

        Goes page by page, so that others are served meanwhile, and may be broken off and begun again; `on_progress`
        gets both numbers after each page. What dies again meanwhile is left.
        """
        replayed = refused = gone = 0
        until_ms, turns = await self._functions.call("oldest_dead", "", 0, PAGE)
        while turns:
            for turn_id in turns:
                try:
                    await self.replay(turn_id.decode())
                except UnknownTurn:
                    gone += 1
                except WindowClosed:
                    refused += 1
                else:
                    replayed += 1
            on_progress(replayed, refused)
            # Those that were not replayed stay where they are: the next page begins behind them.
            _, turns = await self._functions.call("oldest_dead", until_ms, refused + gone, PAGE)
        return replayed, refused

    async def discard(self, turn_id: str) -> None:
        """Drop a dead letter and what it says. Raises UnknownTurn."""
        if await self._functions.call("discard", turn_id) == b"UNKNOWN":
            raise UnknownTurn("no such dead letter")

    async def depth(self) -> Depth:
        """How much work lies where."""
        found = await self._functions.call("depth")
        conversations, delayed, oldest_ms, dead, fast, fast_leases, voice, voice_leases = map(int, found)
        return Depth(
            conversations=conversations,
            delayed=delayed,
            oldest_age_s=oldest_ms / 1000,
            dead=dead,
            fast_tokens=fast,
            fast_leases=fast_leases,
            voice_tokens=voice,
            voice_leases=voice_leases,
        )

    # -- conversations and people ---------------------------------------------------------------------------------

    async def pause(self, conversation_id: str, until_ms: int, reason: str, *, cancel_running: bool = False) -> bool:
        """Silence the bot in one conversation, at once with `cancel_running`; False if there is no such conversation.

        A pause stops no turn from being claimed: the claim says that it holds, and policy decides.
        """
        return bool(await self._functions.call("pause", conversation_id, until_ms, reason, int(cancel_running)))

    async def resume(self, conversation_id: str) -> bool:
        """End a pause."""
        return await self.pause(conversation_id, 0, "")

    async def person(self, person_id: str) -> PersonRecord | None:
        """One person, or None when they are unknown or erased."""
        flat = await self._functions.call("person", person_id)
        return read_person(Fields(flat)) if flat else None

    async def find_person(self, channel: str, address: Person) -> PersonRecord | None:
        """The person behind a phone number or user id."""
        aliases = (self._sealer.phone(channel, address.phone), self._sealer.user(channel, address.user_id))
        flat = await self._functions.call("find_person", *filter(None, aliases))
        return read_person(Fields(flat)) if flat else None

    async def set_opt_out(self, person_id: str, *, opted_out: bool) -> bool:
        """Remember that a person wants no answers, or wants them again; False if there is no such person."""
        return bool(await self._functions.call("set_opt_out", person_id, int(opted_out)))
