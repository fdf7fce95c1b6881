"""Performs a turn's effects, and is the only file that does: asks `bot.turn` what is next, does it, reports it.

Every event is durable before the next step. Whatever is unexpected ends at `TurnService.handle`: it is logged with the
turn's id and costs the turn one attempt, never its neighbours. A store that does not answer costs nothing but time.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

import structlog
from redis.exceptions import RedisError

from bot.composer import Composer, Composition, Silence
from bot.conversation import Conversations
from bot.ears import Ears
from bot.ending import Ending
from bot.mailbox import Claim, LeaseLost, Mailbox, MailboxError, MediaTask, StoreUnavailable, TurnCancelled
from bot.mailbox.functions import translated
from bot.metrics import Metrics
from bot.outbox import (
    Accepted,
    BlobLost,
    NotTaken,
    Part,
    PartKind,
    PartState,
    Refused,
    SendStarted,
    Spoken,
    Unclear,
    Uploaded,
    VoiceGivenUp,
)
from bot.persona_store import Personas
from bot.provenance import Notary
from bot.record import TurnRecord, dump_record, load_record
from bot.turn import (
    Cancelled,
    Compose,
    Composed,
    Event,
    Finish,
    Outcome,
    PartReceipt,
    Send,
    Silenced,
    Speak,
    Turn,
    TurnLimits,
    TurnState,
    Upload,
    Wait,
    anything_sent,
    apply,
    heed_receipts,
    next_step,
    replay,
    resume,
    settle,
)
from bot.typing_indicator import Typing
from bot.voice_store import Voices
from bot.wire import Unreadable, dump_heard, load_message
from tts.contract import BlobStore, VoiceNote
from tts.errors import TtsError
from tts.speaker import Speaker
from webhooks import contract as channel_errors
from webhooks.contract import (
    AccountBlocked,
    Ambiguous,
    Channel,
    ChannelError,
    MediaRefused,
    NotSent,
    Throttled,
    WindowClosed,
)
from webhooks.messages import Person

log = structlog.get_logger()

T = TypeVar("T")

WINDOW_S = 24 * 3600
HOLD_SENDING_S = 300.0
OUTAGE_RETRY_S = 15.0
STORE_RETRY_S = 1.0


class _HandBack(Exception):
    """The turn cannot go on now; nobody is to blame. `delay_s` until it is looked at again."""

    def __init__(self, delay_s: float, reason: str) -> None:
        super().__init__(reason)
        self.delay_s = delay_s


class _TryAgain(Exception):
    """A definite, retryable refusal: costs the turn one attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependencies:
    """What a turn's effects need; all of it is built by the worker."""

    mailbox: Mailbox
    channel: Channel
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


class TurnService:
    """Takes claims and brings each to its end, or to the next moment it can go on."""

    def __init__(self, dependencies: Dependencies) -> None:
        self._d = dependencies

    async def handle(self, claim: Claim) -> None:
        """Work on one claim until it is done, waits, fails or is someone else's. Never raises but on cancellation."""
        with structlog.contextvars.bound_contextvars(turn=claim.lease.turn_id):
            self._d.metrics.active.inc()
            try:
                await self._work(claim)
            except LeaseLost:
                log.warning("the lease went to another worker")
            finally:
                self._d.metrics.active.dec()

    async def hand_back(self, claim: Claim) -> None:
        """Give a claim back untouched, for another worker to begin."""
        with contextlib.suppress(LeaseLost, Unreadable):
            await _Run(self._d, claim).hand_back(0, "draining")

    async def hear_ahead(self, task: MediaTask) -> None:
        """Transcribe a voice note while its burst still waits. Best effort: what fails here is heard in its turn."""
        try:
            heard = await self._d.ears.hear(load_message(task.payload), language=None)
        except (ChannelError, TtsError) as error:
            log.info("a voice note was not heard ahead", error=type(error).__name__)
        else:
            await self._d.mailbox.note_transcript(task, dump_heard(heard))

    async def _work(self, claim: Claim) -> None:
        run: _Run | None = None
        try:
            run = _Run(self._d, claim)
            await run.go()
        except LeaseLost:
            raise
        except asyncio.CancelledError:
            # draining: hand back without using up an attempt; a send under way is ambiguous to the next owner
            if run is not None:
                with contextlib.suppress(MailboxError):
                    await asyncio.shield(run.hand_back(0, "draining"))
            raise
        except _TryAgain as refusal:
            await self._failed(claim, run, str(refusal))
        except Exception as error:
            if run is not None and _store_is_away(error):
                await self._patiently(lambda: run.hand_back(STORE_RETRY_S, "store outage"))
                return
            log.error("the turn failed", error=type(error).__name__, exc_info=error)
            self._d.metrics.errors.labels("UNKNOWN").inc()
            await self._failed(claim, run, f"error: {type(error).__name__}")

    async def _failed(self, claim: Claim, run: _Run | None, reason: str) -> None:
        record = run.bytes() if run is not None else claim.record or b""
        if await self._patiently(lambda: self._d.mailbox.fail(claim.lease, record, reason)):
            self._d.metrics.alerts.labels("dead_letter").inc()
            self._d.metrics.turns.labels(Outcome.DEAD, "attempts").inc()
            if run is not None:
                await self._patiently(run.died)

    async def _patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        return await _patiently(call, sleep=self._d.sleep)


async def _patiently(call: Callable[[], Awaitable[T]], *, sleep: Callable[[float], Awaitable[None]]) -> T:
    """Repeat `call` until the store answers it. The lease may be lost meanwhile; the call finds out."""
    while True:
        try:
            return await call()
        except (StoreUnavailable, RedisError) as error:
            if not _store_is_away(error):
                raise
            log.warning("the store does not answer; the turn waits for it")
            await sleep(STORE_RETRY_S)


def _store_is_away(error: Exception) -> bool:
    return isinstance(translated(error) if isinstance(error, RedisError) else error, StoreUnavailable)


class _Run:
    """One owner's work on one turn."""

    def __init__(self, dependencies: Dependencies, claim: Claim) -> None:
        self._d = dependencies
        self._claim = claim
        self.lease = claim.lease
        self._record = _opened(claim, now_ms=dependencies.now_ms())
        self._ending = Ending(
            mailbox=dependencies.mailbox,
            conversations=dependencies.conversations,
            blobs=dependencies.blobs,
            metrics=dependencies.metrics,
            note_kept_s=dependencies.note_kept_s,
            now_ms=dependencies.now_ms,
        )
        self._typing = Typing(dependencies.channel, claim.endpoint_id, self._turn.quote, sleep=dependencies.sleep)

    def bytes(self) -> bytes:
        """The record as it stands."""
        return dump_record(self._record)

    async def hand_back(self, delay_s: float, reason: str) -> None:
        """Give the turn back unharmed; a receipt wakes it earlier where it waits for one."""
        unsure = any(part.state in {PartState.SENDING, PartState.UNSURE} for part in self._turn.parts)
        await self._d.mailbox.defer(self.lease, self.bytes(), round(delay_s * 1000), reason, awaits_receipt=unsure)

    async def died(self) -> None:
        """The last attempt is used up: what protects the person becomes true all the same."""
        if not self._record.settled:
            await self._protect()

    async def _protect(self) -> None:
        await self._ending.protect(self._claim, self._turn, self._record.aftermath)

    @property
    def _turn(self) -> Turn:
        return self._record.turn

    async def go(self) -> None:
        """Step by step until the turn finishes or waits."""
        async with self._typing:
            try:
                while not await self._step():
                    pass
            except _HandBack as pause:
                log.info("the turn waits", reason=str(pause), delay_s=round(pause.delay_s, 1))
                await self.hand_back(pause.delay_s, str(pause))
            except TurnCancelled as cancelled:
                await self._cancel(str(cancelled))

    async def _step(self) -> bool:
        now_ms = self._d.now_ms()
        last_ms = await self._d.mailbox.last_receipt_ms() or 0
        turn = settle(self._turn, now_ms=now_ms, limits=self._d.limits, last_receipt_ms=last_ms)
        self._record = replace(self._record, turn=turn)
        match next_step(turn, now_ms=now_ms, limits=self._d.limits):
            case Compose():
                await self._compose()
            case Speak(index=index, deadline_s=deadline_s):
                await self._speak(index, deadline_s)
            case Upload(index=index):
                await self._upload(index)
            case Send(index=index):
                await self._send(index)
            case Wait(until_ms=until_ms, reason=reason):
                raise _HandBack((until_ms - now_ms) / 1000, reason)
            case Finish() as finish:
                await self._finish(finish)
                return True
        return False

    async def _happened(self, event: Event) -> None:
        """Apply `event` and make it durable; fenced by the lease."""
        self._record = replace(self._record, turn=apply(self._turn, event))
        await self._d.mailbox.save(self.lease, self.bytes())

    async def _announce(self, index: int) -> None:
        """Make durable that part `index` may reach the person from here on; where that fails, it was not sent."""
        before = self._record
        self._record = replace(before, turn=apply(self._turn, SendStarted(index, self._d.now_ms())))
        try:
            await self._d.mailbox.save(self.lease, self.bytes(), sending=True)
        except BaseException:
            self._record = before
            raise

    # -- deciding -------------------------------------------------------------------------------------------------

    async def _compose(self) -> None:
        former = self._claim.former_conversation_ids
        if former:
            await self._d.conversations.adopt(self.lease.conversation_id, former)
        try:
            with self._timed("compose"):
                composed = await self._d.composer.compose(self._claim, self._turn, at_work=self._typing.show)
        except (ChannelError, TtsError) as error:
            raise _TryAgain(f"not heard: {type(error).__name__}") from error
        match composed:
            case Silence(reason=reason, aftermath=aftermath):
                self._record = replace(self._record, aftermath=aftermath)
                await self._happened(Silenced(reason))
            case Composition(parts=parts, aftermath=aftermath):
                self._record = replace(self._record, aftermath=aftermath)
                await self._happened(Composed(parts))
                if aftermath.opt_out:  # whoever says stop has stopped, whether or not the answer reaches them
                    await self._d.mailbox.set_opt_out(self._claim.person.id, opted_out=True)

    # -- speaking -------------------------------------------------------------------------------------------------

    async def _speak(self, index: int, deadline_s: float) -> None:
        part = self._turn.parts[index]
        self._typing.show()
        try:
            with self._timed("speak"):
                note = await self._note(part, deadline_s)
            await self._d.notary.certify(note, turn_id=self._claim.lease.turn_id)
            blob_id = await self._d.blobs.put(note.data)
        except (TtsError, OSError) as error:  # OSError: no room for the note
            reason = type(error).__name__
            log.warning("no voice, answering in text", reason=reason, error=str(error))
            self._d.metrics.fallbacks.labels(reason).inc()
            await self._happened(VoiceGivenUp(index, reason))
            return
        self._count_note(note)
        await self._happened(Spoken(index, blob_id, note.duration_s))

    async def _note(self, part: Part, deadline_s: float) -> VoiceNote:
        persona = await self._d.personas.get(self._record.aftermath.persona_id)
        if persona is None:
            raise TtsError("the persona of this turn no longer exists")
        # a repair or a replayed turn has no voice deadline of its own; a fresh one is bounded by what is left of it
        return await self._d.speaker.speak(
            part.text,
            await self._d.voices.resolve(persona),
            language=self._record.aftermath.language or persona.language,
            max_spoken_s=persona.max_spoken_s,
            deadline_s=deadline_s if deadline_s > 0 else self._d.limits.voice_deadline_s,
            lexicon=persona.lexicon,
        )

    def _count_note(self, note: VoiceNote) -> None:
        metrics = self._d.metrics
        for attempt in note.attempts:
            metrics.engine_attempts.labels(attempt.engine, attempt.outcome).inc()
        metrics.engine_s.labels(note.engine).observe(note.timings.generate_s)
        metrics.audio_s.labels(note.engine).inc(note.duration_s)
        metrics.note_bytes.observe(len(note.data))
        making = note.making
        if making.gpu_memory_bytes is not None:
            metrics.gpu_memory.set(making.gpu_memory_bytes)
        log.info(
            "spoken",
            engine=note.engine,
            model=note.model,
            voice=note.voice_id,
            voice_version=note.voice_version,
            segments=len(note.spoken),
            has_sample=making.sample_count > 0,
            sample_count=making.sample_count,
            prompt=making.prompt_mark,
            profile=making.profile,
            batch=making.batch_size,
            gpu_memory_bytes=making.gpu_memory_bytes,
            audio_s=round(note.duration_s, 2),
            note_bytes=len(note.data),
            queue_s=round(note.timings.queue_s, 3),
            generate_s=round(note.timings.generate_s, 3),
            encode_s=round(note.timings.encode_s, 3),
            truncated=note.truncated,
        )

    # -- sending --------------------------------------------------------------------------------------------------

    async def _upload(self, index: int) -> None:
        part = self._turn.parts[index]
        try:
            data = await self._d.blobs.get(part.blob_id)
        except KeyError:
            await self._happened(BlobLost(index))
            return
        try:
            with self._timed("upload"):
                media_id = await self._d.channel.upload_voice(self._claim.endpoint_id, data)
        except channel_errors.Refused as error:
            self._d.metrics.fallbacks.labels("upload refused").inc()
            await self._happened(VoiceGivenUp(index, f"upload refused: {error.code}"))
        except ChannelError as error:
            if self._claim.failures and isinstance(error, NotSent) and not _passes_by_itself(error):
                await self._happened(VoiceGivenUp(index, f"upload failed: {error.code}"))
            else:
                await self._not_now(error, part.attempt)
        else:
            await self._happened(Uploaded(index, media_id))

    async def _send(self, index: int) -> None:
        if not await self._may_send():
            return
        await self._announce(index)
        part = self._turn.parts[index]
        try:
            with self._timed("send"):
                message_id = await self._post(index, part)
        except Ambiguous as error:
            log.warning("no definite answer to a send", part=index, error=str(error))
            await self._sent(part, "ambiguous", Unclear(index))
        except WindowClosed as error:
            await self._sent(part, "refused", Refused(index, f"window closed: {error.code}", media=False))
        except channel_errors.Refused as error:
            self._d.metrics.failures.labels(str(error.code)).inc()
            media = isinstance(error, MediaRefused)
            await self._sent(part, "refused", Refused(index, f"refused: {error.code}", media=media))
        except ChannelError as error:
            await self._sent(part, "not taken", NotTaken(index))
            await self._not_now(error, part.attempt)
        else:
            await self._sent(part, "sent", Accepted(index, message_id))
            if index + 1 < len(self._turn.parts):
                self._typing.show_again()

    async def _sent(self, part: Part, result: str, event: Event) -> None:
        self._d.metrics.parts.labels(part.kind, result).inc()
        await self._happened(event)

    async def _may_send(self) -> bool:
        """Held sending and a closed window are checked at the last moment before each POST."""
        held_s = await self._d.mailbox.sending_held()
        if held_s is not None:
            raise _HandBack(held_s, "sending is held")
        if self._d.now_ms() - self._claim.newest_inbound_ms <= WINDOW_S * 1000:
            return True
        ended = Finish(Outcome.UNDELIVERABLE, "window closed") if anything_sent(self._turn) else None
        await self._happened(ended or Silenced("window closed"))
        return False

    async def _post(self, index: int, part: Part) -> str:
        endpoint_id, channel = self._claim.endpoint_id, self._d.channel
        to = Person(phone=self._claim.person.phone, user_id=self._claim.person.user_id)
        quote = self._turn.quote if index == self._answer_index() else None
        callback_data = self._turn.callback_data(index)
        if part.menu is not None:
            return await channel.send_menu(
                endpoint_id, to, part.text, part.menu, quote=quote, callback_data=callback_data
            )
        if part.kind is PartKind.VOICE:
            return await channel.send_voice(endpoint_id, to, part.media_id, quote=quote, callback_data=callback_data)
        return await channel.send_text(endpoint_id, to, part.text, quote=quote, callback_data=callback_data)

    def _answer_index(self) -> int:
        """The part that quotes: the answer itself, which is the last (a disclosure goes before it)."""
        return len(self._turn.parts) - 1

    async def _not_now(self, error: ChannelError, attempt: int) -> None:
        """Turn a channel's refusal into the right kind of waiting."""
        if isinstance(error, AccountBlocked):
            self._d.metrics.alerts.labels("account_blocked").inc()
            log.error("sending is held: the account is blocked", code=error.code, error=str(error))
            until_ms = self._d.now_ms() + int(HOLD_SENDING_S * 1000)
            await self._d.mailbox.hold_sending(until_ms, f"account blocked: {error.code}")
            raise _HandBack(HOLD_SENDING_S, "account blocked") from error
        if isinstance(error, Throttled):
            wait_s = max(throttled_s(attempt), error.retry_after_s or 0)
            raise _HandBack(wait_s, f"throttled: {error.code}") from error
        if _passes_by_itself(error):
            raise _HandBack(OUTAGE_RETRY_S, "the channel cannot be reached") from error
        raise _TryAgain(f"channel: {error.code}") from error

    # -- ending ---------------------------------------------------------------------------------------------------

    async def _finish(self, finish: Finish) -> None:
        if self._turn.state is not TurnState.CLOSED:
            self._record = replace(self._record, turn=apply(self._turn, finish))
        outcome, reason = self._turn.outcome or finish.outcome, self._turn.reason
        repeated = self._record.settled
        erased = await self._settle()
        if outcome is Outcome.DEAD:
            self._d.metrics.alerts.labels("dead_letter").inc()
        if not erased:
            await self._close(outcome, reason)
        if not repeated:
            self._d.metrics.turns.labels(outcome, _category(reason)).inc()
            if outcome is Outcome.ANSWERED:
                self._d.metrics.turn_s.observe(max(0, self._d.now_ms() - self._turn.newest_at_ms) / 1000)
        log.info("the turn ended", outcome=outcome, reason=reason, parts=[part.state for part in self._turn.parts])

    async def _settle(self) -> bool:
        """Carry out the aftermath, once a turn: a repair or a replay finds it done. Whether that erased the turn."""
        if self._record.settled:
            return False
        aftermath = self._record.aftermath
        if aftermath.erase:  # from its first step on there is no turn to come back to
            await _patiently(self._protect, sleep=self._d.sleep)
            return True
        await self._protect()
        await self._ending.remember(self._claim, self._turn, aftermath)
        self._record = replace(self._record, settled=True)
        return False

    async def _close(self, outcome: Outcome, reason: str) -> None:
        if outcome is Outcome.DEAD:
            await self._d.mailbox.bury(self.lease, self.bytes(), reason)
        else:
            await self._d.mailbox.done(self.lease, self.bytes(), outcome)

    async def _cancel(self, reason: str) -> None:
        if self._turn.state is not TurnState.CLOSED:
            self._record = replace(self._record, turn=apply(self._turn, Cancelled(reason)))
        outcome = self._turn.outcome or Outcome.CANCELLED
        await self._d.mailbox.done(self.lease, self.bytes(), outcome)
        self._d.metrics.turns.labels(outcome, _category(self._turn.reason)).inc()
        log.info("the turn was cancelled", reason=self._turn.reason)

    @contextlib.contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        with self._d.metrics.stage_s.labels(stage).time():
            yield


def _opened(claim: Claim, *, now_ms: int) -> TurnRecord:
    """The record as its new owner finds it: what is known by now of the sends of the owner before."""
    fresh = Turn(
        id=claim.lease.turn_id,
        created_at_ms=claim.created_at_ms,
        newest_at_ms=claim.newest_inbound_ms,
        quote=claim.message_ids[-1] if claim.message_ids else None,
    )
    record = TurnRecord(turn=fresh) if claim.record is None else load_record(claim.record)
    receipts = tuple(
        PartReceipt(
            part=receipt.part,
            attempt=receipt.attempt,
            status=receipt.status,
            curable=receipt.curable,
            code=receipt.failed_code,
            message_id=receipt.message_id,
        )
        for receipt in claim.receipts
    )
    turn = heed_receipts(resume(record.turn), receipts)
    return replace(record, turn=replay(turn, now_ms=now_ms) if claim.replayed else turn)


def _passes_by_itself(error: ChannelError) -> bool:
    """Not reached at all: nothing about this turn is at fault."""
    return isinstance(error, NotSent) and error.code == 0


def throttled_s(attempt: int) -> float:
    """Seconds to wait after the n-th throttled send to one person: 1, 4, 16, at most 64 (Meta's advice for 131056)."""
    return float(4 ** min(3, max(0, attempt - 1)))


def _category(reason: str) -> str:
    """The part of a reason that is safe as a metric's label: without codes and names behind the colon."""
    return reason.partition(":")[0]
