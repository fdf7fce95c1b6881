"""The house when one of its parts stops, by order or by accident, at a moment the test chooses."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import itertools
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from bot.installation import Installation, opened_installation
from bot.mailbox import TurnStatus
from bot.settings import Settings
from tests.chaos.house import House
from tests.stack import HOST

pytestmark = [pytest.mark.chaos, pytest.mark.asyncio(loop_scope="module")]

LONGER_THAN_ANY_TEST_S = "3600"
_numbers = itertools.count(5511950000001)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A house whose worker gives up its turns at once when told to stop; no lease ends while the tests run."""
    settings = {"LEASE_S": LONGER_THAN_ANY_TEST_S, "DRAIN_S": "0"}
    async with House(tmp_path_factory.mktemp("house"), settings) as house:
        yield house


@pytest_asyncio.fixture(loop_scope="module")
async def store(house: House) -> AsyncIterator[Installation]:
    """The house's store, to look into."""
    async with opened_installation(Settings.model_construct(recado_data_dir=house.folder)) as installation:
        yield installation


@pytest_asyncio.fixture(loop_scope="module")
async def person(house: House) -> str:
    """Somebody nobody has met."""
    return await house.add_person("Rita", str(next(_numbers)))


async def test_a_worker_told_to_stop_hands_its_turns_back_and_the_next_finishes_them(
    house: House, store: Installation
) -> None:
    people = [await house.add_person("Rita", str(next(_numbers))) for _ in range(6)]
    await house.fault("slow", count=6, on=["upload"], delay_ms=30_000)
    asked = [await house.write(one, "Quem é você?") for one in people]
    await until_no_fault_is_armed(house)  # every note is being uploaded
    assert (await store.mailbox.depth()).voice_leases == 6
    house.kill("worker", signal.SIGTERM)
    for one, message in zip(people, asked, strict=True):
        disclosure, note = await house.answers_after(one, message, 2)
        assert (disclosure["type"], note["type"], note["context_id"]) == ("text", "audio", message["wamid"])
        turn = await store.mailbox.turn(str(note["callback_data"]).partition(":")[0])
        assert turn is not None
        assert (turn.attempt > 1, turn.failures, turn.crashes, turn.suspect) == (True, 0, 0, False)


async def test_a_receiver_told_to_stop_answers_the_request_it_is_reading(house: House, person: str) -> None:
    house.relay.closed = True
    asked = await house.write(person, "Quem é você?")
    delivery = next(one for one in (await house.webhooks())["deliveries"] if asked["wamid"] in one["wamids"])
    body = str(delivery["body"]).encode()
    reader, writer = await asyncio.open_connection(HOST, house.web_port)
    writer.write(head(house, body) + body[:20])
    assert b"100 Continue" in await reader.readuntil(b"\r\n\r\n")  # the request is being handled
    web = house.supervisor.pid("web")
    house.kill("web", signal.SIGTERM)
    await until_nobody_listens(house)
    assert house.supervisor.pid("web") == web
    writer.write(body[20:])
    assert b" 200 OK" in await reader.readuntil(b"\r\n\r\n")
    writer.close()
    house.relay.closed = False
    await house.answers_after(person, asked, 2)
    await house.until_quiet()
    assert len(await house.answers(person)) == 2


async def test_without_its_store_the_receiver_asks_for_redelivery_and_nothing_is_lost(
    house: House, person: str
) -> None:
    await house.until_ready()
    house.relay.statuses.clear()
    house.kill("store", signal.SIGSTOP)
    asked = await house.write(person, "Quem é você?")
    await house.until(lambda: len(house.relay.statuses) >= 2, "the receiver answered nothing")
    assert set(house.relay.statuses) == {503}
    house.kill("store", signal.SIGCONT)
    disclosure, note = await house.answers_after(person, asked, 2)
    assert (disclosure["type"], note["context_id"]) == ("text", asked["wamid"])


async def test_a_send_that_its_worker_did_not_survive_is_not_repeated_when_the_receipt_tells_of_it(
    tmp_path: Path,
) -> None:
    async with House(tmp_path) as house:
        person = await house.add_person("Rita", str(next(_numbers)))
        await house.fault("slow", count=1, on=["send"], delay_ms=2000)
        asked = await house.write(person, "Quem é você?")
        await until_no_fault_is_armed(house)  # the channel has the request, and will accept it when nobody listens
        house.kill("worker")
        disclosure, note = await house.answers_after(person, asked, 2)
        await house.until_quiet()
        assert [disclosure["callback_data"][-4:], note["callback_data"][-4:]] == [":0:1", ":1:1"]
        assert await house.answers(person) == [disclosure, note]


async def test_a_hung_engine_ends_its_worker_and_the_turn_comes_back_to_run_alone(tmp_path: Path) -> None:
    order = tmp_path / "hang"
    settings = {"TTS_BATCH_DEADLINE_S": "3", "HANG_ONCE": str(order)}
    async with House(tmp_path, settings, worker=("-m", "tests.chaos.hanging_worker")) as house:
        person = await house.add_person("Rita", str(next(_numbers)))
        order.touch()
        asked = await house.write(person, "Quem é você?")
        _disclosure, note = await house.answers_after(person, asked, 2)
        assert (note["type"], note["context_id"]) == ("audio", asked["wamid"])
        assert "the engine is lost, ending the process" in house.log("worker")
        await house.until_quiet()
        turn = await house.turn_of(note)
        assert turn is not None
        assert (turn.status, turn.suspect, turn.crashes, turn.failures) == (TurnStatus.DONE, True, 0, 0)


async def test_a_worker_killed_in_mid_synthesis_costs_the_person_neither_the_voice_nor_a_lease(tmp_path: Path) -> None:
    async with hanging_house(tmp_path, VOICE_DEADLINE_S="30") as house:
        person, asked = await ask_and_hang(house)
        house.kill("worker")
        _disclosure, note = await house.answers_after(person, asked, 2, within_s=120)
        await house.until_quiet()
        turn = await house.turn_of(note)
        assert turn is not None
        assert (note["type"], note["context_id"]) == ("audio", asked["wamid"])
        assert (turn.status, turn.suspect, turn.deaths, turn.crashes) == (TurnStatus.DONE, True, 1, 0)
        assert len(await house.answers(person)) == 2


async def test_a_worker_told_to_stop_in_mid_batch_hands_the_turn_back_and_ends(tmp_path: Path) -> None:
    async with hanging_house(tmp_path, DRAIN_S="0") as house:
        person, asked = await ask_and_hang(house)
        house.kill("worker", signal.SIGTERM)
        _disclosure, note = await house.answers_after(person, asked, 2, within_s=120)
        turn = await house.turn_of(note)
        assert turn is not None
        assert (note["type"], turn.suspect, turn.deaths, turn.failures) == ("audio", False, 0, 0)


async def test_a_worker_told_twice_to_stop_does_not_wait_for_its_turns(tmp_path: Path) -> None:
    async with hanging_house(tmp_path, DRAIN_S=LONGER_THAN_ANY_TEST_S) as house:
        person, asked = await ask_and_hang(house)
        house.kill("worker", signal.SIGTERM)
        await house.until(lambda: '"draining"' in house.log("worker"), "the worker does not drain")
        house.kill("worker", signal.SIGTERM)
        _disclosure, note = await house.answers_after(person, asked, 2, within_s=120)
        turn = await house.turn_of(note)
        assert turn is not None
        assert (note["type"], turn.suspect, turn.deaths) == ("audio", False, 0)


async def test_a_worker_told_to_stop_while_its_models_load_ends_although_the_load_never_does(tmp_path: Path) -> None:
    async with hanging_house(tmp_path) as house:
        order = tmp_path / "hang-loading"
        order.touch()
        house.kill("worker")
        await house.until(lambda: not order.exists(), "nobody loads")
        loading = house.supervisor.pid("worker")
        house.kill("worker", signal.SIGTERM)
        await house.until(lambda: house.supervisor.pid("worker") not in {None, loading}, "the worker does not end")
        await house.until_worker_is_ready()
        assert house.log("worker").count('"told to stop"') == 1


def hanging_house(folder: Path, **settings: str) -> House:
    """A house whose worker hangs when told; no lease ends while the test runs."""
    orders = {"HANG_ONCE": str(folder / "hang"), "HANG_LOADING": str(folder / "hang-loading")}
    leases = {"LEASE_S": LONGER_THAN_ANY_TEST_S}
    return House(folder, orders | leases | settings, worker=("-m", "tests.chaos.hanging_worker"))


async def ask_and_hang(house: House) -> tuple[str, dict[str, Any]]:
    """Somebody new writes, and the worker hangs while it speaks the answer."""
    person = await house.add_person("Rita", str(next(_numbers)))
    order = house.folder / "hang"
    order.touch()
    asked = await house.write(person, "Quem é você?")
    await house.until(lambda: not order.exists(), "nobody speaks")
    return person, asked


def head(house: House, body: bytes) -> bytes:
    """The head of a webhook that waits to be asked for its body."""
    secret = house.environment["WHATSAPP_APP_SECRET"].encode()
    signature = hmac.new(secret, body, hashlib.sha256).hexdigest()
    lines = (
        "POST /webhooks/whatsapp HTTP/1.1",
        f"Host: {HOST}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        f"X-Hub-Signature-256: sha256={signature}",
        "Expect: 100-continue",
    )
    return "\r\n".join((*lines, "", "")).encode()


async def until_nobody_listens(house: House) -> None:
    """Return once the receiver accepts no new connection."""
    for _ in range(1000):
        try:
            _reader, writer = await asyncio.open_connection(HOST, house.web_port)
        except ConnectionRefusedError:
            return
        writer.close()
        await asyncio.sleep(0.01)
    raise AssertionError("the receiver still listens")


async def until_no_fault_is_armed(house: House) -> None:
    """Return once the channel has met every fault."""
    for _ in range(3000):
        faults = await house.http.get(f"http://{HOST}:{house.emulator_port}/emulator/api/faults")
        if not faults.json()["armed"]:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"the channel met no fault\n{house.tail('worker')}")
