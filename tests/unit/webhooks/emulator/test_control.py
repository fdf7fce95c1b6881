"""Whatever a hand can do on the phone, the JSON API can do for a test."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from typing import Any

import aiohttp
import pytest

API = "/emulator/api"


async def speak(bench: Any, data: bytes, person: str = "ana", **fields: str) -> Any:
    form = aiohttp.FormData(fields)
    form.add_field("file", data, filename="take.webm", content_type="audio/webm")
    return await bench.client.post(f"{API}/people/{person}/voice", data=form)


async def test_a_message_of_a_person_with_a_number_names_it_everywhere(bench: Any) -> None:
    await bench.write(text="oi")
    await bench.settle()
    (value,) = bench.receiver.values()
    assert value["metadata"] == {"display_phone_number": "551140001001", "phone_number_id": "1000000001"}
    assert value["contacts"] == [
        {"profile": {"name": "Ana Beatriz"}, "user_id": "BR.1349001122334455", "wa_id": "5511987654321"}
    ]
    message = value["messages"][0]
    assert (message["from"], message["from_user_id"]) == ("5511987654321", "BR.1349001122334455")
    assert (message["type"], message["text"], message["timestamp"]) == ("text", {"body": "oi"}, "1800000000")


async def test_a_person_without_a_number_is_known_by_user_id_only(bench: Any) -> None:
    await bench.write("duda", text="oi")
    await bench.settle()
    (value,) = bench.receiver.values()
    assert "from" not in value["messages"][0]
    assert value["messages"][0]["from_user_id"] == "BR.1349001122334488"
    assert value["contacts"] == [
        {"profile": {"name": "Duda", "username": "duda.ventura"}, "user_id": "BR.1349001122334488"}
    ]


async def test_a_reply_carries_its_context(bench: Any) -> None:
    first = await bench.write()
    await bench.write(text="e isto", reply_to=first["wamid"])
    await bench.settle()
    contexts = [message.get("context") for message in bench.receiver.messages()]
    assert {"from": "551140001001", "id": first["wamid"]} in contexts


async def test_any_type_can_be_sent_with_its_own_node(bench: Any) -> None:
    node = {"latitude": -23.55, "longitude": -46.63}
    await bench.write(type="location", node=node)
    await bench.settle()
    assert bench.receiver.messages()[0]["location"] == node


async def test_a_type_without_a_node_is_sent_without_one(bench: Any) -> None:
    await bench.write(type="request_welcome")
    await bench.settle()
    assert "request_welcome" not in bench.receiver.messages()[0]


async def test_a_file_is_stored_and_named_in_the_node(bench: Any) -> None:
    sent = await bench.write(
        type="image",
        node={"caption": "olha"},
        media_base64=base64.b64encode(b"pixels").decode(),
        mime_type="image/jpeg",
    )
    assert sent["node"]["caption"] == "olha"
    assert sent["node"]["sha256"] == base64.b64encode(hashlib.sha256(b"pixels").digest()).decode()
    async with bench.client.session.get(
        sent["node"]["url"], headers={"Authorization": "Bearer emulated-token"}
    ) as file:
        assert await file.read() == b"pixels"


async def test_a_recording_becomes_an_ogg_opus_voice_note(bench: Any, recording: bytes) -> None:
    answer = await speak(bench, recording)
    assert answer.status == 202
    sent = await answer.json()
    assert (sent["node"]["voice"], sent["node"]["mime_type"]) == (True, "audio/ogg; codecs=opus")
    audio = sent["media"]["audio"]
    assert (audio["container"], audio["codec"], audio["channels"], audio["problem"]) == ("ogg", "opus", 1, None)


async def test_bytes_that_are_no_recording_are_refused_with_a_reason(bench: Any) -> None:
    answer = await speak(bench, b"not audio")
    assert answer.status == 400
    assert "recording" in (await answer.json())["error"]


async def test_a_reaction_of_a_person_is_sent_and_shown(bench: Any) -> None:
    wamid = (await bench.write())["wamid"]
    await bench.write(type="reaction", node={"message_id": wamid, "emoji": "❤️"})
    assert (await bench.conversation())[0]["reactions"] == {"from_person": "❤️"}


async def test_only_what_changed_since_a_revision_is_told(bench: Any) -> None:
    first = await bench.write()
    await bench.settle()
    seen = (await (await bench.client.get(f"{API}/conversations/ana/1000000001")).json())["revision"]
    second = await bench.write(text="mais")
    news = await (await bench.client.get(f"{API}/conversations/ana/1000000001?since={seen}")).json()
    assert [m["wamid"] for m in news["messages"]] == [second["wamid"]]
    assert first["wamid"] != second["wamid"]


async def test_waiting_ends_when_something_changes(bench: Any) -> None:
    waiting = asyncio.create_task(bench.client.get(f"{API}/conversations/ana/1000000001?wait_s=60"))
    await bench.write(text="cheguei")
    news = await (await waiting).json()
    assert [m["node"]["body"] for m in news["messages"]] == ["cheguei"]


async def test_waiting_in_vain_ends_empty(bench: Any) -> None:
    news = await (await bench.client.get(f"{API}/conversations/ana/1000000001?wait_s=0.01")).json()
    assert news["messages"] == []


async def test_reading_the_chat_sends_one_read_receipt_a_message(bench: Any) -> None:
    await bench.write()
    await bench.send_text()
    for _ in range(2):
        await bench.client.post(f"{API}/conversations/ana/1000000001/read")
    await bench.settle()
    assert [s["status"] for s in bench.receiver.statuses()].count("read") == 1


async def test_unread_messages_are_counted_per_person(bench: Any) -> None:
    await bench.write()
    await bench.send_text()
    state = await (await bench.client.get(f"{API}/state")).json()
    assert {person["id"]: person["unread"] for person in state["people"]}["ana"] == 1


async def test_playing_a_voice_note_sends_played(bench: Any, note: bytes) -> None:
    await bench.write()
    _, media = await bench.upload(note)
    _, sent = await bench.send(type="audio", audio={"id": media["id"], "voice": True})
    await bench.client.post(f"{API}/messages/{sent['messages'][0]['id']}/receipts", json={"status": "played"})
    await bench.settle()
    assert "played" in [s["status"] for s in bench.receiver.statuses()]


async def test_a_text_cannot_be_played(bench: Any) -> None:
    await bench.write()
    _, sent = await bench.send_text()
    answer = await bench.client.post(f"{API}/messages/{sent['messages'][0]['id']}/receipts", json={"status": "played"})
    assert answer.status == 409


async def test_a_failure_by_hand_carries_its_code(bench: Any) -> None:
    await bench.write()
    _, sent = await bench.send_text()
    body = {"status": "failed", "code": 131049, "details": "by hand"}
    await bench.client.post(f"{API}/messages/{sent['messages'][0]['id']}/receipts", json=body)
    await bench.settle()
    failed = next(s for s in bench.receiver.statuses() if s["status"] == "failed")
    assert (failed["errors"][0]["code"], failed["errors"][0]["error_data"]["details"]) == (131049, "by hand")


async def test_a_new_person_can_write_at_once(bench: Any) -> None:
    answer = await bench.client.post(f"{API}/people", json={"name": "José Luís", "phone": "+351 912 345 678"})
    person = await answer.json()
    assert (answer.status, person["phone"]) == (201, "351912345678")
    assert (await bench.write(person["id"], text="olá"))["person_id"] == person["id"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "Z"}, 400),
        ({"name": "Z", "phone": "12"}, 400),
        ({"name": "Z", "phone": "5511987654321"}, 409),
        ({"name": ""}, 422),
        ({"name": "Z", "username": "Não pode"}, 422),
    ],
)
async def test_a_person_who_cannot_be_is_refused(bench: Any, body: dict[str, Any], status: int) -> None:
    assert (await bench.client.post(f"{API}/people", json=body)).status == status


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/people/nobody/messages", {"text": "oi"}, 404),
        ("/people/ana/messages", {"text": "oi", "phone_number_id": "9"}, 404),
        ("/people/ana/messages", {"txt": "oi"}, 422),
        ("/people/ana/messages", {}, 400),
        ("/people/ana/messages", {"type": "image", "media_base64": "%%%"}, 400),
        ("/people/ana/messages", {"type": "reaction"}, 400),
        ("/messages/wamid.unknown/receipts", {"status": "read"}, 404),
        ("/messages/wamid.unknown/receipts", {"status": "admired"}, 400),
    ],
)
async def test_a_request_that_makes_no_sense_is_refused(
    bench: Any, path: str, body: dict[str, Any], status: int
) -> None:
    assert (await bench.client.post(API + path, json=body)).status == status


async def test_a_file_is_served_by_range_for_seeking(bench: Any, note: bytes) -> None:
    _, media = await bench.upload(note)
    answer = await bench.client.get(f"{API}/media/{media['id']}", headers={"Range": "bytes=4-7"})
    assert (answer.status, await answer.read()) == (206, note[4:8])
    assert answer.headers["Content-Range"] == f"bytes 4-7/{len(note)}"


async def test_a_range_beyond_the_end_is_refused(bench: Any, note: bytes) -> None:
    _, media = await bench.upload(note)
    answer = await bench.client.get(f"{API}/media/{media['id']}", headers={"Range": "bytes=999999-"})
    assert answer.status == 416


async def test_an_uploaded_page_is_never_shown_as_one(bench: Any) -> None:
    sent = await bench.write(
        type="document", media_base64=base64.b64encode(b"<script>").decode(), mime_type="text/html"
    )
    answer = await bench.client.get(f"{API}/media/{sent['media']['id']}")
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"] == "attachment"


async def test_another_site_cannot_write_through_a_browser(bench: Any) -> None:
    answer = await bench.client.post(f"{API}/raw", data=b"{}", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status == 403
