"""What the client does when the API does not simply say yes. No sockets: the transport is a script of answers."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable

import httpx
import pytest

from webhooks.contract import (
    AccountBlocked,
    Ambiguous,
    ChannelError,
    MediaUnavailable,
    NotSent,
    Refused,
    Throttled,
)
from webhooks.messages import MediaRef, Person
from webhooks.whatsapp.client import WhatsAppClient
from webhooks.whatsapp.graph import Graph, GraphConfig

ANA = Person(phone="5511987654321")
NOTE = b"OggS" + bytes(64)
CDN = "https://lookaside.fbsbx.com/1"
SENT = httpx.Response(200, json={"messaging_product": "whatsapp", "messages": [{"id": "wamid.1"}]})
UPLOADED = httpx.Response(200, json={"id": "media-1"})

Step = httpx.Response | Exception


class Script:
    """Answers requests one after the other, keeps them, and fails a test that asks for more."""

    def __init__(self, *steps: Step) -> None:
        self.steps = list(steps)
        self.requests: list[httpx.Request] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return step


class Bench:
    def __init__(self, *steps: Step) -> None:
        self.script = Script(*steps)
        self.waits_s: list[float] = []
        graph = Graph(
            http=httpx.AsyncClient(transport=httpx.MockTransport(self.script)),
            config=GraphConfig(access_token="t0ken"),
            sleep=self.sleep,
            jitter=lambda: 0.5,
        )
        self.client = WhatsAppClient(graph)

    async def sleep(self, wait_s: float) -> None:
        self.waits_s.append(wait_s)

    async def send(self) -> str:
        return await self.client.send_text("1", ANA, "Oi", quote=None, callback_data="t:0:1")

    async def download(self, *, url: str | None = None, sha256: str | None = None, max_bytes: int = 100) -> bytes:
        media = MediaRef(media_id="m/1", mime_type="audio/ogg", url=url, sha256_base64=sha256)
        return await self.client.download("1", media, max_bytes=max_bytes)

    def paths(self) -> list[str]:
        return [f"{request.method} {request.url}" for request in self.script.requests]


def refused(code: int, *, status: int = 400, headers: dict[str, str] | None = None) -> httpx.Response:
    return httpx.Response(status, json={"error": {"code": code, "message": "no"}}, headers=headers)


def digest(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


# Sending


async def test_the_version_number_and_token_are_those_configured() -> None:
    bench = Bench(SENT)
    assert await bench.send() == "wamid.1"
    (request,) = bench.script.requests
    assert str(request.url) == "https://graph.facebook.com/v26.0/1/messages"
    assert request.headers["Authorization"] == "Bearer t0ken"


@pytest.mark.parametrize("failure", [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout])
async def test_a_send_that_never_connected_is_tried_once_more(failure: Callable[[str], Exception]) -> None:
    bench = Bench(failure("no"), SENT)
    assert await bench.send() == "wamid.1"


async def test_a_send_that_cannot_connect_twice_is_definitely_not_sent() -> None:
    bench = Bench(httpx.ConnectError("no"), httpx.ConnectError("no"))
    with pytest.raises(NotSent):
        await bench.send()


@pytest.mark.parametrize(
    "step",
    [
        httpx.ReadTimeout("slow"),
        httpx.WriteTimeout("slow"),
        httpx.ReadError("reset"),
        httpx.WriteError("reset"),
        httpx.RemoteProtocolError("closed"),
        TimeoutError(),
        httpx.Response(500, text="<html>"),
        httpx.Response(502),
        httpx.Response(200, text="not json"),
        httpx.Response(200, json={"messages": []}),
        httpx.Response(200, json=["messages"]),
        httpx.Response(302, headers={"Location": "https://evil.example/"}),
    ],
    ids=repr,
)
async def test_a_send_without_a_definite_answer_is_ambiguous_and_never_repeated(step: Step) -> None:
    bench = Bench(step, SENT)
    with pytest.raises(Ambiguous):
        await bench.send()
    assert len(bench.script.requests) == 1


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refused(131000, status=500), NotSent),
        (refused(131056), Throttled),
        (refused(131026), Refused),
        (refused(190, status=401), AccountBlocked),
        (httpx.Response(200, json={"error": {"code": 131026}}), Refused),
    ],
    ids=["transient", "pair limit", "undeliverable", "token", "an error that says 200"],
)
async def test_a_refused_send_is_not_repeated(answer: httpx.Response, error: type[ChannelError]) -> None:
    bench = Bench(answer, SENT)
    with pytest.raises(error):
        await bench.send()
    assert len(bench.script.requests) == 1


async def test_an_id_cannot_lead_out_of_its_path() -> None:
    bench = Bench(httpx.Response(200, json={"success": True}))
    await bench.client.delete_media("1", "../1/messages?x=1")
    assert bench.paths() == ["DELETE https://graph.facebook.com/v26.0/..%2F1%2Fmessages%3Fx%3D1"]


def test_the_token_does_not_show_in_the_configuration() -> None:
    assert "t0ken" not in repr(GraphConfig(access_token="t0ken"))


# What may be done twice


@pytest.mark.parametrize(
    "step", [httpx.ReadTimeout("slow"), httpx.Response(502), refused(131016, status=500), httpx.ConnectError("no")]
)
async def test_an_upload_is_tried_three_times_with_growing_waits(step: Step) -> None:
    bench = Bench(step, step, UPLOADED)
    assert await bench.client.upload_voice("1", NOTE) == "media-1"
    assert bench.waits_s == [0.5, 1.0]


async def test_an_upload_that_keeps_failing_is_not_sent() -> None:
    bench = Bench(*[httpx.Response(502)] * 3)
    with pytest.raises(NotSent):
        await bench.client.upload_voice("1", NOTE)


async def test_a_permanent_refusal_of_an_upload_is_not_repeated() -> None:
    bench = Bench(refused(100))
    with pytest.raises(Refused):
        await bench.client.upload_voice("1", NOTE)


async def test_an_upload_waits_as_long_as_it_is_told() -> None:
    bench = Bench(refused(130429, status=429, headers={"Retry-After": "3"}), UPLOADED)
    await bench.client.upload_voice("1", NOTE)
    assert bench.waits_s == [3.0]


async def test_a_long_wait_for_an_upload_is_left_to_the_caller() -> None:
    bench = Bench(refused(131057))
    with pytest.raises(NotSent) as not_sent:
        await bench.client.upload_voice("1", NOTE)
    assert not_sent.value.retry_after_s == 60


async def test_a_read_receipt_is_repeated() -> None:
    bench = Bench(httpx.ReadTimeout("slow"), httpx.Response(200, json={"success": True}))
    await bench.client.mark_read("1", "wamid.1", typing=True)
    assert len(bench.script.requests) == 2


# Downloading


async def test_the_webhooks_address_saves_a_hop() -> None:
    bench = Bench(httpx.Response(200, content=b"opus"))
    assert await bench.download(url=CDN, sha256=digest(b"opus")) == b"opus"
    assert bench.paths() == [f"GET {CDN}"]
    (request,) = bench.script.requests
    assert request.headers["Authorization"] == "Bearer t0ken"
    assert request.headers["User-Agent"] == "recado"


@pytest.mark.parametrize("status", [401, 403, 404, 410])
async def test_an_expired_address_is_asked_for_anew(status: int) -> None:
    bench = Bench(httpx.Response(status), httpx.Response(200, json={"url": CDN}), httpx.Response(200, content=b"opus"))
    assert await bench.download(url="https://lookaside.fbsbx.com/old") == b"opus"
    assert bench.paths()[1:] == ["GET https://graph.facebook.com/v26.0/m%2F1", f"GET {CDN}"]


async def test_a_login_page_in_place_of_the_media_is_not_believed() -> None:
    bench = Bench(
        httpx.Response(200, content=b"<html>"),
        httpx.Response(200, json={"url": CDN}),
        httpx.Response(200, content=b"opus"),
    )
    assert await bench.download(url=CDN, sha256=digest(b"opus")) == b"opus"


@pytest.mark.parametrize("url", ["https://evil.example/1", "http://lookaside.fbsbx.com/1", "http://169.254.169.254/"])
async def test_the_token_never_goes_to_a_foreign_host(url: str) -> None:
    bench = Bench(httpx.Response(200, json={"url": url}))
    with pytest.raises(MediaUnavailable):
        await bench.download(url=url)
    assert bench.paths() == ["GET https://graph.facebook.com/v26.0/m%2F1"]


async def test_a_redirect_to_a_foreign_host_is_not_followed() -> None:
    away = httpx.Response(302, headers={"Location": "https://evil.example/1"})
    bench = Bench(httpx.Response(200, json={"url": CDN}), away)
    with pytest.raises(MediaUnavailable):
        await bench.download()
    assert len(bench.script.requests) == 2


async def test_a_redirect_within_the_platform_is_followed() -> None:
    moved = httpx.Response(302, headers={"Location": "https://scontent.xx.fbcdn.net/2"})
    bench = Bench(httpx.Response(200, json={"url": CDN}), moved, httpx.Response(200, content=b"opus"))
    assert await bench.download() == b"opus"


async def test_a_circle_of_redirects_ends() -> None:
    circle = [httpx.Response(302, headers={"Location": CDN}) for _ in range(4)]
    bench = Bench(httpx.Response(200, json={"url": CDN}), *circle)
    with pytest.raises(MediaUnavailable, match="redirects"):
        await bench.download()


async def test_a_stream_is_cut_at_the_limit_whatever_it_announced() -> None:
    bench = Bench(httpx.Response(200, json={"url": CDN, "file_size": 4}), httpx.Response(200, content=b"x" * 101))
    with pytest.raises(MediaUnavailable, match="100 bytes"):
        await bench.download()


async def test_media_announced_as_too_large_is_not_fetched() -> None:
    bench = Bench(httpx.Response(200, json={"url": CDN, "file_size": 101}))
    with pytest.raises(MediaUnavailable):
        await bench.download()


async def test_media_that_was_changed_is_refused() -> None:
    bench = Bench(httpx.Response(200, json={"url": CDN}), httpx.Response(200, content=b"other"))
    with pytest.raises(MediaUnavailable, match="announced"):
        await bench.download(sha256=digest(b"opus"))


async def test_a_download_is_tried_three_times() -> None:
    slow = httpx.ReadTimeout("slow")
    bench = Bench(httpx.Response(200, json={"url": CDN}), slow, httpx.Response(503), httpx.Response(200, content=b"o"))
    assert await bench.download() == b"o"


async def test_media_that_stays_out_of_reach_may_be_tried_later() -> None:
    bench = Bench(*[httpx.ReadTimeout("slow")] * 3)
    with pytest.raises(MediaUnavailable) as unavailable:
        await bench.download()
    assert unavailable.value.retryable


async def test_an_answer_without_an_address_is_unavailable() -> None:
    bench = Bench(httpx.Response(200, json={"id": "1"}))
    with pytest.raises(MediaUnavailable):
        await bench.download()
