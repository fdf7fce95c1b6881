"""Every fault strikes as often as it was armed, where it was armed, and nowhere else."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest

from webhooks.emulator.faults import STRIKES, Fault, FaultDesk, Operation, Setting


def test_every_fault_says_where_it_strikes() -> None:
    assert set(STRIKES) == set(Fault)


def test_a_fault_is_used_up_after_its_count() -> None:
    desk = FaultDesk()
    desk.arm(Setting(fault=Fault.DOWN, count=2))
    taken = [desk.take(Fault.DOWN, Operation.SEND) for _ in range(3)]
    assert [setting.count if setting else None for setting in taken] == [2, 1, None]


def test_a_narrowed_fault_spares_other_operations() -> None:
    desk = FaultDesk()
    desk.arm(Setting(fault=Fault.DOWN, count=1, on=frozenset({Operation.UPLOAD})))
    assert desk.take(Fault.DOWN, Operation.SEND) is None
    assert desk.take(Fault.DOWN, Operation.UPLOAD) is not None


def test_a_fault_cannot_be_armed_where_it_means_nothing() -> None:
    with pytest.raises(ValueError, match="cannot strike"):
        FaultDesk().arm(Setting(fault=Fault.DUPLICATE, count=1, on=frozenset({Operation.SEND})))


def test_a_count_of_zero_disarms() -> None:
    desk = FaultDesk()
    desk.arm(Setting(fault=Fault.SLOW, count=3))
    desk.arm(Setting(fault=Fault.SLOW, count=0))
    assert desk.armed() == ()


async def test_a_duplicate_comes_in_another_envelope_with_the_same_wamid(bench: Any) -> None:
    await bench.arm("duplicate")
    await bench.write()
    await bench.settle()
    first, second = (body for body, _ in bench.receiver.requests)
    assert first != second
    assert len({message["id"] for message in bench.receiver.messages()}) == 1


async def test_a_batch_puts_several_messages_into_one_webhook(bench: Any) -> None:
    await bench.arm("batch", 3)
    sent = [await bench.write(text=text) for text in ("um", "dois", "três")]
    await bench.settle()
    assert len(bench.receiver.requests) == 1
    assert [m["id"] for m in bench.receiver.messages()] == [m["wamid"] for m in sent]


async def test_a_batch_over_two_people_names_both_contacts(bench: Any) -> None:
    await bench.arm("batch", 2)
    await bench.write("ana")
    await bench.write("duda")
    await bench.settle()
    (value,) = bench.receiver.values()
    assert [contact["profile"]["name"] for contact in value["contacts"]] == ["Ana Beatriz", "Duda"]


async def test_reorder_turns_the_next_webhooks_around(bench: Any) -> None:
    await bench.arm("reorder", 2)
    await bench.write(text="um")
    await bench.write(text="dois")
    await bench.settle()
    assert sorted(m["text"]["body"] for m in bench.receiver.messages()) == ["dois", "um"]
    assert [
        json.loads(d.body)["entry"][0]["changes"][0]["value"]["messages"][0]["text"]["body"]
        for d in bench.exchange.courier.deliveries
    ] == ["dois", "um"]


async def test_disarming_lets_go_of_what_is_held_back(bench: Any) -> None:
    await bench.arm("batch", 5)
    await bench.write()
    await bench.client.delete("/emulator/api/faults")
    await bench.settle()
    assert len(bench.receiver.messages()) == 1


async def test_a_rate_limit_carries_retry_after_and_is_over_after_its_count(bench: Any) -> None:
    await bench.write()
    await bench.arm("rate_limit", 1, retry_after_s=7)
    body = {"messaging_product": "whatsapp", "to": "5511987654321", "type": "text", "text": {"body": "oi"}}
    headers = {"Authorization": "Bearer emulated-token"}
    async with bench.client.post("/v26.0/1000000001/messages", json=body, headers=headers) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (429, "7")
        assert (await answer.json())["error"]["code"] == 130429
    assert (await bench.send_text())[0] == 200


async def test_a_pair_limit_answers_131056(bench: Any) -> None:
    await bench.write()
    await bench.arm("pair_limit")
    assert (await bench.send_text())[1]["error"]["code"] == 131056


async def test_a_limit_spares_read_receipts(bench: Any) -> None:
    wamid = (await bench.write())["wamid"]
    await bench.arm("rate_limit")
    body = {"messaging_product": "whatsapp", "status": "read", "message_id": wamid}
    assert (await bench.graph("POST", "1000000001/messages", json=body))[0] == 200


async def test_a_late_media_error_follows_an_accepted_note(bench: Any, note: bytes) -> None:
    await bench.write()
    await bench.arm("late_media_error")
    _, media = await bench.upload(note)
    status, _ = await bench.send(type="audio", audio={"id": media["id"], "voice": True})
    await bench.settle()
    assert status == 200
    assert [s["errors"][0]["code"] for s in bench.receiver.statuses()] == [131053]


async def test_expired_media_refuses_the_send_once(bench: Any, note: bytes) -> None:
    await bench.write()
    await bench.arm("expired_media", on=["send"])
    _, media = await bench.upload(note)
    audio = {"id": media["id"], "voice": True}
    _, refused = await bench.send(type="audio", audio=audio)
    assert (refused["error"]["code"], refused["error"]["error_subcode"]) == (100, 33)
    assert (await bench.send(type="audio", audio=audio))[0] == 200


async def test_expired_media_refuses_the_lookup(bench: Any, note: bytes) -> None:
    await bench.arm("expired_media", on=["lookup"])
    _, media = await bench.upload(note)
    assert (await bench.graph("GET", media["id"]))[1]["error"]["error_subcode"] == 33


async def test_down_answers_503_in_the_usual_envelope(bench: Any) -> None:
    await bench.write()
    await bench.arm("down")
    status, body = await bench.send_text()
    assert (status, body["error"]["code"]) == (503, 131016)


async def test_reset_cuts_the_connection_and_records_nothing(bench: Any) -> None:
    await bench.write()
    await bench.arm("reset")
    with pytest.raises(aiohttp.ClientConnectionError):
        await bench.send_text()
    assert len(await bench.conversation()) == 1


async def test_ambiguous_records_the_message_and_loses_the_answer(bench: Any) -> None:
    await bench.write()
    await bench.arm("ambiguous")
    with pytest.raises(aiohttp.ClientConnectionError):
        await bench.send_text(biz_opaque_callback_data="turn-7")
    await bench.settle()
    assert len(await bench.conversation()) == 2
    assert {s["biz_opaque_callback_data"] for s in bench.receiver.statuses()} == {"turn-7"}


async def test_slow_delays_and_then_answers(bench: Any) -> None:
    await bench.write()
    await bench.arm("slow", delay_ms=1)
    assert (await bench.send_text())[0] == 200
    assert bench.exchange.faults.armed() == ()


async def test_an_unknown_fault_is_refused(bench: Any) -> None:
    answer = await bench.client.post("/emulator/api/faults", json={"fault": "earthquake"})
    assert answer.status == 422
