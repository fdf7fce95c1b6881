import base64
import hashlib

import pytest

from webhooks.whatsapp.media_urls import digest_matches, may_fetch

GRAPH = "https://graph.facebook.com"


@pytest.mark.parametrize(
    "url",
    [
        "https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1",
        "https://scontent.xx.fbcdn.net/v/t1",
        "https://mmg.whatsapp.net/d/f/x.enc",
        "https://graph.facebook.com/v26.0/1",
    ],
)
def test_the_platforms_own_hosts_may_see_the_token(url: str) -> None:
    assert may_fetch(url, base_url=GRAPH)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "not a url",
        "/relative",
        "file:///etc/passwd",
        "http://lookaside.fbsbx.com/x",
        "https://lookaside.fbsbx.com:8443/x",
        "https://evil.example/lookaside.fbsbx.com",
        "https://lookaside.fbsbx.com.evil.example/x",
        "https://evilfbcdn.net/x",
        "https://lookaside.fbsbx.com@evil.example/x",
        "https://user:pass@lookaside.fbsbx.com/x",
        "https://169.254.169.254/latest/meta-data",
        "https://localhost/x",
        "http://graph.facebook.com/x",
        "https://[::1",
        "https://graph.facebook.com\\@evil.example/",
    ],
)
def test_no_other_address_may_see_the_token(url: str) -> None:
    assert not may_fetch(url, base_url=GRAPH)


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("http://127.0.0.1:8090/media/1", True),
        ("http://127.0.0.1:8091/media/1", False),
        ("https://127.0.0.1:8090/media/1", False),
        ("http://127.0.0.2:8090/media/1", False),
    ],
)
def test_a_configured_api_may_serve_media_from_its_own_origin_only(url: str, allowed: bool) -> None:  # noqa: FBT001  a table's column
    assert may_fetch(url, base_url="http://127.0.0.1:8090") is allowed


DIGEST = hashlib.sha256(b"\xff\xfe voice").digest()


@pytest.mark.parametrize(
    "announced",
    [
        base64.b64encode(DIGEST).decode(),
        base64.urlsafe_b64encode(DIGEST).decode().rstrip("="),
        DIGEST.hex(),
        DIGEST.hex().upper(),
    ],
)
def test_a_digest_is_read_in_base64_and_in_hex(announced: str) -> None:
    assert digest_matches(b"\xff\xfe voice", announced)


@pytest.mark.parametrize("announced", ["ü", "AAAA", base64.b64encode(DIGEST[::-1]).decode()])
def test_another_digest_does_not_match(announced: str) -> None:
    assert not digest_matches(b"\xff\xfe voice", announced)
