from __future__ import annotations

import json

import httpx
import pytest

from webhooks.contract import (
    AccountBlocked,
    Ambiguous,
    ChannelError,
    MediaRefused,
    NotSent,
    Refused,
    Throttled,
    WindowClosed,
)
from webhooks.whatsapp.errors import classify


def graph(code: int, **more: object) -> bytes:
    error = {"message": "(#1) to 5511987654321", "type": "OAuthException", "code": code, **more}
    return json.dumps({"error": error}).encode()


CODES: list[tuple[int, type[ChannelError], float | None]] = [
    (131056, Throttled, 1),
    (130429, Throttled, None),
    (4, Throttled, 300),
    (80007, Throttled, 300),
    (131057, NotSent, 60),
    (1, NotSent, None),
    (2, NotSent, None),
    (131000, NotSent, None),
    (131016, NotSent, None),
    (131053, MediaRefused, None),
    (131047, WindowClosed, None),
    (131026, Refused, None),
    (131051, Refused, None),
    (131062, Refused, None),
    (100, Refused, None),
    (131009, Refused, None),
    (131048, AccountBlocked, None),
    (190, AccountBlocked, None),
    (0, AccountBlocked, None),
    (10, AccountBlocked, None),
    (200, AccountBlocked, None),
    (299, AccountBlocked, None),
    (368, AccountBlocked, None),
    (131031, AccountBlocked, None),
    (133010, AccountBlocked, None),
]


@pytest.mark.parametrize("http_status", [200, 400, 401, 429, 500, 503])
@pytest.mark.parametrize(("code", "error", "wait_s"), CODES)
def test_the_code_decides_whatever_the_status(
    http_status: int, code: int, error: type[ChannelError], wait_s: float | None
) -> None:
    found = classify(http_status, graph(code), httpx.Headers())
    assert (type(found), found.code, found.retry_after_s) == (error, code, wait_s)


def test_a_missing_object_is_missing_media() -> None:
    assert type(classify(400, graph(100, error_subcode=33), httpx.Headers())) is MediaRefused


@pytest.mark.parametrize(
    ("http_status", "more", "error"),
    [
        (400, {}, Refused),
        (400, {"is_transient": True}, NotSent),
        (500, {}, NotSent),
        (429, {}, Throttled),
    ],
)
def test_a_code_nobody_knows_is_definite_and_follows_the_status(
    http_status: int, more: dict[str, object], error: type[ChannelError]
) -> None:
    assert type(classify(http_status, graph(999_999, **more), httpx.Headers())) is error


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b"[]", b'{"error":"x"}', b'{"error":{"code":"x"}}', b"\xff"])
@pytest.mark.parametrize(
    ("http_status", "of_a_send", "of_the_repeatable"),
    [
        (200, Ambiguous, NotSent),
        (302, Ambiguous, NotSent),
        (500, Ambiguous, NotSent),
        (502, Ambiguous, NotSent),
        (504, Ambiguous, NotSent),
        (408, Ambiguous, NotSent),
        (400, Refused, Refused),
        (403, Refused, Refused),
        (413, Refused, Refused),
        (401, AccountBlocked, AccountBlocked),
        (429, Throttled, Throttled),
    ],
)
def test_without_a_graph_error_the_status_decides_and_only_a_send_is_ambiguous(
    body: bytes, http_status: int, of_a_send: type[ChannelError], of_the_repeatable: type[ChannelError]
) -> None:
    assert type(classify(http_status, body, httpx.Headers())) is of_a_send
    assert type(classify(http_status, body, httpx.Headers(), repeatable=True)) is of_the_repeatable


@pytest.mark.parametrize("code", [130429, 131056, 131057, 4])
def test_retry_after_wins_over_our_own_guess(code: int) -> None:
    assert classify(429, graph(code), httpx.Headers({"retry-after": "17"})).retry_after_s == 17


@pytest.mark.parametrize("value", ["", "soon", "-1", "Wed, 21 Oct 2026 07:28:00 GMT", "٣", "9" * 50])
def test_an_unreadable_retry_after_is_ignored(value: str) -> None:
    headers = httpx.Headers([(b"retry-after", value.encode())])
    assert classify(429, graph(130429), headers).retry_after_s is None


def test_an_exhausted_quota_waits_as_long_as_the_usage_header_says() -> None:
    usage = {"102290129340398": [{"type": "whatsapp", "call_count": 100, "estimated_time_to_regain_access": 19}]}
    headers = httpx.Headers({"x-business-use-case-usage": json.dumps(usage)})
    assert classify(400, graph(80007), headers).retry_after_s == 19 * 60


@pytest.mark.parametrize("value", ["", "{", "[]", '{"1": 2}', '{"1": [3]}', '{"1": []}', '{"1": [{}]}'])
def test_an_unreadable_usage_header_is_ignored(value: str) -> None:
    headers = httpx.Headers({"x-business-use-case-usage": value})
    assert classify(400, graph(80007), headers).retry_after_s == 300


def test_permanent_errors_ask_for_no_wait() -> None:
    assert classify(400, graph(131026), httpx.Headers({"retry-after": "17"})).retry_after_s is None


def test_the_apis_words_with_their_phone_numbers_stay_out_of_the_error() -> None:
    assert "5511987654321" not in str(classify(400, graph(131026), httpx.Headers()))
