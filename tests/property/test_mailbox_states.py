"""Whatever comes, fails, crashes or is taken over: every message is answered once or dead, in order."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from redis import Redis as BlockingRedis

from bot.mailbox import Claim, Effect, Lane, LeaseLost, TurnCancelled, TurnStatus
from bot.store import Role, connect
from tests.conftest import Box
from webhooks.messages import Person, StatusKind

PEOPLE = [
    Person(phone="551190001"),
    Person(user_id="BR.1"),
    Person(phone="551190001", user_id="BR.1"),  # the two before, found to be one
    Person(phone="551190002"),
]
WORKERS = ["worker-1", "worker-2", "worker-3"]
LAST = "the last worker"


class MailboxLife(RuleBasedStateMachine):
    """Three workers and four addresses of three people at one mailbox."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        with BlockingRedis.from_url(self.url, protocol=2) as blocking:
            blocking.flushall()
        self.runner = asyncio.Runner()
        self.redis = connect(self.url, Role.WORKER)
        self.box = Box(self.redis, max_attempts=3)
        self.run(self.box.mailbox.prepare())
        self.put_at: dict[str, int] = {}  # message name → position in time
        self.commands: set[str] = set()
        self.answered: Counter[str] = Counter()
        self.answers: dict[str, list[str]] = {}  # conversation → messages in the order of their answers
        self.claims: dict[str, list[Claim]] = {worker: [] for worker in (*WORKERS, LAST)}
        self.count = 0

    def run(self, coroutine: Any) -> Any:
        return self.runner.run(coroutine)

    def teardown(self) -> None:
        try:
            self.finish_everything()
            self.check_everything()
        finally:
            self.run(self.redis.aclose())
            self.runner.close()

    # -- what people do -------------------------------------------------------------------------------------------

    @rule(person=st.sampled_from(PEOPLE), lane=st.sampled_from(Lane))
    def writes(self, person: Person, lane: Lane) -> None:
        self.count += 1
        name = f"m{self.count}"
        result = self.run(self.box.put(name, person=person, lane=lane))
        assert not result.duplicate
        self.put_at[name] = self.count

    @rule(person=st.sampled_from(PEOPLE))
    def commands_something(self, person: Person) -> None:
        self.count += 1
        name = f"c{self.count}"
        self.run(self.box.command(name, person=person))
        self.put_at[name] = self.count
        self.commands.add(name)

    @rule(person=st.sampled_from(PEOPLE), data=st.data())
    @precondition(lambda self: self.put_at)
    def is_delivered_again(self, person: Person, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.put_at)))
        assert self.run(self.box.put(name, person=person)).duplicate

    @rule(person=st.sampled_from(PEOPLE))
    def says_stop(self, person: Person) -> None:
        self.count += 1
        name = f"s{self.count}"
        self.run(self.box.command(name, Effect.STOP, person=person))
        self.put_at[name] = self.count
        self.commands.add(name)

    # -- what workers do ------------------------------------------------------------------------------------------

    @rule(worker=st.sampled_from(WORKERS), lane=st.sampled_from(Lane))
    def claims_a_turn(self, worker: str, lane: Lane) -> None:
        self.claims_a_turn_of(worker, lane)

    def claims_a_turn_of(self, worker: str, lane: Lane) -> None:
        claim = self.run(self.box.claim(lane, worker))
        if claim is not None:
            self.claims[worker].append(claim)

    @rule(worker=st.sampled_from(WORKERS))
    def takes_over(self, worker: str) -> None:
        self.take_over(worker)

    def take_over(self, worker: str) -> None:
        for token in self.run(self.box.mailbox.recover(worker, min_idle_ms=0, count=3)):
            claim = self.run(self.box.mailbox.claim(token, recovered=True))
            if claim is not None:
                self.claims[worker].append(claim)

    @rule(worker=st.sampled_from(WORKERS))
    def dies(self, worker: str) -> None:
        self.claims[worker].clear()

    @rule(worker=st.sampled_from(WORKERS), end=st.sampled_from(["done", "fail", "defer", "bury", "send", "alone"]))
    @precondition(lambda self: any(self.claims.values()))
    def goes_on(self, worker: str, end: str) -> None:
        if self.claims[worker]:
            claim = self.claims[worker].pop(0)
            self.settle(worker, claim, end)

    def settle(self, worker: str, claim: Claim, end: str) -> None:
        mailbox, lease = self.box.mailbox, claim.lease
        try:
            if end == "send":
                self.run(mailbox.save(lease, b"sending", sending=True))
                self.run(mailbox.save(lease, b"sent"))
                self.claims[worker].append(claim)
            elif end == "alone":
                self.run(mailbox.begin_suspect(lease))
                self.claims[worker].append(claim)
            elif end == "done":
                self.answer(claim)
            elif end == "fail":
                self.run(mailbox.fail(lease, b"record", "engine"))
            elif end == "defer":
                self.run(mailbox.defer(lease, b"record", 0, "throttled"))
            else:
                self.run(mailbox.bury(lease, b"record", "unconfirmed"))
        except (LeaseLost, TurnCancelled):
            pass

    def answer(self, claim: Claim) -> None:
        try:
            self.run(self.box.mailbox.save(claim.lease, b"about to send", sending=True))
        except (LeaseLost, TurnCancelled):
            return
        names = [payload.decode() for payload in claim.payloads]
        assert names == sorted(names, key=self.put_at.__getitem__), "a burst is in order"
        assert len(names) == 1 or not self.commands & set(names), "a command is a turn of its own"
        self.run(self.box.mailbox.done(claim.lease, b"record", "answered"))
        self.answered.update(names)
        person = self.run(self.box.mailbox.person(claim.person.id))
        self.answers.setdefault(person.id, []).extend(names)

    @rule(kind=st.sampled_from(StatusKind), curable=st.booleans(), part=st.sampled_from(["0:1", "0:2"]))
    def a_receipt_comes(self, kind: StatusKind, part: str, *, curable: bool) -> None:
        for turn in self.run(self.box.mailbox.turns(1)):
            self.run(
                self.box.mailbox.receipt(
                    endpoint_id="100",
                    callback_data=f"{turn.turn_id}:{part}",
                    status=kind,
                    at_ms=1,
                    message_id="wamid.x",
                    curable=curable and kind is StatusKind.FAILED,
                )
            )

    # -- what must hold -------------------------------------------------------------------------------------------

    @invariant()
    def nothing_is_answered_twice(self) -> None:
        assert [name for name, times in self.answered.items() if times > 1] == []

    @invariant()
    def a_conversation_is_worked_on_by_one(self) -> None:
        depth = self.run(self.box.mailbox.depth())
        assert depth.voice_tokens + depth.fast_tokens <= 4  # addresses; merged mailboxes end as one

    def finish_everything(self) -> None:
        for worker in WORKERS:
            self.claims[worker].clear()
        for _ in range(20 * (self.count + 5)):
            self.take_over(LAST)
            for lane in Lane:
                self.claims_a_turn_of(LAST, lane)
            claims = self.claims[LAST]
            if not claims and self.run(self.box.mailbox.depth()).conversations == 0:
                return
            for claim in list(claims):
                self.answer(claim)
            claims.clear()
        raise AssertionError("the mailbox never came to rest")

    def check_everything(self) -> None:
        dead = set()
        for turn in self.run(self.box.mailbox.turns(10_000)):
            assert turn.status is not TurnStatus.OPEN
            if turn.status is TurnStatus.DEAD:
                found = self.run(self.box.mailbox.turn(turn.turn_id))
                dead |= {payload.decode() for payload in found.payloads}
        for person_id, names in self.answers.items():
            if not self.run(self.box.mailbox.person(person_id)).former_ids:
                assert names == sorted(names, key=self.put_at.__getitem__), "answers are in order"
        lost = set(self.put_at) - set(self.answered) - dead
        stopped = any(name.startswith("s") for name in self.put_at)
        assert stopped or not lost, f"lost: {lost}"
        assert not lost & self.commands, f"lost commands: {lost & self.commands}"


@pytest.mark.filterwarnings("ignore:.*:hypothesis.errors.NonInteractiveExampleWarning")
def test_every_message_is_answered_once_or_dead_and_in_order(store_url: str) -> None:
    machine = type("MailboxLifeHere", (MailboxLife,), {"url": store_url})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=60,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
