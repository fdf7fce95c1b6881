from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from webhooks.messages import (
    AccountAlert,
    ChannelFault,
    HumanEcho,
    InboundMessage,
    MarketingChoice,
    MediaRef,
    MessageKind,
    Person,
    StatusKind,
    StatusUpdate,
    Update,
)
from webhooks.whatsapp import wire
from webhooks.whatsapp.parse import RejectReason, parse_webhook
from webhooks.whatsapp.refusals import BadWebhook

FIXTURES = Path(__file__).parents[3] / "fixtures" / "whatsapp"
EMPTY_SHA256 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
ANA = Person(phone="5511987654321", user_id="BR.13491208655302741918", profile_name="Ana Clara Souza 🌻")


def body_of(name: str) -> bytes:
    return (FIXTURES / f"{name}.json").read_bytes()


def only(name: str) -> Update:
    parsed = parse_webhook(body_of(name))
    assert parsed.rejected == ()
    (update,) = parsed.updates
    return update


def only_message(name: str) -> InboundMessage:
    update = only(name)
    assert isinstance(update, InboundMessage)
    return update


def message_body(**message: Any) -> bytes:
    message = {"from": "5511987654321", "id": "wamid.1", "timestamp": "1763715600", "type": "text"} | message
    return value_body(messages=[message])


def value_body(field: str = "messages", **value: Any) -> bytes:
    value = {"metadata": {"phone_number_id": "1065"}} | value
    changes = [{"field": field, "value": value}]
    return json.dumps({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": changes}]}).encode()


def media(number: int, mime_type: str, **more: Any) -> MediaRef:
    return MediaRef(media_id=f"13610457550463{number:02d}", mime_type=mime_type, sha256_base64=EMPTY_SHA256, **more)


SAID: dict[str, tuple[MessageKind, dict[str, Any]]] = {
    "text": (MessageKind.TEXT, {"text": "Olá! Vocês abrem no sábado? 😊"}),
    "text_quoted_forwarded": (
        MessageKind.TEXT,
        {"text": "E isto?", "quoted_id": "wamid.OUTBOUND0001", "forwarded": True},
    ),
    "text_referral": (MessageKind.TEXT, {"text": "Vi o anúncio"}),
    "audio_voice": (
        MessageKind.AUDIO,
        {
            "media": media(
                1,
                "audio/ogg; codecs=opus",
                voice=True,
                url="https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1361045755046301",
            )
        },
    ),
    "audio_file": (MessageKind.AUDIO, {"media": media(2, "audio/mpeg")}),
    "voice_legacy": (MessageKind.AUDIO, {"media": media(3, "audio/ogg; codecs=opus", voice=True), "raw_type": "voice"}),
    "image": (MessageKind.IMAGE, {"text": "Serve este modelo?", "media": media(4, "image/jpeg")}),
    "video": (MessageKind.VIDEO, {"text": "O barulho é este", "media": media(5, "video/mp4")}),
    "document": (MessageKind.DOCUMENT, {"media": media(6, "application/pdf", filename="orçamento.pdf")}),
    "sticker": (MessageKind.STICKER, {"media": media(7, "image/webp")}),
    "location": (MessageKind.LOCATION, {}),
    "contacts": (MessageKind.CONTACTS, {}),
    "interactive_button": (MessageKind.INTERACTIVE, {"text": "Confirmar", "payload": "confirm"}),
    "interactive_list": (MessageKind.INTERACTIVE, {"text": "Lia", "payload": "persona:lia"}),
    "interactive_form": (
        MessageKind.INTERACTIVE,
        {"text": "Enviado", "payload": '{"flow_token":"t1","date":"2026-11-28"}'},
    ),
    "interactive_unknown": (MessageKind.UNSUPPORTED, {"raw_type": "interactive.call_permission_reply"}),
    "button": (
        MessageKind.BUTTON,
        {"text": "Quero saber mais", "payload": "MORE", "quoted_id": "wamid.OUTBOUND0002"},
    ),
    "reaction": (MessageKind.REACTION, {"text": "❤️", "target_id": "wamid.OUTBOUND0003"}),
    "reaction_removed": (MessageKind.REACTION, {"target_id": "wamid.OUTBOUND0003"}),
    "order": (MessageKind.ORDER, {"text": "Entregam hoje?"}),
    "system": (MessageKind.SYSTEM, {"sender": Person(phone=ANA.phone, user_id=ANA.user_id)}),
    "request_welcome": (MessageKind.REQUEST_WELCOME, {}),
    "unsupported": (
        MessageKind.UNSUPPORTED,
        {
            "faults": (
                ChannelFault(
                    code=131051, title="Message type unknown", details="Message type is currently not supported."
                ),
            )
        },
    ),
    "type_of_tomorrow": (MessageKind.UNSUPPORTED, {"raw_type": "hologram"}),
    "edit": (MessageKind.EDIT, {"text": "Quis dizer domingo", "target_id": "wamid.ORIGINAL0001"}),
    "edit_caption": (MessageKind.EDIT, {"text": "Agora sim", "target_id": "wamid.ORIGINAL0002"}),
    "revoke": (MessageKind.REVOKE, {"target_id": "wamid.ORIGINAL0003"}),
}


@pytest.mark.parametrize("name", SAID)
def test_every_type_of_message_is_read_whole(name: str) -> None:
    kind, more = SAID[name]
    raw = json.loads(body_of(name))["entry"][0]["changes"][0]["value"]["messages"][0]
    expected: dict[str, Any] = {
        "channel": "whatsapp",
        "endpoint_id": "106540352242922",
        "message_id": raw["id"],
        "sender": ANA,
        "at_ms": int(raw["timestamp"]) * 1000,
        "kind": kind,
        "raw_type": raw["type"],
    }
    assert only_message(name) == InboundMessage(**(expected | more))


@pytest.mark.parametrize("kind", list(StatusKind))
def test_every_status_is_read_with_its_callback_data(kind: StatusKind) -> None:
    update = only(f"status_{kind}")
    assert isinstance(update, StatusUpdate)
    assert update.status is kind
    assert update.callback_data == "turn-7:0:1"
    assert update.recipient == Person(phone=ANA.phone, user_id=ANA.user_id)
    assert update.at_ms == 1763715700_000


def test_a_failed_status_says_why() -> None:
    update = only("status_failed")
    assert isinstance(update, StatusUpdate)
    assert update.faults == (
        ChannelFault(
            code=131053,
            title="Media upload error",
            details="Unsupported Audio mime type application/octet-stream.",
        ),
    )


def test_a_status_nobody_knows_is_counted() -> None:
    parsed = parse_webhook(body_of("status_of_tomorrow"))
    assert parsed.updates == ()
    assert [rejected.reason for rejected in parsed.rejected] == [RejectReason.UNKNOWN_STATUS]


def test_a_status_without_a_recipient_still_counts_for_its_send() -> None:
    status = {"id": "wamid.9", "status": "sent", "timestamp": 1763715600, "biz_opaque_callback_data": "t:0:1"}
    (update,) = parse_webhook(value_body(statuses=[status])).updates
    assert isinstance(update, StatusUpdate)
    assert (update.callback_data, update.recipient) == ("t:0:1", Person())


def test_errors_without_a_message_are_an_alert() -> None:
    update = only("account_error")
    assert isinstance(update, AccountAlert)
    assert [fault.code for fault in update.faults] == [130429]


def test_a_colleagues_message_is_an_echo_and_never_inbound() -> None:
    update = only("echo")
    assert isinstance(update, HumanEcho)
    assert (update.recipient, update.at_ms) == (Person(phone="5511987654321"), 1763715800_000)


def test_other_fields_are_counted_and_left_alone() -> None:
    parsed = parse_webhook(body_of("other_field"))
    assert parsed.updates == ()
    assert [(item.reason, item.detail) for item in parsed.rejected] == [
        (RejectReason.UNKNOWN_FIELD, "field_of_tomorrow")
    ]


@pytest.mark.parametrize("name", ["template_status", "group_lifecycle", "call_ringing", "call_taken", "call_status"])
def test_fields_of_templates_groups_and_calls_are_known_and_left_alone(name: str) -> None:
    parsed = parse_webhook(body_of(name))
    assert (parsed.updates, parsed.rejected) == ((), ())


def test_a_call_that_nobody_took_is_a_message() -> None:
    message = only_message("call_missed")
    assert (message.kind, message.message_id, message.sender.phone) == (MessageKind.CALL, "wacid.1", "5511987654321")


def test_a_call_of_ours_is_no_message() -> None:
    call = {"id": "c", "from": "1", "timestamp": 1763715600, "event": "terminate", "direction": "BUSINESS_INITIATED"}
    assert parse_webhook(value_body(field="calls", calls=[call])).updates == ()


@pytest.mark.parametrize(("value", "wanted"), [("stop", False), ("resume", True)])
def test_a_choice_about_marketing_is_its_persons(value: str, wanted: bool) -> None:  # noqa: FBT001 - a case
    (choice,) = parse_webhook(body_of("marketing_stop").replace(b'"stop"', f'"{value}"'.encode())).updates
    assert isinstance(choice, MarketingChoice)
    assert (choice.person.phone, choice.wanted, choice.at_ms) == ("5511987654321", wanted, 1763715600_000)


def test_what_is_said_in_a_group_says_so() -> None:
    assert only_message("group_text").group_id == "Y2FwaV9ncm91cDoxMjM0NTY3ODkw"


def test_a_colleagues_message_in_a_group_takes_no_conversation_over() -> None:
    echo = {"id": "e", "timestamp": 1763715600, "to": "5511987654321", "group_id": "g"}
    parsed = parse_webhook(value_body(field="smb_message_echoes", message_echoes=[echo]))
    assert parsed.updates == ()
    assert [item.reason for item in parsed.rejected] == [RejectReason.GROUP]


@pytest.mark.parametrize(
    ("name", "kind", "code"),
    [
        ("image_unavailable", MessageKind.IMAGE, 131052),
        ("audio_unavailable", MessageKind.AUDIO, 131052),
        ("document_without_id", MessageKind.DOCUMENT, None),
        ("button_without_text", MessageKind.BUTTON, None),
        ("interactive_without_node", MessageKind.INTERACTIVE, None),
    ],
)
def test_a_message_without_its_content_keeps_kind_and_error(name: str, kind: MessageKind, code: int | None) -> None:
    message = only_message(name)
    assert (message.kind, message.media) == (kind, None)
    assert [fault.code for fault in message.faults] == ([code] if code else [])


def test_the_caption_of_media_without_an_id_is_kept() -> None:
    assert only_message("document_without_id").text == "a conta de luz"


@pytest.mark.parametrize("kind", sorted(wire.MESSAGE_SHAPES))
@pytest.mark.parametrize("content", [None, 7, "x", [], {}, {"id": None}, {"type": []}, {"body": {}}, {"text": 3.5}])
def test_a_known_type_with_unreadable_content_is_still_a_message_of_its_kind(kind: str, content: object) -> None:
    (message,) = parse_webhook(message_body(type=kind, **{kind: content})).updates
    assert isinstance(message, InboundMessage)
    assert message.kind is (MessageKind.AUDIO if kind == "voice" else MessageKind(kind))


@pytest.mark.parametrize("name", ["person_without_phone", "person_with_empty_phone"])
def test_a_person_without_a_phone_number_is_known_by_user_id(name: str) -> None:
    assert only_message(name).sender == Person(phone=None, user_id="PT.7781208655302741918", profile_name="Rui")


def test_a_user_id_in_place_of_the_number_is_taken_as_such() -> None:
    (update,) = parse_webhook(message_body(**{"from": "US.13491208655302741918"}, text={"body": "Hi"})).updates
    assert isinstance(update, InboundMessage)
    assert update.sender == Person(user_id="US.13491208655302741918")


def test_a_message_from_nobody_is_rejected() -> None:
    parsed = parse_webhook(message_body(**{"from": "", "text": {"body": "Hi"}}))
    assert [item.reason for item in parsed.rejected] == [RejectReason.NO_PERSON]


def test_a_lone_contact_goes_with_a_lone_message_though_the_numbers_differ() -> None:
    message = {"from": "5511987654321", "id": "w", "timestamp": "1763715600", "type": "text", "text": {"body": "Oi"}}
    contact = {"wa_id": "551187654321", "user_id": "BR.1", "profile": {"name": "Ana"}}
    (update,) = parse_webhook(value_body(messages=[message], contacts=[contact])).updates
    assert isinstance(update, InboundMessage)
    assert update.sender == Person(phone="5511987654321", user_id="BR.1", profile_name="Ana")


def test_two_people_in_one_value_are_never_taken_for_one() -> None:
    messages = [
        {"from": phone, "id": phone, "timestamp": "1763715600", "type": "text", "text": {"body": "Oi"}}
        for phone in ("5511911111111", "5511922222222")
    ]
    contact = {"wa_id": "5511911111111", "user_id": "BR.1", "profile": {"name": "Ana"}}
    updates = parse_webhook(value_body(messages=messages, contacts=[contact])).updates
    assert [update.sender for update in updates if isinstance(update, InboundMessage)] == [
        Person(phone="5511911111111", user_id="BR.1", profile_name="Ana"),
        Person(phone="5511922222222"),
    ]


@pytest.mark.parametrize("timestamp", ["1763715631", 1763715631, 1763715631.0, "1763715631000", 1763715631000])
def test_timestamps_come_in_seconds_or_milliseconds_as_text_or_number(timestamp: object) -> None:
    (update,) = parse_webhook(message_body(timestamp=timestamp, text={"body": "Oi"})).updates
    assert isinstance(update, InboundMessage)
    assert update.at_ms == 1763715631_000


def test_milliseconds_keep_their_fraction_of_a_second() -> None:
    assert only_message("timestamp_ms").at_ms == 1763715631250


@pytest.mark.parametrize("timestamp", ["", "soon", "-5", 0, True, None, "9" * 400, 1e30, [], "١٢٣"])
def test_a_message_without_a_time_is_rejected(timestamp: object) -> None:
    parsed = parse_webhook(message_body(timestamp=timestamp, text={"body": "Oi"}))
    assert [(item.path, item.reason) for item in parsed.rejected] == [
        ("entry[0].changes[0].value.messages[0]", RejectReason.INVALID)
    ]


def test_a_broken_item_costs_no_neighbour() -> None:
    parsed = parse_webhook(body_of("batch"))
    kept = [
        (update.endpoint_id, update.message_id[-4:])
        for update in parsed.updates
        if isinstance(update, InboundMessage | StatusUpdate)
    ]
    assert kept == [
        ("106540352242922", "0040"),
        ("106540352242922", "0041"),  # without its words: somebody wrote
        ("106540352242922", "0042"),
        ("106540352242922", "0005"),
        ("206540352242922", "0043"),
    ]
    assert sorted((item.path, item.reason) for item in parsed.rejected) == [
        ("entry[0].changes[0].value.messages[1]", RejectReason.INVALID),
        ("entry[0].changes[0].value.messages[2]", RejectReason.INVALID),
        ("entry[0].changes[1].value", RejectReason.INVALID),
        ("entry[0].changes[2].value.statuses[0]", RejectReason.INVALID),
        ("entry[1]", RejectReason.INVALID),
        ("entry[2].changes[0].value.messages[1]", RejectReason.INVALID),
        ("entry[2].changes[0].value.messages[2]", RejectReason.NO_PERSON),
    ]


def test_a_rejection_names_the_fields_at_fault_and_not_their_values() -> None:
    parsed = parse_webhook(message_body(text={"body": {"secret": "5511987654321"}}))
    assert [item.detail for item in parsed.rejected] == ["text.body: string_type"]


def test_a_thousand_updates_in_one_webhook_all_arrive() -> None:
    statuses = [{"id": f"w{n}", "status": "read", "timestamp": "1763715600", "recipient_id": "1"} for n in range(1000)]
    assert len(parse_webhook(value_body(statuses=statuses)).updates) == 1000


def test_the_same_message_read_twice_is_the_same_value() -> None:
    assert parse_webhook(body_of("text")) == parse_webhook(body_of("text"))


def test_escaped_and_plain_text_mean_the_same() -> None:
    plain = json.dumps(json.loads(body_of("text")), ensure_ascii=False).encode()
    assert parse_webhook(plain) == parse_webhook(body_of("text"))


def test_half_an_emoji_costs_one_character_and_not_the_webhook() -> None:
    broken = body_of("text").replace(rb"\ud83d\ude0a", rb"\ud83d")
    (update,) = parse_webhook(broken).updates
    assert isinstance(update, InboundMessage)
    assert update.text == "Olá! Vocês abrem no sábado? ?"


def test_bytes_outside_utf8_cost_their_characters_and_not_the_webhook() -> None:
    (update,) = parse_webhook(message_body(text={"body": "a@b"}).replace(b"@", b"\xff")).updates
    assert isinstance(update, InboundMessage)
    assert update.text == "a�b"


@pytest.mark.parametrize("node", ["context", "errors", "referral", "from_user_id"])
def test_what_only_adorns_a_message_may_be_broken(node: str) -> None:
    parsed = parse_webhook(message_body(text={"body": "Oi"}, **{node: {"id": ["x"]}}))
    assert parsed.rejected == ()
    assert len(parsed.updates) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b"null",
        b"{}",
        b'{"object":"page","entry":[]}',
        b'{"object":"whatsapp_business_account"}',
        b'{"object":"whatsapp_business_account","entry":{}}',
        b'{"object":"whatsapp_business_account","entry":[NaN]}',
        b"[" * 100_000,
        b'{"object":"whatsapp_business_account","entry":' + b"9" * 10_000 + b"}",
    ],
)
def test_only_what_is_no_envelope_at_all_is_refused(body: bytes) -> None:
    with pytest.raises(BadWebhook) as refused:
        parse_webhook(body)
    assert refused.value.status == 400
