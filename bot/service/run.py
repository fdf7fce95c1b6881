"""One owner's work on one turn, step by step. Every event is durable before the next step."""

from __future__ import annotations

from dataclasses import replace

import structlog

from bot.composer import Composition, Silence
from bot.mailbox import Claim, TurnCancelled
from bot.outbox import Accepted, PartKind, PartState, SendStarted, VoiceGivenUp
from bot.record import TurnRecord, dump_record, load_record
from bot.service.dependencies import Dependencies
from bot.service.ending import protect, remember
from bot.service.pauses import HandBack, TryAgain, patiently
from bot.service.sending import keep_pace, not_now, send, upload, window_is_open
from bot.service.speaking import speak
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
from tts.errors import TtsError
from webhooks.contract import ChannelError

log = structlog.get_logger()


class Run:
    """A claimed turn being performed. Its calls raise LeaseLost once it is somebody else's."""

    def __init__(self, dependencies: Dependencies, claim: Claim) -> None:
        self._d = dependencies
        self._claim = claim
        self._lease = claim.lease
        self._record = _opened(claim, now_ms=dependencies.now_ms())
        self._typing = Typing(dependencies.channel, claim.endpoint_id, self._turn.quote, sleep=dependencies.sleep)

    def bytes(self) -> bytes:
        """The record as it stands."""
        return dump_record(self._record)

    async def hand_back(self, delay_s: float, reason: str) -> None:
        """Give the turn back unharmed; a receipt wakes it earlier where it waits for one."""
        unsure = any(part.state in {PartState.SENDING, PartState.UNSURE} for part in self._turn.parts)
        await self._d.mailbox.defer(self._lease, self.bytes(), round(delay_s * 1000), reason, awaits_receipt=unsure)

    async def died(self) -> None:
        """The last attempt is used up: what protects the person becomes true all the same."""
        if not self._record.settled:
            await self._protect()

    async def go(self) -> None:
        """Step by step until the turn finishes or waits; raises TryAgain where that costs an attempt."""
        async with self._typing:
            try:
                while not await self._step():
                    pass
            except HandBack as pause:
                log.info("the turn waits", reason=str(pause), delay_s=round(pause.delay_s, 1))
                await self.hand_back(pause.delay_s, str(pause))
            except TurnCancelled as cancelled:
                await self._cancel(str(cancelled))

    @property
    def _turn(self) -> Turn:
        return self._record.turn

    async def _step(self) -> bool:
        now_ms = self._d.now_ms()
        last_ms = await self._d.mailbox.last_receipt_ms() or 0
        turn = settle(self._turn, now_ms=now_ms, limits=self._d.limits, last_receipt_ms=last_ms)
        self._record = replace(self._record, turn=turn)
        match next_step(turn, now_ms=now_ms, limits=self._d.limits):
            case Compose():
                await self._compose()
            case Speak(index=index, deadline_s=deadline_s):
                self._typing.show()
                spoken, attempts = await speak(self._d, self._record, index, deadline_s=deadline_s)
                self._record = self._record.having_tried(attempts)
                await self._happened(spoken)
            case Upload(index=index):
                await self._happened(await upload(self._d, self._claim, turn, index))
            case Send(index=index):
                await self._send(index)
            case Wait(until_ms=until_ms, reason=reason):
                raise HandBack((until_ms - now_ms) / 1000, reason)
            case Finish() as finish:
                await self._finish(finish)
                return True
        return False

    async def _happened(self, event: Event) -> None:
        """Apply `event` and make it durable; fenced by the lease."""
        self._record = replace(self._record, turn=apply(self._turn, event))
        await self._d.mailbox.save(self._lease, self.bytes())

    async def _announce(self, index: int) -> None:
        """Make durable that part `index` may reach the person from here on; where that fails, it was not sent."""
        before = self._record
        self._record = replace(before, turn=apply(self._turn, SendStarted(index, self._d.now_ms())))
        try:
            await self._d.mailbox.save(self._lease, self.bytes(), sending=True)
        except BaseException:
            self._record = before
            raise

    async def _compose(self) -> None:
        former = self._claim.former_conversation_ids
        if former:
            await self._d.conversations.adopt(self._lease.conversation_id, former)
        try:
            with self._d.metrics.stage_s.labels("compose").time():
                composed = await self._d.composer.compose(self._claim, self._turn, at_work=self._typing.show)
        except (ChannelError, TtsError) as error:
            raise TryAgain(f"not heard: {type(error).__name__}") from error
        self._record = replace(self._record, aftermath=composed.aftermath)
        match composed:
            case Silence(reason=reason):
                await self._happened(Silenced(reason))
            case Composition(parts=parts, aftermath=aftermath):
                await self._happened(Composed(parts))
                if aftermath.opt_out:  # whoever says stop has stopped, whether or not the answer reaches them
                    await self._d.mailbox.set_opt_out(self._claim.person.id, opted_out=True)

    async def _send(self, index: int) -> None:
        await keep_pace(self._d, self._claim)  # first: what may be sent is looked at directly before the send
        if not await window_is_open(self._d, self._claim):
            ended = Finish(Outcome.UNDELIVERABLE, "window closed") if anything_sent(self._turn) else None
            await self._happened(ended or Silenced("window closed"))
            return
        part = self._turn.parts[index]
        if part.kind is PartKind.VOICE and (reason := await self._d.notary.barred(part.blob_id)):
            log.warning("a finished note is not sent", reason=reason)
            self._d.metrics.fallbacks.labels("consent").inc()
            await self._happened(VoiceGivenUp(index, "consent"))
            return
        await self._announce(index)
        event, error = await send(self._d, self._claim, self._turn, index)
        await self._happened(event)
        if error is not None:
            raise await not_now(self._d, error, self._turn.parts[index].attempt) from error
        if isinstance(event, Accepted) and index + 1 < len(self._turn.parts):
            self._typing.show_again()

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
            await patiently(self._protect, sleep=self._d.sleep)
            return True
        await self._protect()
        await remember(self._d, self._claim, self._turn, aftermath)
        self._record = replace(self._record, settled=True)
        return False

    async def _protect(self) -> None:
        await protect(self._d, self._claim, self._turn, self._record.aftermath)

    async def _close(self, outcome: Outcome, reason: str) -> None:
        if outcome is Outcome.DEAD:
            await self._d.mailbox.bury(self._lease, self.bytes(), reason)
        else:
            await self._d.mailbox.done(self._lease, self.bytes(), outcome)

    async def _cancel(self, reason: str) -> None:
        if self._turn.state is not TurnState.CLOSED:
            self._record = replace(self._record, turn=apply(self._turn, Cancelled(reason)))
        outcome = self._turn.outcome or Outcome.CANCELLED
        await self._d.mailbox.done(self._lease, self.bytes(), outcome)
        self._d.metrics.turns.labels(outcome, _category(self._turn.reason)).inc()
        log.info("the turn was cancelled", reason=self._turn.reason)


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
    # Neither whoever wrote nor the voice is to blame for a process that ended: its time begins anew.
    turn = replace(record.turn, created_at_ms=now_ms) if claim.interrupted else record.turn
    turn = heed_receipts(resume(turn), receipts)
    return replace(record, turn=replay(turn, now_ms=now_ms) if claim.replayed else turn)


def _category(reason: str) -> str:
    """The part of a reason that is safe as a metric's label: without codes and names behind the colon."""
    return reason.partition(":")[0]
