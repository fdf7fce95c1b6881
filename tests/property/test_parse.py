"""Whatever arrives, the parser answers with values or with BadWebhook; and loses no neighbour."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhooks.messages import InboundMessage
from webhooks.whatsapp.parse import Parsed, parse_webhook
from webhooks.whatsapp.refusals import BadWebhook
from webhooks.whatsapp.signature import verify_signature

FIXTURES = Path(__file__).parents[1] / "fixtures" / "whatsapp"
NAMES = sorted(path.stem for path in FIXTURES.glob("*.json"))
BODIES = [(FIXTURES / f"{name}.json").read_bytes() for name in NAMES]
NAME = re.compile(rb'"(\w+)":')
KEYS = st.sampled_from(sorted({name.decode() for body in BODIES for name in NAME.findall(body)}))
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(["text", "audio", "voice", "interactive", "edit", "1763715600", "wamid.1", "failed"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(max_size=5), inner, max_size=6),
    max_leaves=25,
)


def body_of(name: str) -> bytes:
    return (FIXTURES / f"{name}.json").read_bytes()


def parse(body: bytes) -> Parsed | None:
    try:
        return parse_webhook(body)
    except BadWebhook:
        return None


def places(node: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) below `node`."""
    keys: Iterable[Any] = node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    pairs = [(node, key) for key in keys]
    return pairs + [place for container, key in pairs for place in places(container[key])]


@given(st.binary())
def test_arbitrary_bytes_never_raise(body: bytes) -> None:
    assert parse(body) is None or body


@given(JSON)
def test_arbitrary_json_in_an_envelope_never_raises(value: Any) -> None:
    body = {"object": "whatsapp_business_account", "entry": [{"changes": [{"field": "messages", "value": value}]}]}
    assert isinstance(parse_webhook(json.dumps(body).encode()), Parsed)


@given(st.sampled_from(BODIES), st.data())
def test_a_known_webhook_with_one_node_replaced_never_raises(body: bytes, data: st.DataObject) -> None:
    document = json.loads(body)
    container, key = data.draw(st.sampled_from(places(document)))
    container[key] = data.draw(JSON)
    parsed = parse(json.dumps(document).encode())
    assert parsed is None or isinstance(parsed, Parsed)


@given(st.sampled_from(BODIES), st.data())
def test_a_known_webhook_with_a_few_bytes_changed_never_raises(body: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(body)))
    torn = body[:at] + data.draw(st.binary(max_size=4)) + body[at + data.draw(st.integers(0, 4)) :]
    parsed = parse(torn)
    assert parsed is None or isinstance(parsed, Parsed)


@given(st.lists(JSON, max_size=4), st.lists(JSON, max_size=4))
def test_a_good_message_survives_any_neighbours(before: list[Any], after: list[Any]) -> None:
    good = {"from": "551199", "id": "good", "timestamp": "1763715600", "type": "text", "text": {"body": "Oi"}}
    value = {"metadata": {"phone_number_id": "1"}, "messages": [*before, good, *after]}
    body = {"object": "whatsapp_business_account", "entry": [{"changes": [{"field": "messages", "value": value}]}]}
    parsed = parse(json.dumps(body).encode())
    found = [item for item in parsed.updates if isinstance(item, InboundMessage)] if parsed else []
    assert ("good", "Oi") in [(item.message_id, item.text) for item in found]


@given(st.binary(), st.text(), st.lists(st.text(max_size=8), max_size=3))
def test_no_header_makes_the_signature_check_raise(body: bytes, header: str, secrets: list[str]) -> None:
    assert verify_signature(body, header, secrets) is False


# -- one child of a message is broken ---------------------------------------------------------------------------------

GONE = object()
ODD = (GONE, None, "", "x", 7, True, [], {}, [None], {"body": 1})
NEEDED = frozenset({"id", "timestamp"})
"""Without these a message cannot be told from its redelivery, or not be put in its order."""
OF_OUR_TYPES = [name for name in NAMES if name not in {"type_of_tomorrow", "interactive_unknown"}]


def values_in(document: Any) -> list[dict[str, Any]]:
    lists = [entry["changes"] for entry in document["entry"] if isinstance(entry, dict)]
    values = [change.get("value") for changes in lists for change in changes if isinstance(change, dict)]
    return [value for value in values if isinstance(value, dict)]


def messages_in(document: Any) -> list[Any]:
    lists = [value.get("messages") for value in values_in(document)]
    return [message for messages in lists if isinstance(messages, list) for message in messages]


def people_in(body: bytes) -> list[InboundMessage]:
    parsed = parse(body)
    assert parsed is not None
    return [update for update in parsed.updates if isinstance(update, InboundMessage)]


def broken(body: bytes, number: int) -> Iterator[tuple[str, bytes]]:
    """The webhook with one child of its n-th message gone or odd, for every child and every oddity, and its name."""
    for place in range(len(places(messages_in(json.loads(body))[number]))):
        for odd in ODD:
            document = json.loads(body)
            container, key = places(messages_in(document)[number])[place]
            top = container is messages_in(document)[number]
            if odd is not GONE:
                container[key] = odd
            elif isinstance(container, dict):
                del container[key]
            else:
                container.pop(key)
            yield (str(key) if top else f"inner {key}"), json.dumps(document).encode()


@pytest.mark.parametrize("name", OF_OUR_TYPES)
def test_a_message_keeps_its_kind_and_its_neighbours_whichever_one_child_is_broken(name: str) -> None:
    body = body_of(name)
    whole = people_in(body)
    # where several wrote, nobody but the message itself says whose it is
    needed = NEEDED | {"from"} if len(whole) > 1 else NEEDED
    for number, message in enumerate(messages_in(json.loads(body))):
        name = message.get("id") if isinstance(message, dict) else None
        place = next((at for at, one in enumerate(whole) if one.message_id == name), None)
        if place is None:
            continue
        for child, torn in broken(body, number):
            left = people_in(torn)
            if child in needed:
                ids = {one.message_id for one in left}
                assert all(one.message_id in ids for one in whole if one is not whole[place]), (child, torn)
                continue
            assert [one.message_id for one in left] == [one.message_id for one in whole], (child, torn)
            if child not in {"type", "inner type"}:
                assert left[place].kind is whole[place].kind, (child, torn)
            others = [(one, two) for at, (one, two) in enumerate(zip(left, whole, strict=True)) if at != place]
            assert all(one == two for one, two in others), (child, torn)


@pytest.mark.parametrize("beside", ["contacts", "metadata", "messaging_product"])
@pytest.mark.parametrize("name", [name for name in NAMES if name != "person_with_empty_phone"])  # the contact says who
def test_no_message_is_lost_for_what_stands_beside_it(name: str, beside: str) -> None:
    whole = people_in(body_of(name))
    for number in range(len(values_in(json.loads(body_of(name))))):
        for at in range(len(places({beside: values_in(json.loads(body_of(name)))[number].get(beside)}))):
            for odd in ODD[1:]:
                document = json.loads(body_of(name))
                value = values_in(document)[number]
                around = {beside: value.get(beside)}
                container, key = places(around)[at]
                container[key] = odd
                value[beside] = around[beside]
                left = people_in(json.dumps(document).encode())
                assert [(one.message_id, one.kind) for one in left] == [(one.message_id, one.kind) for one in whole]


@pytest.mark.parametrize("name", ["text", "audio_voice", "image", "button", "interactive_list", "location", "order"])
@pytest.mark.parametrize("odd", [GONE, None, 7, {}])
def test_a_message_that_does_not_say_its_type_has_the_type_of_its_node(name: str, odd: object) -> None:
    document = json.loads(body_of(name))
    (message,) = messages_in(document)
    message["type"] = odd
    if odd is GONE:
        del message["type"]
    (whole,), (left,) = people_in(body_of(name)), people_in(json.dumps(document).encode())
    assert (left.kind, left.text, left.media) == (whole.kind, whole.text, whole.media)


@pytest.mark.parametrize("odd", ["", "x", 7, True, [], {}, {"id": "1"}])
def test_whatever_names_a_group_a_message_is_not_a_private_one(odd: object) -> None:
    document = json.loads(body_of("group_text"))
    messages_in(document)[0]["group_id"] = odd
    (left,) = people_in(json.dumps(document).encode())
    assert left.group_id


@pytest.mark.parametrize("odd", [{"title": {}}, {"message": []}, {"error_data": 7}, {"error_data": {"details": {}}}])
def test_an_odd_word_of_an_error_costs_its_code_nothing(odd: dict[str, object]) -> None:
    document = json.loads(body_of("image_unavailable"))
    messages_in(document)[0]["errors"][0].update(odd)
    (left,) = people_in(json.dumps(document).encode())
    assert [fault.code for fault in left.faults] == [131052]
