"""The worker's side of the house in one process, with its shipped fakes, a clock that stands still and a real store.

Messages come in through the real inbox, turns are claimed from the real mailbox, and what goes out lies in the channel.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import numpy as np
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as StoreAway

from bot.command_answers import choosing_words
from bot.composer import Composer
from bot.conversation import Conversation, Conversations
from bot.ears import Ears
from bot.inbox import MailboxInbox
from bot.mailbox import Claim, Lane, Mailbox, MailboxSettings, TurnSummary
from bot.mailbox.functions import Argument, DirectSender
from bot.mailbox.keys import key
from bot.metrics import Metrics
from bot.pace import SharedPace
from bot.persona import Persona, ReplyMode, shipped_personas
from bot.persona_store import Personas
from bot.policy import Limits
from bot.provenance import Notary, Records
from bot.record import TurnRecord, load_record
from bot.replies.fake import FakeReplies
from bot.service import Dependencies, TurnService
from bot.turn import TurnLimits
from bot.voice_store import Profiles, Voices
from tts.audio.opus import OpusChoices, encode_voice_note
from tts.audio.pcm import PcmAudio
from tts.batch_choice import BatchPolicy
from tts.batching import Device
from tts.blobs import MemoryBlobStore
from tts.breaker import BreakerPolicy
from tts.casting import Casting
from tts.checks.signal import SignalCheck
from tts.contract import SourceKind, Voice, VoiceSource
from tts.engines.fake import FakeEngine, tone
from tts.hearing import FakeTranscriber
from tts.material import MemoryMaterial
from tts.provenance import SigningKeys
from tts.slots import EngineSlot
from tts.speaker import Speaker
from webhooks.fake_channel import FakeChannel, Sent
from webhooks.messages import (
    ChannelFault,
    HumanEcho,
    InboundMessage,
    MediaRef,
    MessageKind,
    Person,
    StatusKind,
    StatusUpdate,
)
from webhooks.whatsapp.pacing import Pacer

NUMBER = "100"
ANA = Person(phone="5511900000001", profile_name="Ana")
RUI = Person(phone="5511900000002", profile_name="Rui")


class Killed(BaseException):
    """The process ends here: nothing after it is carried out."""


class Clock:
    """Stands still until told otherwise; whoever sleeps by it wakes when it has advanced far enough."""

    def __init__(self) -> None:
        self.now_ms = time.time_ns() // 1_000_000
        self._asleep: list[tuple[float, asyncio.Event]] = []

    def read_ms(self) -> int:
        return self.now_ms

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.Event()
        self._asleep.append((self.now_ms + seconds * 1000, woken))
        await woken.wait()

    def somebody_wakes_within(self, seconds: float) -> bool:
        """Whether anybody sleeps who would wake when it advances so far."""
        return self.somebody_wakes_between(0, seconds)

    def somebody_wakes_between(self, first_s: float, last_s: float) -> bool:
        """Whether anybody sleeps who would wake when it advances from `first_s` on to `last_s`."""
        return any(
            not woken.is_set() and first_s * 1000 <= wake_ms - self.now_ms <= last_s * 1000
            for wake_ms, woken in self._asleep
        )

    def advance(self, seconds: float) -> None:
        self.now_ms += round(seconds * 1000)
        for wake_ms, woken in self._asleep:
            if wake_ms <= self.now_ms:
                woken.set()


class Wire(DirectSender):
    """The way to the store: cut on order, before or after the call that is on it arrives."""

    def __init__(self, redis: Redis) -> None:
        super().__init__(redis)
        self.calls: list[str] = []
        self.deferred: list[tuple[str, float]] = []  # why turns were handed back, and for how many seconds
        self._lost: dict[str, list[BaseException | None]] = {}
        self._unanswered: dict[str, list[BaseException | None]] = {}

    def lose(self, function: str, *, times: int = 1) -> None:
        """The next calls of `function` do not reach the store."""
        self._lost.setdefault(function, []).extend(StoreAway("cut") for _ in range(times))

    def lose_at(self, function: str, *, call: int) -> None:
        """The n-th call of `function` from now does not reach the store."""
        self._lost.setdefault(function, []).extend([*[None] * (call - 1), StoreAway("cut")])

    def lose_answer_at(self, function: str, *, call: int) -> None:
        """The n-th call of `function` from now happens, but nobody hears of it."""
        self._unanswered.setdefault(function, []).extend([*[None] * (call - 1), StoreAway("cut")])

    def kill_at(self, function: str, *, call: int) -> None:
        """The process ends at the n-th call of `function` from now, which does not happen."""
        self._lost.setdefault(function, []).extend([*[None] * (call - 1), Killed()])

    async def fcall(self, function: str, *arguments: Argument) -> Any:
        name = function.split("_", 2)[2]
        self.calls.append(name)
        if name == "defer":
            *_, reason, delay_ms, _awaits = arguments
            self.deferred.append((str(reason), int(delay_ms) / 1000))
        _raise_next(self._lost.get(name))
        answer = await super().fcall(function, *arguments)
        _raise_next(self._unanswered.get(name))
        return answer


def _raise_next(planned: list[BaseException | None] | None) -> None:
    error = planned.pop(0) if planned else None
    if error is not None:
        raise error


@functools.cache
def personas() -> tuple[Persona, Persona]:
    """Nina (default, Portuguese, by voice) and Theo (English): no script, and voices that the fake engine can speak."""
    nina, theo = shipped_personas()
    style = (VoiceSource(kind=SourceKind.STYLE, ref="low"),)
    plain = {"reply_mode": ReplyMode.VOICE, "intents": ()}
    return (
        replace(nina, voice=Voice(id="nina", language="pt-BR", stand_in=style), **plain),
        replace(theo, voice=Voice(id="theo", language="en", stand_in=style), **plain),
    )


def sound(*, silent: bool = False) -> bytes:
    """A voice note of a second."""
    audio = tone("something", seconds=1.0)
    samples = np.zeros_like(audio.samples) if silent else audio.samples
    return encode_voice_note(PcmAudio(samples=samples, sample_rate_hz=audio.sample_rate_hz), OpusChoices())


class Household:
    """Everything between the inbox and the channel. `disclosed` people have met the bot before."""

    def __init__(self, redis: Redis, **settings: int) -> None:
        self.redis = redis
        self.clock = Clock()
        self.wire = Wire(redis)
        numbers = {"quiet_ms": 0, "burst_max_ms": 0, "retry_base_ms": 0} | settings
        self.mailbox = Mailbox(redis, secret=b"test", settings=MailboxSettings(**numbers), sender=self.wire)
        self.metrics = Metrics()
        self.channel = FakeChannel()
        self.pacer = Pacer()
        self.blobs = MemoryBlobStore(clock=lambda: self.clock.now_ms / 1000)
        self.transcriber = FakeTranscriber("olá, tudo bem?")
        self.replies = FakeReplies()
        self.personas = Personas(redis, fresh_s=0)
        self.conversations = Conversations(redis)
        self.engine = FakeEngine()
        self.device = Device("test")
        self.casting = Casting(MemoryMaterial())
        self.speaker = Speaker([self._slot()], devices=(self.device,), opus=OpusChoices(), casting=self.casting)
        self.voices = Voices(redis, Profiles(redis))
        self.notary = Notary(SigningKeys([bytes(32)]), Records(redis, kept_s=3600), material=MemoryMaterial())
        self.ears = Ears(
            self.channel,
            self.transcriber,
            languages=self.personas.languages_on,
            max_bytes=1_000_000,
            metrics=self.metrics,
            timer=lambda: 0.0,
        )
        self.inbox = MailboxInbox(
            self.mailbox,
            metrics=self.metrics,
            takeover_s=1800,
            persona_words=lambda: choosing_words(personas()),
            now_ms=self.clock.read_ms,
        )
        self.limits = TurnLimits()
        self.policy = Limits()
        self._ids = itertools.count(1)

    def _slot(self) -> EngineSlot:
        return EngineSlot(
            "fake",
            self.engine,
            device=self.device,
            batching=BatchPolicy(max_batch=8, max_wait_s=0.0, deadline_s=60.0),
            breaker=BreakerPolicy(),
            gate=SignalCheck(),
            casting=self.casting,
            takes=1,
            on_lost=lambda _name, _suspects: None,
            on_batch=lambda _stats: None,
        )

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, redis: Redis, **settings: int) -> AsyncIterator[Household]:
        """A household whose engine is loaded, with two personas."""
        household = cls(redis, **settings)
        await household.mailbox.prepare()
        for persona in personas():
            await household.personas.put(persona)
        await household.speaker.start()
        try:
            yield household
        finally:
            if household.engine.hold is not None:
                household.engine.hold.set()
            await household.speaker.close()

    @property
    def composer(self) -> Composer:
        return Composer(
            ears=self.ears,
            replies=self.replies,
            personas=self.personas,
            conversations=self.conversations,
            limits=self.policy,
            now_ms=self.clock.read_ms,
        )

    @property
    def service(self) -> TurnService:
        return TurnService(
            Dependencies(
                mailbox=self.mailbox,
                channel=self.channel,
                pace=SharedPace(self.mailbox, self.pacer, clock=lambda: self.clock.now_ms / 1000),
                speaker=self.speaker,
                blobs=self.blobs,
                composer=self.composer,
                ears=self.ears,
                conversations=self.conversations,
                personas=self.personas,
                voices=self.voices,
                notary=self.notary,
                metrics=self.metrics,
                limits=self.limits,
                note_kept_s=7 * 86_400,
                now_ms=self.clock.read_ms,
                sleep=self.clock.sleep,
            )
        )

    # -- people ---------------------------------------------------------------------------------------------------

    def message(self, text: str | None = None, **changes: Any) -> InboundMessage:
        """A text message of Ana's, a millisecond newer than the one before."""
        number = next(self._ids)
        fields: dict[str, Any] = {
            "channel": "whatsapp",
            "endpoint_id": NUMBER,
            "message_id": f"wamid.{number}",
            "sender": ANA,
            "at_ms": self.clock.now_ms - 1000 + number,
            "kind": MessageKind.TEXT,
            "raw_type": "text",
            "text": text,
        }
        return InboundMessage(**fields | changes)

    def voice(self, *, silent: bool = False, **changes: Any) -> InboundMessage:
        """A voice note of Ana's, waiting at the channel."""
        media_id = f"inbound-{next(self._ids)}"
        self.channel.media[media_id] = sound(silent=silent)
        media = MediaRef(media_id=media_id, mime_type="audio/ogg; codecs=opus", voice=True)
        return self.message(**{"kind": MessageKind.AUDIO, "raw_type": "audio", "media": media} | changes)

    async def write(self, text: str | None = None, **changes: Any) -> InboundMessage:
        """Ana writes."""
        message = self.message(text, **changes)
        await self.inbox.accept([message])
        return message

    async def say(self, **changes: Any) -> InboundMessage:
        """Ana sends a voice note."""
        message = self.voice(**changes)
        await self.inbox.accept([message])
        return message

    async def colleague_writes(self) -> None:
        """A human answers Ana from the business app."""
        number = next(self._ids)
        echo = HumanEcho(
            channel="whatsapp",
            endpoint_id=NUMBER,
            message_id=f"wamid.echo-{number}",
            recipient=ANA,
            at_ms=self.clock.now_ms,
        )
        await self.inbox.accept([echo])

    async def receipt(self, sent: Sent | str, status: StatusKind, *, code: int | None = None) -> None:
        """The channel reports on a send, given as such or by its callback data."""
        callback_data = sent if isinstance(sent, str) else sent.callback_data
        update = StatusUpdate(
            channel="whatsapp",
            endpoint_id=NUMBER,
            message_id="wamid.out" if isinstance(sent, str) else sent.message_id,
            status=status,
            at_ms=self.clock.now_ms,
            recipient=ANA,
            callback_data=callback_data,
            faults=(ChannelFault(code=code),) if code is not None else (),
        )
        await self.inbox.accept([update])

    # -- turns ----------------------------------------------------------------------------------------------------

    async def claim(self, consumer: str = "worker-1") -> Claim:
        """The next turn, which must be there."""
        claim = await self.next_claim(consumer)
        assert claim is not None, "no turn was there to claim"
        return claim

    async def next_claim(self, consumer: str = "worker-1") -> Claim | None:
        """The next turn of either lane, if there is one now."""
        await self.mailbox.pump()
        for lane in Lane:
            for token in await self.mailbox.take(lane, consumer, count=1, block_ms=1):
                return await self.mailbox.claim(token)
        return None

    async def recovered(self, consumer: str = "worker-2") -> Claim:
        """What another worker takes over from one that is gone."""
        (token,) = await self.mailbox.recover(consumer, min_idle_ms=0, count=10)
        claim = await self.mailbox.claim(token, recovered=True)
        assert claim is not None
        return claim

    async def answer(self) -> TurnSummary:
        """Work on the next turn; what became of it."""
        claim = await self.claim()
        await self.service.handle(claim)
        return await self.turn(claim)

    async def answer_all(self) -> None:
        """Work until nothing is due."""
        while claim := await self.next_claim():
            await self.service.handle(claim)

    async def answer_everything(self) -> None:
        """Work until nothing waits, now or later."""
        await self.answer_all()
        while (await self.mailbox.depth()).conversations:
            await self.later(60)
            await self.answer_all()

    async def turn(self, claim: Claim) -> TurnSummary:
        summary = await self.mailbox.turn(claim.lease.turn_id)
        assert summary is not None
        return summary

    @staticmethod
    def record(summary: TurnSummary) -> TurnRecord:
        assert summary.record is not None
        return load_record(summary.record)

    async def later(self, seconds: float) -> None:
        """Time passes: by our clock, and in the store whatever waits is due."""
        self.clock.advance(seconds)
        for conversation in await self.redis.zrange(key("due"), 0, -1):
            name = key("conversation", conversation.decode())
            head = await self.redis.hget(name, "head")
            if head is not None:
                await self.redis.hset(key("turn", head.decode()), "retry_ms", 0)
            await self.redis.zadd(key("due"), {conversation: 0})

    # -- what is known --------------------------------------------------------------------------------------------

    async def met(self, person: Person = ANA) -> Conversation:
        """Let the bot have met `person`: the disclosure was said. The conversation as it is then."""
        await self.write("oi", sender=person)
        await self.answer_all()
        self.channel.sent.clear()
        self.channel.reads.clear()
        self.replies.requests.clear()
        self.engine.batches.clear()
        return await self.conversation(person)

    async def conversation(self, person: Person = ANA) -> Conversation:
        found = await self.mailbox.find_person("whatsapp", person)
        assert found is not None
        (newest,) = [one for one in await self.mailbox.turns(100) if one.endpoint_id == NUMBER][:1]
        return await self.conversations.load(newest.conversation_id, person_id=found.id, endpoint_id=NUMBER)

    def counted(self, name: str, **labels: str) -> float:
        """A metric's value; 0 where nothing was counted."""
        return self.metrics.registry.get_sample_value(name, labels) or 0.0

    @property
    def texts(self) -> list[str]:
        """The words of everything sent; a voice note as "(voice)"."""
        return [sent.body or "(voice)" for sent in self.channel.sent]
