from __future__ import annotations

import asyncio
import gzip
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestClient, TestServer

from webhooks.fake_channel import FakeInbox
from webhooks.messages import AccountAlert, InboundMessage, Update
from webhooks.whatsapp.routes import MOST_RECORDINGS, PATH, ReceiverConfig, add_routes
from webhooks.whatsapp.signature import SIGNATURE_HEADER, sign

FIXTURES = Path(__file__).parents[3] / "fixtures" / "whatsapp"
CONFIG = ReceiverConfig(
    app_secrets=("new", "old"),
    verify_token="token",
    phone_number_ids=frozenset({"106540352242922"}),
    max_body_bytes=64 * 1024,
    read_deadline_s=0.01,
    accept_deadline_s=0.01,
)


class Counted:
    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []

    def __call__(self, event: str, kind: str) -> None:
        self.events.append((event, str(kind)))


class Recorded:
    def __init__(self) -> None:
        self.bodies: list[tuple[int, bytes]] = []

    async def record(self, *, received_at_ms: int, headers: Mapping[str, str], body: bytes) -> None:
        assert SIGNATURE_HEADER in headers
        self.bodies.append((received_at_ms, body))


@dataclass
class Receiver:
    client: TestClient[web.Request, web.Application]
    inbox: FakeInbox
    counted: Counted
    recorded: Recorded

    async def post(self, body: bytes, *, signer: str = "new") -> int:
        async with self.client.post(PATH, data=body, headers={SIGNATURE_HEADER: sign(body, signer)}) as answer:
            return answer.status


@pytest.fixture
async def receiver(aiohttp_client: Callable[..., Awaitable[TestClient[web.Request, web.Application]]]) -> Receiver:
    app = web.Application(client_max_size=1024)
    inbox, counted, recorded = FakeInbox(), Counted(), Recorded()
    add_routes(app, CONFIG, inbox, recording=recorded, count=counted, now_ms=lambda: 1763715600_000)
    return Receiver(client=await aiohttp_client(app), inbox=inbox, counted=counted, recorded=recorded)


def body_of(name: str) -> bytes:
    return (FIXTURES / f"{name}.json").read_bytes()


async def test_a_signed_message_is_handed_on_and_then_acknowledged(receiver: Receiver) -> None:
    assert await receiver.post(body_of("text")) == 200
    (update,) = receiver.inbox.accepted
    assert isinstance(update, InboundMessage)
    assert update.text == "Olá! Vocês abrem no sábado? 😊"
    assert receiver.counted.events == [("message", "text")]


async def test_the_old_secret_works_while_it_is_rotated(receiver: Receiver) -> None:
    assert await receiver.post(body_of("text"), signer="old") == 200


async def test_the_handshake_echoes_the_challenge_as_plain_text(receiver: Receiver) -> None:
    query = {"hub.mode": "subscribe", "hub.challenge": "<b>1</b>", "hub.verify_token": "token"}
    async with receiver.client.get(PATH, params=query) as answer:
        assert (answer.status, await answer.text()) == (200, "<b>1</b>")
        assert answer.content_type == "text/plain"


async def test_a_handshake_with_another_token_is_refused(receiver: Receiver) -> None:
    query = {"hub.mode": "subscribe", "hub.challenge": "1", "hub.verify_token": "guess"}
    async with receiver.client.get(PATH, params=query) as answer:
        assert answer.status == 403
    assert receiver.counted.events == [("refused", "handshake")]


async def test_an_unsigned_webhook_is_unauthorised(receiver: Receiver) -> None:
    async with receiver.client.post(PATH, data=body_of("text")) as answer:
        assert answer.status == 401
    assert receiver.inbox.calls == 0


async def test_a_wrongly_signed_webhook_is_forbidden_and_not_recorded(receiver: Receiver) -> None:
    assert await receiver.post(body_of("text"), signer="guess") == 403
    assert (receiver.inbox.calls, receiver.recorded.bodies) == (0, [])
    assert receiver.counted.events == [("refused", "signature_wrong")]


async def test_a_signature_with_foreign_characters_is_forbidden(receiver: Receiver) -> None:
    headers = {SIGNATURE_HEADER: "sha256=ação"}
    async with receiver.client.post(PATH, data=body_of("text"), headers=headers) as answer:
        assert answer.status == 403


async def test_signed_nonsense_is_a_bad_request(receiver: Receiver) -> None:
    assert await receiver.post(b"nonsense") == 400


async def test_a_signed_webhook_without_a_body_is_a_bad_request(receiver: Receiver) -> None:
    assert await receiver.post(b"") == 400


async def test_an_announced_body_over_the_limit_is_refused(receiver: Receiver) -> None:
    assert await receiver.post(b" " * (CONFIG.max_body_bytes + 1)) == 413


async def test_an_unannounced_body_over_the_limit_is_refused(receiver: Receiver) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(9):
            yield b" " * (CONFIG.max_body_bytes // 8)

    async with receiver.client.post(PATH, data=chunks(), headers={SIGNATURE_HEADER: "sha256=0"}) as answer:
        assert answer.status == 413


async def test_a_body_up_to_the_limit_passes_whatever_the_application_allows_elsewhere(receiver: Receiver) -> None:
    assert await receiver.post(body_of("text").ljust(CONFIG.max_body_bytes)) == 200


async def test_a_stalled_body_is_given_up(receiver: Receiver) -> None:
    async def stalls() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    async with receiver.client.post(PATH, data=stalls(), headers={SIGNATURE_HEADER: "sha256=0"}) as answer:
        assert answer.status == 408


async def test_while_the_inbox_is_down_the_platform_is_asked_to_deliver_again(receiver: Receiver) -> None:
    receiver.inbox.available = False
    body = body_of("text")
    async with receiver.client.post(PATH, data=body, headers={SIGNATURE_HEADER: sign(body, "new")}) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert receiver.counted.events == [("unavailable", "inbox")]


async def test_a_redelivery_after_an_outage_arrives(receiver: Receiver) -> None:
    receiver.inbox.available = False
    await receiver.post(body_of("text"))
    receiver.inbox.available = True
    assert await receiver.post(body_of("text")) == 200
    assert len(receiver.inbox.accepted) == 1


async def test_an_inbox_that_hangs_is_not_waited_for(receiver: Receiver) -> None:
    receiver.inbox.slow = True
    assert await receiver.post(body_of("text")) == 503
    assert receiver.counted.events == [("unavailable", "deadline")]


async def test_messages_for_other_numbers_are_acknowledged_counted_and_left_alone(receiver: Receiver) -> None:
    foreign = body_of("text").replace(b"106540352242922", b"999")
    assert await receiver.post(foreign) == 200
    assert receiver.inbox.calls == 0
    assert receiver.counted.events == [("foreign", "text")]


async def test_statuses_of_other_numbers_are_left_alone_as_well(receiver: Receiver) -> None:
    assert await receiver.post(body_of("status_sent").replace(b"106540352242922", b"999")) == 200
    assert receiver.counted.events == [("foreign", "sent")]


async def test_an_alert_is_handed_on_though_it_names_no_number(receiver: Receiver) -> None:
    assert await receiver.post(body_of("account_error").replace(b"106540352242922", b"")) == 200
    assert [type(update) for update in receiver.inbox.accepted] == [AccountAlert]


async def test_a_webhook_with_nothing_for_us_is_acknowledged(receiver: Receiver) -> None:
    assert await receiver.post(body_of("other_field")) == 200
    assert receiver.counted.events == [("rejected", "unknown_field")]


async def test_one_webhook_is_handed_on_in_one_call_in_its_order(receiver: Receiver) -> None:
    assert await receiver.post(body_of("batch")) == 200
    assert receiver.inbox.calls == 1
    assert receiver.counted.events == [
        *[("rejected", "invalid")] * 6,
        ("rejected", "no_person"),
        ("foreign", "text"),
        *[("message", "text")] * 3,
        ("status", "read"),
    ]


async def test_every_genuine_webhook_is_recorded_byte_for_byte_even_unreadable_ones(receiver: Receiver) -> None:
    await receiver.post(body_of("text"))
    await receiver.post(b"nonsense")
    assert receiver.recorded.bodies == [(1763715600_000, body_of("text")), (1763715600_000, b"nonsense")]


def test_secrets_do_not_show_in_the_configuration() -> None:
    assert "new" not in repr(CONFIG)
    assert "token" not in repr(CONFIG).replace("verify_token", "")


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", body_of("text")),
        ("gzip", gzip.compress(body_of("text"))),
        ("gzip", gzip.compress(body_of("text")) + b"behind"),
        ("gzip", gzip.compress(body_of("text"))[:-9]),
        ("deflate", body_of("text")),
        ("br", body_of("text")),
        ("x-unknown", body_of("text")),
    ],
)
async def test_a_compressed_webhook_is_a_bad_request_without_a_traceback(
    receiver: Receiver,
    aiohttp_server: Callable[..., Awaitable[TestServer]],
    caplog: pytest.LogCaptureFixture,
    encoding: str,
    body: bytes,
    *,
    signed: bool,
) -> None:
    app = web.Application()
    add_routes(app, CONFIG, receiver.inbox, count=receiver.counted)
    server = await aiohttp_server(app, auto_decompress=False)
    headers = {"Content-Encoding": encoding} | ({SIGNATURE_HEADER: sign(body, "new")} if signed else {})

    async with ClientSession() as session, session.post(server.make_url(PATH), data=body, headers=headers) as answer:
        status = answer.status

    assert (status, receiver.inbox.calls) == (400, 0)
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def posted_beside(
    recording: Recorded, client_of: Callable[..., Awaitable[TestClient[web.Request, web.Application]]]
) -> tuple[int, list[Update]]:
    app, inbox, counted = web.Application(), FakeInbox(), Counted()
    add_routes(app, CONFIG, inbox, recording=recording, count=counted)
    receiver = Receiver(await client_of(app), inbox, counted, recording)
    return await receiver.post(body_of("text")), inbox.accepted


async def test_a_slow_recording_delays_the_answer_no_longer_than_the_deadline(
    aiohttp_client: Callable[..., Awaitable[TestClient[web.Request, web.Application]]],
) -> None:
    class Stuck(Recorded):
        async def record(self, **_webhook: object) -> None:
            await asyncio.Event().wait()

    status, accepted = await posted_beside(Stuck(), aiohttp_client)
    assert (status, len(accepted)) == (200, 1)


async def test_a_recording_that_fails_costs_no_message(
    aiohttp_client: Callable[..., Awaitable[TestClient[web.Request, web.Application]]],
) -> None:
    class Broken(Recorded):
        async def record(self, **_webhook: object) -> None:
            raise RuntimeError("no disk")

    status, accepted = await posted_beside(Broken(), aiohttp_client)
    assert (status, len(accepted)) == (200, 1)


async def test_what_a_hung_disk_does_not_take_does_not_pile_up(
    aiohttp_client: Callable[..., Awaitable[TestClient[web.Request, web.Application]]],
) -> None:
    begun = []

    class Stuck(Recorded):
        async def record(self, **webhook: object) -> None:
            begun.append(webhook)
            await asyncio.Event().wait()

    app, inbox = web.Application(), FakeInbox()
    add_routes(app, CONFIG, inbox, recording=Stuck(), count=Counted())
    receiver = Receiver(await aiohttp_client(app), inbox, Counted(), Recorded())
    answers = [await receiver.post(body_of("text")) for _ in range(MOST_RECORDINGS + 3)]
    assert (set(answers), len(inbox.accepted)) == ({200}, MOST_RECORDINGS + 3)
    assert len(begun) == MOST_RECORDINGS
