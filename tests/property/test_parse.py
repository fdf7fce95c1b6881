"""Whatever arrives, the parser answers with values or with BadWebhook; and loses no neighbour."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from webhooks.messages import InboundMessage
from webhooks.whatsapp.parse import Parsed, parse_webhook
from webhooks.whatsapp.refusals import BadWebhook
from webhooks.whatsapp.signature import verify_signature

BODIES = [path.read_bytes() for path in sorted((Path(__file__).parents[1] / "fixtures" / "whatsapp").glob("*.json"))]
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
