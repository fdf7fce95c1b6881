"""Whose words a batch's log lines carry: a batch is made for many, so nobody's."""

from __future__ import annotations

import contextvars

from tts.batch_choice import BatchPolicy
from tts.batching import Batcher, Device
from tts.contract import Utterance, Voice
from tts.engines.fake import FakeEngine

WHO = contextvars.ContextVar("WHO", default="nobody")
SAID = Utterance(text="hello", language="en", voice=Voice(id="v", language="en"), expected_s=0.5)


async def test_what_is_told_of_a_batch_is_not_told_as_the_first_askers() -> None:
    engine, device = FakeEngine(), Device("test")
    told: list[str] = []
    batcher = Batcher(
        engine,
        device=device,
        policy=BatchPolicy(max_batch=4, max_wait_s=0.0, deadline_s=60.0),
        on_lost=lambda _name, _suspects: None,
        on_batch=lambda _stats: told.append(WHO.get()),
    )
    engine.load()
    WHO.set("the first to ask")
    await batcher.submit(SAID, group="one")
    await batcher.close()
    device.close()

    assert told == ["nobody"]
