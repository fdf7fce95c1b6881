"""Webhooks leave signed, come again until a 200, and are counted."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any


async def test_the_receiver_is_verified_at_start(bench: Any) -> None:
    assert bench.exchange.courier.handshake.ok is True


async def test_a_refused_handshake_is_shown_as_such(make_bench: Any) -> None:
    bench = await make_bench(verify_token="other")
    assert bench.exchange.courier.handshake.ok is False


async def test_the_signature_covers_the_raw_bytes(bench: Any) -> None:
    await bench.write()
    await bench.settle()
    ((body, headers),) = bench.receiver.requests
    digest = hmac.new(b"emulated-secret", body, hashlib.sha256).hexdigest()
    assert headers["X-Hub-Signature-256"] == f"sha256={digest}"


async def test_non_ascii_leaves_escaped(bench: Any) -> None:
    await bench.write(text="olá 👋")
    await bench.settle()
    ((body, _),) = bench.receiver.requests
    assert body.isascii()
    assert rb"ol\u00e1 \ud83d\udc4b" in body


async def test_a_webhook_is_repeated_with_the_same_bytes_until_a_200(bench: Any) -> None:
    bench.receiver.answers = [503, 500]
    await bench.write()
    await bench.settle()
    assert len({body for body, _ in bench.receiver.requests}) == 1
    assert len(bench.receiver.requests) == 3
    assert bench.exchange.courier.counters.retried == 2


async def test_a_201_is_no_acknowledgement(bench: Any) -> None:
    bench.receiver.answers = [201]
    await bench.write()
    await bench.settle()
    assert len(bench.receiver.requests) == 2


async def test_a_webhook_is_given_up_after_the_last_retry(bench: Any) -> None:
    bench.receiver.answers = [500, 500, 500]
    await bench.write()
    await bench.settle()
    assert bench.exchange.courier.counters.given_up == 1
    assert "delivered" not in (await bench.conversation())[0]["receipts"]


async def test_an_acknowledged_message_shows_two_ticks(bench: Any) -> None:
    await bench.write()
    await bench.settle()
    assert "delivered" in (await bench.conversation())[0]["receipts"]


async def test_receipts_carry_callback_data_and_both_recipient_ids(bench: Any) -> None:
    await bench.write()
    await bench.send_text(biz_opaque_callback_data="turn-1")
    await bench.settle()
    statuses = bench.receiver.statuses()
    assert sorted(status["status"] for status in statuses) == ["delivered", "sent"]
    for status in statuses:
        assert status["biz_opaque_callback_data"] == "turn-1"
        assert status["recipient_id"] == "5511987654321"
        assert status["recipient_user_id"] == "BR.1349001122334455"


async def test_a_receipt_for_a_person_without_a_number_has_no_recipient_id(bench: Any) -> None:
    await bench.write("duda")
    await bench.send_text(to="", recipient="BR.1349001122334488")
    await bench.settle()
    assert all("recipient_id" not in status for status in bench.receiver.statuses())


async def test_with_auto_deliver_off_receipts_come_only_by_hand(make_bench: Any) -> None:
    bench = await make_bench(auto_deliver=False)
    await bench.write()
    _, body = await bench.send_text()
    await bench.settle()
    assert bench.receiver.statuses() == []
    await bench.client.post(f"/emulator/api/messages/{body['messages'][0]['id']}/receipts", json={"status": "sent"})
    await bench.settle()
    assert [status["status"] for status in bench.receiver.statuses()] == ["sent"]


async def test_a_raw_body_is_posted_as_it_is_and_signed(bench: Any) -> None:
    await bench.client.post("/emulator/api/raw", data=b'{"object": "whatsapp_business_account"}')
    await bench.settle()
    ((body, headers),) = bench.receiver.requests
    assert body == b'{"object": "whatsapp_business_account"}'
    digest = hmac.new(b"emulated-secret", body, hashlib.sha256).hexdigest()
    assert headers["X-Hub-Signature-256"] == f"sha256={digest}"


async def test_a_raw_body_can_go_out_with_a_wrong_signature_and_is_not_repeated(bench: Any) -> None:
    bench.receiver.answers = [401]
    await bench.client.post("/emulator/api/raw?signature=wrong", data=b"{}")
    await bench.settle()
    ((_, headers),) = bench.receiver.requests
    assert headers["X-Hub-Signature-256"] == "sha256=" + "0" * 64


async def test_the_report_counts_and_shows_the_last_body(bench: Any) -> None:
    await bench.write()
    await bench.settle()
    report = await (await bench.client.get("/emulator/api/webhooks")).json()
    assert report["counters"]["acknowledged"] == 1
    assert report["deliveries"][0]["state"] == "acknowledged"
    assert '"messages"' in report["deliveries"][0]["body"]
