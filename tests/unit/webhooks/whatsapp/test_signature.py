import hashlib
import hmac

import pytest

from webhooks.whatsapp.refusals import HandshakeRefused
from webhooks.whatsapp.signature import sign, verify_handshake, verify_signature

BODY = rb'{"text":"Ol\u00e1 \ud83d\ude0a"}'


def test_a_signature_is_the_hex_hmac_of_the_raw_bytes() -> None:
    assert sign(BODY, "s3cret") == "sha256=" + hmac.new(b"s3cret", BODY, hashlib.sha256).hexdigest()


@pytest.mark.parametrize("signer", ["old", "new"])
def test_both_secrets_are_valid_during_a_rotation(signer: str) -> None:
    assert verify_signature(BODY, sign(BODY, signer), ("new", "old"))


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "sha256=",
        "sha1=" + "0" * 40,
        "sha256=" + "0" * 64,
        sign(BODY, "secret")[7:],
        "sha256=ü" + "0" * 63,
        "sha256=\udcff" + "0" * 63,
        "sha256=\ud83d",
    ],
)
def test_any_other_header_is_wrong_and_never_an_error(header: str | None) -> None:
    assert not verify_signature(BODY, header, ("secret",))


def test_one_changed_byte_breaks_the_signature() -> None:
    assert not verify_signature(BODY + b" ", sign(BODY, "secret"), ("secret",))


def test_unescaping_the_body_breaks_the_signature() -> None:
    assert not verify_signature('{"text":"Olá 😊"}'.encode(), sign(BODY, "secret"), ("secret",))


@pytest.mark.parametrize("secrets", [(), ("",)])
def test_without_a_secret_nothing_is_genuine(secrets: tuple[str, ...]) -> None:
    assert not verify_signature(BODY, sign(BODY, ""), secrets)


def test_the_handshake_answers_with_the_challenge() -> None:
    query = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": "señal"}
    assert verify_handshake(query, "señal") == "1158201444"


@pytest.mark.parametrize(
    ("change", "token"),
    [
        ({"hub.verify_token": "other"}, "token"),
        ({"hub.verify_token": "tokén\udcff"}, "token"),
        ({"hub.verify_token": ""}, ""),
        ({"hub.mode": "unsubscribe"}, "token"),
    ],
)
def test_the_handshake_refuses_strangers(change: dict[str, str], token: str) -> None:
    query = {"hub.mode": "subscribe", "hub.challenge": "1", "hub.verify_token": "token"} | change
    with pytest.raises(HandshakeRefused) as refused:
        verify_handshake(query, token)
    assert refused.value.status == 403


def test_a_handshake_without_a_challenge_is_refused() -> None:
    with pytest.raises(HandshakeRefused):
        verify_handshake({"hub.mode": "subscribe", "hub.verify_token": "token"}, "token")
