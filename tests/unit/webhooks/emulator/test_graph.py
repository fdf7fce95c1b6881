"""The emulator refuses what Graph refuses, and answers in its envelope."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest


def code_of(answer: tuple[int, Any]) -> int:
    _, body = answer
    assert {"message", "type", "code", "fbtrace_id"} <= body["error"].keys()
    code: int = body["error"]["code"]
    return code


def rows(count: int) -> list[dict[str, str]]:
    return [{"id": f"r{index}", "title": f"Opção {index}"} for index in range(count)]


def list_menu(*, row_count: int = 3, title: str = "Uma", body: str = "Escolha") -> dict[str, Any]:
    section = {"title": "Vozes", "rows": [*rows(row_count - 1), {"id": "last", "title": title}]}
    return {"type": "list", "body": {"text": body}, "action": {"button": "Ver", "sections": [section]}}


def button_menu(*, title: str = "Sim", count: int = 1) -> dict[str, Any]:
    buttons = [{"type": "reply", "reply": {"id": f"b{i}", "title": title if i == 0 else f"B{i}"}} for i in range(count)]
    return {"type": "button", "body": {"text": "Ouvir?"}, "action": {"buttons": buttons}}


async def test_a_missing_token_is_refused_with_190(bench: Any) -> None:
    status, body = await bench.graph("GET", "1000000001", token=None)
    assert (status, body["error"]["code"]) == (401, 190)


async def test_a_wrong_token_is_refused_with_190(bench: Any) -> None:
    assert code_of(await bench.graph("POST", "1000000001/messages", token="other", json={})) == 190


async def test_a_non_ascii_token_is_refused_and_not_an_error(bench: Any) -> None:
    assert code_of(await bench.graph("GET", "1000000001", token="não")) == 190


async def test_an_unknown_phone_number_id_is_a_missing_object(bench: Any) -> None:
    _, body = await bench.graph("POST", "999/messages", json={"messaging_product": "whatsapp"})
    assert (body["error"]["code"], body["error"]["error_subcode"]) == (100, 33)


async def test_a_version_newer_than_the_configured_one_is_refused(bench: Any) -> None:
    assert code_of(await bench.graph("GET", "1000000001", version="v99.0")) == 2500


async def test_a_phone_number_tells_its_display_name(bench: Any) -> None:
    assert await bench.graph("GET", "1000000001") == (
        200,
        {"id": "1000000001", "display_phone_number": "+55 11 4000-1001", "verified_name": "Clara"},
    )


async def test_debug_token_says_whether_a_token_is_in_force(bench: Any) -> None:
    answers = [await bench.graph("GET", f"debug_token?input_token={token}") for token in ("emulated-token", "other")]
    assert [body["data"]["is_valid"] for _, body in answers] == [True, False]


async def test_a_text_is_accepted_with_a_wamid_and_the_contact(bench: Any) -> None:
    await bench.write()
    status, body = await bench.send_text()
    assert status == 200
    assert body["contacts"] == [{"input": "5511987654321", "wa_id": "5511987654321", "user_id": "BR.1349001122334455"}]
    assert body["messages"][0]["id"].startswith("wamid.")


async def test_a_person_without_a_number_is_reached_by_recipient(bench: Any) -> None:
    await bench.write("duda")
    _, body = await bench.send_text(to="", recipient="BR.1349001122334488")
    assert body["contacts"] == [{"input": "BR.1349001122334488", "user_id": "BR.1349001122334488"}]


async def test_to_wins_over_recipient(bench: Any) -> None:
    await bench.write("ana")
    await bench.send_text(recipient="BR.1349001122334488")
    assert [message["direction"] for message in await bench.conversation("ana")] == ["from_person", "from_business"]


async def test_a_recipient_that_no_phone_has_is_undeliverable(bench: Any) -> None:
    assert code_of(await bench.send_text(to="5599999999999")) == 131026


async def test_a_person_who_never_wrote_cannot_be_written_to(bench: Any) -> None:
    assert code_of(await bench.send_text()) == 131047


async def test_the_window_closes_24_hours_after_the_last_message(bench: Any) -> None:
    await bench.write()
    bench.clock.now_s += 24 * 3600 - 1
    assert (await bench.send_text())[0] == 200
    bench.clock.now_s += 1
    assert code_of(await bench.send_text()) == 131047


async def test_a_window_is_closed_on_request(bench: Any) -> None:
    await bench.write()
    await bench.client.post("/emulator/api/conversations/ana/1000000001/close-window")
    assert code_of(await bench.send_text()) == 131047


async def test_a_body_that_is_not_json_is_refused(bench: Any) -> None:
    assert code_of(await bench.graph("POST", "1000000001/messages", data=b"{")) == 100


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"messaging_product": "telegram"}, 131009),
        ({"text": {"body": "a" * 4097}}, 131009),
        ({"text": {"body": ""}}, 131009),
        ({"text": {}}, 131008),
        ({"text": {"body": "oi", "bold": True}}, 100),
        ({"biz_opaque_callback_data": "a" * 513}, 131009),
        ({"context": {"message_id": "wamid.unknown"}}, 131009),
        ({"to": ""}, 131009),
        ({"type": "hologram"}, 131051),
        ({"recipient_type": "group"}, 131009),
    ],
)
async def test_a_text_that_breaks_a_rule_is_refused(bench: Any, change: dict[str, Any], code: int) -> None:
    await bench.write()
    assert code_of(await bench.send(**{"type": "text", "text": {"body": "oi"}, **change})) == code


@pytest.mark.parametrize(
    "menu",
    [
        list_menu(row_count=11),
        list_menu(title="a" * 25),
        list_menu(body="a" * 1025),
        button_menu(title="a" * 21),
        button_menu(count=4),
    ],
)
async def test_a_menu_beyond_metas_limits_is_refused(bench: Any, menu: dict[str, Any]) -> None:
    await bench.write()
    assert code_of(await bench.send(type="interactive", interactive=menu)) == 131009


@pytest.mark.parametrize("menu", [list_menu(row_count=10, title="a" * 24), button_menu(title="a" * 20, count=3)])
async def test_a_menu_at_metas_limits_is_accepted(bench: Any, menu: dict[str, Any]) -> None:
    await bench.write()
    assert (await bench.send(type="interactive", interactive=menu))[0] == 200


async def test_a_reaction_lands_on_the_message(bench: Any) -> None:
    wamid = (await bench.write())["wamid"]
    await bench.send(type="reaction", reaction={"message_id": wamid, "emoji": "👍"})
    assert (await bench.conversation())[0]["reactions"] == {"from_business": "👍"}


async def test_reading_turns_the_ticks_blue_and_shows_typing_until_the_reply(bench: Any) -> None:
    wamid = (await bench.write())["wamid"]
    body = {"messaging_product": "whatsapp", "status": "read", "message_id": wamid}
    status, answer = await bench.graph(
        "POST", "1000000001/messages", json={**body, "typing_indicator": {"type": "text"}}
    )
    assert (status, answer) == (200, {"success": True})
    assert "read" in (await bench.conversation())[0]["receipts"]
    assert bench.exchange.world.typing_left_s("ana", "1000000001") == 25
    await bench.send_text()
    assert bench.exchange.world.typing_left_s("ana", "1000000001") == 0


async def test_typing_ends_by_itself_after_25_seconds(bench: Any) -> None:
    bench.exchange.world.start_typing("ana", "1000000001")
    bench.clock.now_s += 25
    assert bench.exchange.world.typing_left_s("ana", "1000000001") == 0


async def test_only_messages_of_people_can_be_marked_read(bench: Any) -> None:
    body = {"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.unknown"}
    assert code_of(await bench.graph("POST", "1000000001/messages", json=body)) == 131009


async def test_a_voice_note_that_conforms_is_delivered_as_one(bench: Any, note: bytes) -> None:
    await bench.write()
    _, media = await bench.upload(note)
    await bench.send(type="audio", audio={"id": media["id"], "voice": True}, biz_opaque_callback_data="turn-1")
    message = (await bench.conversation())[1]
    assert message["shown_as"] == "voice_note"
    assert message["callback_data"] == "turn-1"
    assert message["media"]["bytes"] == len(note)
    assert message["media"]["audio"]["duration_s"] == pytest.approx(0.4, abs=0.05)
    assert list(message["receipts"]) == ["sent", "delivered"]


async def test_audio_without_voice_true_is_shown_as_a_file(bench: Any, note: bytes) -> None:
    await bench.write()
    _, media = await bench.upload(note)
    await bench.send(type="audio", audio={"id": media["id"]})
    assert (await bench.conversation())[1]["shown_as"] == "audio_file"


async def test_a_note_above_512_000_bytes_is_shown_as_a_download(bench: Any, note: bytes) -> None:
    await bench.write()
    _, media = await bench.upload(note + b"\0" * 512_000)
    await bench.send(type="audio", audio={"id": media["id"], "voice": True})
    assert (await bench.conversation())[1]["shown_as"] == "download"


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "audio/opus"},
        {"kind": "audio/ogg"},
        {"part_mime": "application/octet-stream"},
        {"part_mime": "audio/opus"},
    ],
)
async def test_an_upload_of_another_mime_type_is_refused(bench: Any, note: bytes, change: dict[str, Any]) -> None:
    assert code_of(await bench.upload(note, **change)) == 100


async def test_an_upload_without_messaging_product_is_refused(bench: Any, note: bytes) -> None:
    assert code_of(await bench.upload(note, product=None)) == 131008


async def test_an_upload_that_is_no_form_is_refused(bench: Any) -> None:
    assert code_of(await bench.graph("POST", "1000000001/media", json={})) == 100


async def test_an_upload_above_16_megabytes_is_refused(bench: Any) -> None:
    assert code_of(await bench.upload(b"\0" * (16 * 1024 * 1024 + 1))) == 100


async def test_a_wrong_file_name_fails_only_later_with_131053(bench: Any, note: bytes) -> None:
    await bench.write()
    _, media = await bench.upload(note, filename="note.opus")
    status, _ = await bench.send(type="audio", audio={"id": media["id"], "voice": True})
    await bench.settle()
    assert status == 200
    assert [(s["status"], s["errors"][0]["code"]) for s in bench.receiver.statuses()] == [("failed", 131053)]


async def test_bytes_that_are_no_opus_fail_only_later_with_131053(bench: Any) -> None:
    await bench.write()
    _, media = await bench.upload(b"RIFF, not really")
    await bench.send(type="audio", audio={"id": media["id"], "voice": True})
    assert (await bench.conversation())[1]["failure"]["code"] == 131053


async def test_a_media_id_of_another_number_is_a_missing_object(bench: Any, note: bytes) -> None:
    await bench.write(phone_number_id="1000000002", text="oi")
    _, media = await bench.upload(note)
    body = {
        "messaging_product": "whatsapp",
        "to": "5511987654321",
        "type": "audio",
        "audio": {"id": media["id"], "voice": True},
    }
    assert code_of(await bench.graph("POST", "1000000002/messages", json=body)) == 100


async def test_media_is_fetched_in_two_hops_with_the_token_both_times(bench: Any, note: bytes) -> None:
    _, media = await bench.upload(note)
    _, found = await bench.graph("GET", media["id"])
    async with bench.client.session.get(found["url"]) as refused:
        assert refused.status == 401
    async with bench.client.session.get(found["url"], headers={"Authorization": "Bearer emulated-token"}) as answer:
        assert (answer.status, await answer.read()) == (200, note)
    assert found["file_size"] == len(note)


async def test_a_media_url_needs_a_user_agent(bench: Any, note: bytes) -> None:
    _, media = await bench.upload(note)
    _, found = await bench.graph("GET", media["id"])
    async with (
        aiohttp.ClientSession(skip_auto_headers=["User-Agent"]) as session,
        session.get(found["url"], headers={"Authorization": "Bearer emulated-token"}) as answer,
    ):
        assert answer.status == 400


async def test_a_media_url_dies_after_five_minutes(bench: Any, note: bytes) -> None:
    _, media = await bench.upload(note)
    _, found = await bench.graph("GET", media["id"])
    bench.clock.now_s += 301
    async with bench.client.session.get(found["url"], headers={"Authorization": "Bearer emulated-token"}) as answer:
        assert answer.status == 404


async def test_a_media_url_cannot_be_prolonged(bench: Any, note: bytes) -> None:
    _, media = await bench.upload(note)
    _, found = await bench.graph("GET", media["id"])
    forged = found["url"].replace("expires=", "expires=9")
    async with bench.client.session.get(forged, headers={"Authorization": "Bearer emulated-token"}) as answer:
        assert answer.status == 403


async def test_uploaded_media_expires_after_30_days(bench: Any, note: bytes) -> None:
    _, media = await bench.upload(note)
    bench.clock.now_s += 30 * 86400
    assert code_of(await bench.graph("GET", media["id"])) == 100


async def test_deleted_media_is_gone(bench: Any, note: bytes) -> None:
    _, media = await bench.upload(note)
    assert await bench.graph("DELETE", media["id"]) == (200, {"success": True})
    assert code_of(await bench.graph("GET", media["id"])) == 100
