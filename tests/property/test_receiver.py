"""Whatever is posted to the receiver, it answers in order: never a 500, never a traceback, nothing unencodable."""

from __future__ import annotations

import copy
import json
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from bot.wire import dump_message, load_message
from webhooks.messages import InboundMessage, Update
from webhooks.whatsapp.routes import PATH, ReceiverConfig, add_routes
from webhooks.whatsapp.signature import SIGNATURE_HEADER, sign

BODIES = [path.read_bytes() for path in sorted((Path(__file__).parents[1] / "fixtures" / "whatsapp").glob("*.json"))]
ROUNDS = 2000
ODD: tuple[Any, ...] = (
    None, True, 0, -1, 1e300, 2**63, "", "x", "\ud83d", "\x00", "wamid.1", [], [None], {}, {"": {}}, "9" * 4000,
)  # fmt: skip
CONFIG = ReceiverConfig(app_secrets=("secret",), verify_token="token", phone_number_ids=frozenset({"106540352242922"}))


class WritingInbox:
    """Makes the bytes that would be kept of each message, and reads them back."""

    def __init__(self) -> None:
        self.taken = 0

    async def accept(self, updates: Sequence[Update]) -> None:
        for update in updates:
            self.taken += 1
            if isinstance(update, InboundMessage):
                assert load_message(dump_message(update)) == update


def places(node: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) below `node`."""
    keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    return [(node, key) for key in keys] + [place for key in keys for place in places(node[key])]


def mutated(chance: random.Random) -> bytes:
    """A known webhook with a few nodes replaced, removed, repeated or swapped, or a few bytes torn."""
    body = chance.choice(BODIES)
    document = json.loads(body)
    for _ in range(chance.randint(1, 4)):
        container, key = chance.choice(places(document) or [([0], 0)])
        match chance.randrange(4):
            case 0:
                container[key] = copy.deepcopy(chance.choice(ODD))
            case 1:
                container.pop(key)
            case 2 if isinstance(container, list):
                container.extend(copy.deepcopy(container[key]) for _ in range(chance.randint(1, 30)))
            case _:
                container[key] = json.loads(chance.choice(BODIES))["entry"][0]["changes"][0]["value"]
    written = json.dumps(document).encode()
    if chance.random() < 0.2:
        at = chance.randrange(len(written))
        written = written[:at] + chance.randbytes(chance.randint(0, 3)) + written[at + chance.randint(0, 3) :]
    return written


async def test_no_mutated_webhook_is_a_500_or_a_traceback(
    aiohttp_client: Callable[..., Awaitable[TestClient[web.Request, web.Application]]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    app, inbox, answers = web.Application(), WritingInbox(), set()
    add_routes(app, CONFIG, inbox, count=lambda _event, _kind: None)
    client = await aiohttp_client(app)
    chance = random.Random(7)

    for _ in range(ROUNDS):
        body = mutated(chance)
        headers = {SIGNATURE_HEADER: sign(body, "secret")}
        async with client.post(PATH, data=body, headers=headers) as answer:
            answers.add(answer.status)
            assert answer.status in {200, 400}, body

    assert answers == {200, 400}
    assert inbox.taken > ROUNDS / 2
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
