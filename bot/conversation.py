"""What is remembered of a conversation, and for how long. Decides nothing and sends nothing.

Every key carries an internal random id, never a number or a message id, and every key has a time to live. All keys
share one hash tag, so that what one step touches lies on one shard.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson
from redis.asyncio import Redis

MINUTE_MS = 60_000
DAY_MS = 86_400_000
KEPT_LINES = 60
KEPT_TURNS = 30
RECENT_TTL_S = 3600

# Exact under concurrency and repeatable: a turn keeps the number it got first.
_COUNT_ONCE = """
local number = redis.call('HGET', KEYS[1], ARGV[1])
if not number then
  number = redis.call('HLEN', KEYS[1]) + 1
  redis.call('HSET', KEYS[1], ARGV[1], number)
  redis.call('EXPIRE', KEYS[1], ARGV[2])
end
return tonumber(number)
"""

Role = Literal["person", "persona"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing that was said; `at_ms` is the wall clock."""

    role: Role
    text: str = field(repr=False)
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentTurn:
    """A turn of the last minutes, for the loop guard. `fingerprint` is what `policy.fingerprint` made of its text."""

    at_ms: int
    fingerprint: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """One person with one of our numbers. None means never decided: the persona's or installation's default holds.

    `history` and `recent` are oldest first. `last_note` is the blob of the last voice note, while it is kept.
    `awaiting` is the question that is open ("confirm_delete" or none) until `awaiting_until_ms`, asked in
    `awaiting_language`.
    """

    id: str
    person_id: str
    endpoint_id: str
    persona_id: str | None = None
    voice_on: bool | None = None
    disclosed_at_ms: int | None = None
    awaiting: str = ""
    awaiting_until_ms: int | None = None
    awaiting_language: str = ""
    last_note: str | None = None
    history: tuple[Line, ...] = field(default=(), repr=False)
    recent: tuple[RecentTurn, ...] = field(default=(), repr=False)

    @property
    def last_answer(self) -> str | None:
        """What the persona said last, for "repeat"."""
        return next((line.text for line in reversed(self.history) if line.role == "persona"), None)

    def open_question(self, now_ms: int) -> str:
        """`awaiting`, unless its time has passed."""
        return self.awaiting if self.awaiting_until_ms is not None and now_ms < self.awaiting_until_ms else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Which turn of this minute and of this day a turn is, for its person; both count from 1."""

    in_minute: int
    in_day: int


class Conversations:
    """Conversations in Redis. `history_s` is how long one is remembered after its last change."""

    def __init__(self, redis: Redis, *, prefix: str = "{recado}", history_s: float = 30 * 86_400) -> None:
        self._redis = redis
        self._prefix = prefix
        self._notes = f"{prefix}:kept-notes"
        self._ttl_s = max(1, int(history_s))
        self._count = redis.register_script(_COUNT_ONCE)

    async def load(self, conversation_id: str, *, person_id: str, endpoint_id: str) -> Conversation:
        """What is known; a conversation nobody knows yet is an empty one."""
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hgetall(self._key(conversation_id, "facts"))
            pipe.lrange(self._key(conversation_id, "history"), 0, -1)
            pipe.lrange(self._key(conversation_id, "recent"), 0, -1)
            pipe.get(self._key(conversation_id, "note"))
            facts, history, recent, note = await pipe.execute()
        known = _decoded(facts)
        return Conversation(
            id=conversation_id,
            person_id=person_id,
            endpoint_id=endpoint_id,
            persona_id=known.get("persona_id") or None,
            voice_on={"1": True, "0": False}.get(known.get("voice_on", "")),
            disclosed_at_ms=_number(known.get("disclosed_at_ms")),
            awaiting=known.get("awaiting", ""),
            awaiting_until_ms=_number(known.get("awaiting_until_ms")),
            awaiting_language=known.get("awaiting_language", ""),
            last_note=_text(note) or None,
            history=tuple(Line(**orjson.loads(item)) for item in reversed(history)),
            recent=tuple(RecentTurn(**orjson.loads(item)) for item in reversed(recent)),
        )

    async def save(self, conversation: Conversation) -> None:
        """Store persona, voice, disclosure and open question; lines and turns go through `remember` and `note_turn`."""
        voice = "" if conversation.voice_on is None else str(int(conversation.voice_on))
        fields: dict[Any, Any] = {
            "persona_id": conversation.persona_id or "",
            "voice_on": voice,
            "disclosed_at_ms": _text(conversation.disclosed_at_ms),
            "awaiting": conversation.awaiting,
            "awaiting_until_ms": _text(conversation.awaiting_until_ms),
            "awaiting_language": conversation.awaiting_language,
        }
        key = self._key(conversation.id, "facts")
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(key, mapping=fields)
            pipe.expire(key, self._ttl_s)
            await pipe.execute()

    async def remember(self, conversation_id: str, lines: Sequence[Line]) -> None:
        """Append what was said, oldest first; the last 60 lines stay."""
        if not lines:
            return
        key = self._key(conversation_id, "history")
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.lpush(key, *(orjson.dumps(line) for line in lines))
            pipe.ltrim(key, 0, KEPT_LINES - 1)
            pipe.expire(key, self._ttl_s)
            pipe.expire(self._key(conversation_id, "facts"), self._ttl_s)
            await pipe.execute()

    async def note_turn(self, conversation_id: str, *, at_ms: int, fingerprint: str) -> None:
        """Note a turn for the loop guard."""
        key = self._key(conversation_id, "recent")
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.lpush(key, orjson.dumps(RecentTurn(at_ms=at_ms, fingerprint=fingerprint)))
            pipe.ltrim(key, 0, KEPT_TURNS - 1)
            pipe.expire(key, RECENT_TTL_S)
            await pipe.execute()

    async def keep_note(self, conversation_id: str, blob_id: str, *, until_ms: int) -> None:
        """Remember the conversation's last voice note until then, in place of the one before."""
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.set(self._key(conversation_id, "note"), blob_id, pxat=until_ms, get=True)
            pipe.zadd(self._notes, {blob_id: until_ms})
            pipe.pexpireat(self._notes, until_ms)
            before, *_ = await pipe.execute()
        if before is not None and _text(before) != blob_id:
            await self._redis.zrem(self._notes, before)

    async def drop_note(self, conversation_id: str) -> None:
        """Forget the last voice note: something was said since that was not spoken."""
        before = await self._redis.getdel(self._key(conversation_id, "note"))
        if before is not None:
            await self._redis.zrem(self._notes, before)

    async def kept_notes(self, now_ms: int) -> frozenset[str]:
        """The blobs that must not be swept yet."""
        await self._redis.zremrangebyscore(self._notes, "-inf", now_ms)
        return frozenset(map(_text, await self._redis.zrange(self._notes, 0, -1)))

    async def count_turn(self, person_id: str, *, turn_id: str, now_ms: int) -> Usage:
        """Count a turn once, however often it is tried, and say which of its minute and day (UTC) it is."""
        counts = []
        for name, span_ms in (("minute", MINUTE_MS), ("day", DAY_MS)):
            key = f"{self._prefix}:usage:{person_id}:{name}:{now_ms // span_ms}"
            counts.append(await self._count(keys=[key], args=[turn_id, 2 * span_ms // 1000]))
        return Usage(in_minute=int(counts[0]), in_day=int(counts[1]))

    async def adopt(self, conversation_id: str, former_ids: Sequence[str]) -> None:
        """Take over what is known of conversations that were merged into this one, where it knows nothing itself."""
        async with self._redis.pipeline(transaction=True) as pipe:
            for former in former_ids:
                for part in ("facts", "history", "note"):
                    pipe.copy(self._key(former, part), self._key(conversation_id, part))
            await pipe.execute()

    async def erase(self, conversation_ids: Iterable[str]) -> frozenset[str]:
        """Forget these conversations entirely; the blobs of their last notes, which nothing keeps any longer.

        Counters carry no content and end by themselves within two days.
        """
        known = tuple(conversation_ids)
        if not known:
            return frozenset()
        found = await self._redis.mget([self._key(one, "note") for one in known])
        notes = frozenset(_text(note) for note in found if note)
        parts = ("facts", "history", "recent", "note")
        async with self._redis.pipeline(transaction=True) as pipe:
            if notes:
                pipe.zrem(self._notes, *notes)
            pipe.delete(*(self._key(one, part) for one in known for part in parts))
            await pipe.execute()
        return notes

    def _key(self, conversation_id: str, part: str) -> str:
        return f"{self._prefix}:memory:{conversation_id}:{part}"


def _decoded(fields: dict[Any, Any]) -> dict[str, str]:
    return {_text(name): _text(value) for name, value in fields.items()}


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode()
    return "" if value is None else str(value)


def _number(value: str | None) -> int | None:
    return int(value) if value else None
