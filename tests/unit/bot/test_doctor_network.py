"""The checks that call others, against real sockets."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.doctor import endpoints, network, services, whatsapp
from bot.doctor.finding import Finding, Level

Serve = Callable[[web.Application], Awaitable[TestServer]]
SECRET = "EAA-secret"


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False) as client:
        yield client


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answering(path: str, document: Any, *, status: int = 200, seen: list[web.Request] | None = None) -> web.Application:
    async def handler(request: web.Request) -> web.Response:
        if seen is not None:
            seen.append(request)
        return web.json_response(document, status=status)

    app = web.Application()
    app.router.add_get(path, handler)
    return app


# Ports


async def test_a_port_nobody_uses_is_free(client: httpx.AsyncClient, closed_port: int) -> None:
    finding = await services.port(client, "web", "127.0.0.1", closed_port)
    assert finding.level is Level.OK
    assert "free" in finding.message


async def test_a_port_where_our_own_service_runs_is_fine(client: httpx.AsyncClient, aiohttp_server: Serve) -> None:
    server = await aiohttp_server(answering("/health", {"status": "ok"}))
    finding = await services.port(client, "web", "127.0.0.1", server.port or 0)
    assert finding.level is Level.OK
    assert "running web" in finding.message


async def test_a_service_that_is_not_well_is_still_our_own(client: httpx.AsyncClient, aiohttp_server: Serve) -> None:
    server = await aiohttp_server(answering("/health", {"status": "unavailable"}, status=503))
    assert (await services.port(client, "worker", "127.0.0.1", server.port or 0)).level is Level.OK


async def test_a_port_that_another_program_holds_fails_and_names_the_setting(
    client: httpx.AsyncClient, aiohttp_server: Serve
) -> None:
    server = await aiohttp_server(web.Application())
    finding = await services.port(client, "web", "127.0.0.1", server.port or 0)
    assert finding.level is Level.FAIL
    assert "WEB_PORT" in finding.cure


async def test_a_taken_port_only_the_demo_needs_warns(client: httpx.AsyncClient, aiohttp_server: Serve) -> None:
    server = await aiohttp_server(web.Application())
    finding = await services.port(client, "emulator", "127.0.0.1", server.port or 0, needed=False)
    assert finding.level is Level.WARN


async def test_an_address_of_another_machine_fails_and_names_the_setting(
    client: httpx.AsyncClient, closed_port: int
) -> None:
    finding = await services.port(client, "web", "host.invalid", closed_port)
    assert finding.level is Level.FAIL
    assert "WEB_HOST" in finding.cure


async def test_port_0_is_any_free_one(client: httpx.AsyncClient) -> None:
    assert (await services.port(client, "web", "127.0.0.1", 0)).level is Level.OK


# The handshake of our own receiver


def receiver(token: str) -> web.Application:
    async def handshake(request: web.Request) -> web.Response:
        if request.query["hub.verify_token"] != token:
            return web.Response(status=403)
        return web.Response(text=request.query["hub.challenge"])

    app = answering("/health", {"status": "ok"})
    app.router.add_get("/webhooks/whatsapp", handshake)
    return app


@pytest.mark.parametrize(
    ("ours", "theirs", "level"), [("token", "token", Level.OK), ("new token", "old token", Level.FAIL)]
)
async def test_the_running_receiver_must_know_our_verify_token(
    client: httpx.AsyncClient, aiohttp_server: Serve, ours: str, theirs: str, level: Level
) -> None:
    server = await aiohttp_server(receiver(theirs))
    assert (await services.handshake(client, "127.0.0.1", server.port or 0, ours)).level is level


async def test_a_receiver_that_echoes_another_challenge_fails(client: httpx.AsyncClient, aiohttp_server: Serve) -> None:
    app = answering("/health", {"status": "ok"})
    app.router.add_get("/webhooks/whatsapp", _greeting)
    server = await aiohttp_server(app)
    assert (await services.handshake(client, "127.0.0.1", server.port or 0, "token")).level is Level.FAIL


async def test_a_foreign_program_is_never_sent_the_verify_token(
    client: httpx.AsyncClient, aiohttp_server: Serve
) -> None:
    seen: list[web.Request] = []
    server = await aiohttp_server(answering("/webhooks/whatsapp", {}, seen=seen))
    assert (await services.handshake(client, "127.0.0.1", server.port or 0, "token")).level is Level.SKIP
    assert seen == []


async def _greeting(_request: web.Request) -> web.Response:
    return web.Response(text="hello")


# Model servers


def asked(server: TestServer | int, *, model: str = "small", key: str = "") -> endpoints.ModelServer:
    base = f"http://127.0.0.1:{server}/v1" if isinstance(server, int) else str(server.make_url("/v1"))
    return endpoints.ModelServer(base_url=base, key=key, model=model, prefix="LLM")


@pytest.mark.parametrize("listed", ["small", "small:latest"])
async def test_a_server_that_lists_the_model_is_fine(
    client: httpx.AsyncClient, aiohttp_server: Serve, listed: str
) -> None:
    seen: list[web.Request] = []
    server = await aiohttp_server(answering("/v1/models", {"data": [{"id": listed}]}, seen=seen))
    finding = await endpoints.model_server(client, "chat model", asked(server, key=SECRET))
    assert finding.level is Level.OK
    assert seen[0].headers["Authorization"] == f"Bearer {SECRET}"


async def test_a_model_that_is_not_listed_warns_with_what_is(client: httpx.AsyncClient, aiohttp_server: Serve) -> None:
    server = await aiohttp_server(answering("/v1/models", {"data": [{"id": "small-2"}, {"id": "giant"}]}))
    finding = await endpoints.model_server(client, "chat model", asked(server))
    assert finding.level is Level.WARN
    assert "small-2" in finding.cure


@pytest.mark.parametrize(
    ("status", "level"), [(401, Level.FAIL), (403, Level.FAIL), (404, Level.WARN), (500, Level.FAIL)]
)
async def test_each_refusal_of_a_model_server_is_judged(
    client: httpx.AsyncClient, aiohttp_server: Serve, status: int, level: Level
) -> None:
    server = await aiohttp_server(answering("/v1/models", {"error": SECRET}, status=status))
    finding = await endpoints.model_server(client, "chat model", asked(server, key=SECRET))
    assert finding.level is level
    assert SECRET not in str(finding)


async def test_a_model_server_that_is_down_fails(client: httpx.AsyncClient, closed_port: int) -> None:
    finding = await endpoints.model_server(client, "chat model", asked(closed_port))
    assert finding.level is Level.FAIL
    assert "refused" in finding.message


async def test_a_server_without_a_model_name_fails_and_names_the_setting(client: httpx.AsyncClient) -> None:
    finding = await endpoints.model_server(client, "chat model", asked(1, model=""))
    assert finding.level is Level.FAIL
    assert "LLM_MODEL" in finding.cure


# Why there was no answer


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://host.invalid/", "the host name is unknown"),
        ("ftp://127.0.0.1/", "http://"),
        ("http://host:port/", "not valid"),
    ],
)
async def test_no_answer_says_why_in_plain_words(client: httpx.AsyncClient, url: str, why: str) -> None:
    with pytest.raises(network.NoAnswer, match=why):
        await network.ask(client, url)


async def test_a_slow_server_is_given_up() -> None:
    def slow(_request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("slow")

    async with httpx.AsyncClient(transport=httpx.MockTransport(slow)) as client:
        with pytest.raises(network.NoAnswer, match="3 s"):
            await network.ask(client, "http://127.0.0.1/")


def test_messages_name_the_host_and_never_the_password_in_an_address() -> None:
    assert network.host_of("https://user:hush@example.org:8443/v1") == "example.org"


# The account with Meta

ACCOUNT = whatsapp.Account(
    app_secrets=("0123456789abcdef0123456789abcdef",),
    verify_token="token",
    access_token=SECRET,
    phone_number_ids=("106540352242922",),
    api_url="https://graph.facebook.com",
    api_version="v26.0",
)


def at(server: TestServer) -> whatsapp.Account:
    return replace(ACCOUNT, api_url=str(server.make_url("/")))


async def number(client: httpx.AsyncClient, server: TestServer) -> Finding:
    (finding,) = await whatsapp.numbers(client, at(server))
    return finding


async def test_a_number_the_token_may_use_is_fine(client: httpx.AsyncClient, aiohttp_server: Serve) -> None:
    seen: list[web.Request] = []
    document = {"id": "106540352242922", "verified_name": "Padaria", "quality_rating": "GREEN"}
    server = await aiohttp_server(answering("/v26.0/106540352242922", document, seen=seen))
    finding = await number(client, server)
    assert finding.level is Level.OK
    assert "Padaria" in finding.message
    assert seen[0].headers["Authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize(
    ("error", "level", "words"),
    [
        ({"code": 190, "error_subcode": 463}, Level.FAIL, "expired"),
        ({"code": 190, "error_subcode": 460}, Level.FAIL, "password"),
        ({"code": 190}, Level.FAIL, "190"),
        ({"code": 100, "error_subcode": 33}, Level.FAIL, "no such number"),
        ({"code": 10}, Level.FAIL, "permission"),
        ({"code": 200}, Level.FAIL, "permission"),
        ({"code": 2500}, Level.FAIL, "v26.0"),
        ({"code": 4}, Level.WARN, "limit"),
        ({"code": 2}, Level.WARN, "trouble"),
        ({"code": 4711}, Level.FAIL, "4711"),
    ],
)
async def test_each_refusal_of_metas_is_said_in_plain_words_without_metas_own(
    client: httpx.AsyncClient, aiohttp_server: Serve, error: dict[str, int], level: Level, words: str
) -> None:
    document = {"error": {**error, "message": f"Malformed access token {SECRET}"}}
    server = await aiohttp_server(answering("/v26.0/106540352242922", document, status=400))
    finding = await number(client, server)
    assert finding.level is level
    assert words in finding.message
    assert finding.cure
    assert SECRET not in str(finding)


async def test_a_number_with_a_red_rating_warns(client: httpx.AsyncClient, aiohttp_server: Serve) -> None:
    server = await aiohttp_server(answering("/v26.0/106540352242922", {"quality_rating": "RED"}))
    assert (await number(client, server)).level is Level.WARN


async def test_webhooks_that_go_to_another_path_warn(client: httpx.AsyncClient, aiohttp_server: Serve) -> None:
    document = {"webhook_configuration": {"application": "https://example.org/hook"}}
    server = await aiohttp_server(answering("/v26.0/106540352242922", document))
    assert (await number(client, server)).level is Level.WARN


async def about_token(client: httpx.AsyncClient, serve: Serve, facts: dict[str, Any]) -> Finding:
    server = await serve(answering("/v26.0/debug_token", {"data": facts}))
    return await whatsapp.token(client, at(server), now_s=lambda: 1_000_000.0)


async def test_a_lasting_token_that_may_send_is_fine(client: httpx.AsyncClient, aiohttp_server: Serve) -> None:
    facts = {"is_valid": True, "scopes": [whatsapp.MESSAGING], "expires_at": 0}
    assert (await about_token(client, aiohttp_server, facts)).level is Level.OK


async def test_a_token_that_will_expire_warns_with_the_time_left(
    client: httpx.AsyncClient, aiohttp_server: Serve
) -> None:
    facts = {"is_valid": True, "scopes": [whatsapp.MESSAGING], "expires_at": 1_000_000 + 5 * 3600}
    finding = await about_token(client, aiohttp_server, facts)
    assert finding.level is Level.WARN
    assert "5 hours" in finding.message


@pytest.mark.parametrize(
    "facts", [{"is_valid": False}, {"is_valid": True, "scopes": ["public_profile"]}, {"is_valid": True}]
)
async def test_a_token_that_is_dead_or_may_not_send_fails(
    client: httpx.AsyncClient, aiohttp_server: Serve, facts: dict[str, Any]
) -> None:
    assert (await about_token(client, aiohttp_server, facts)).level is Level.FAIL


def levels(account: whatsapp.Account) -> list[Level]:
    return [finding.level for finding in whatsapp.settings(account)]


def test_complete_settings_are_fine() -> None:
    assert levels(ACCOUNT) == [Level.OK]


def test_settings_not_begun_only_warn() -> None:
    bare = replace(ACCOUNT, app_secrets=(), verify_token="", access_token="", phone_number_ids=())
    assert levels(bare) == [Level.WARN]


def test_half_complete_settings_fail_and_name_what_is_missing() -> None:
    (finding,) = whatsapp.settings(replace(ACCOUNT, verify_token=""))
    assert finding.level is Level.FAIL
    assert "WHATSAPP_VERIFY_TOKEN" in finding.message
    assert "WHATSAPP_APP_SECRET" not in finding.message


def test_a_phone_number_in_place_of_its_id_fails() -> None:
    assert levels(replace(ACCOUNT, phone_number_ids=("+55 11 4000-1001",))) == [Level.FAIL]


def test_an_app_secret_of_another_shape_warns_where_meta_signs() -> None:
    odd = replace(ACCOUNT, app_secrets=("demo",))
    assert levels(odd) == [Level.WARN]
    assert levels(replace(odd, api_url="http://127.0.0.1:8090")) == [Level.OK]


def test_a_token_sent_in_the_clear_to_another_machine_fails() -> None:
    assert levels(replace(ACCOUNT, api_url="http://example.org")) == [Level.FAIL]


def test_an_accounts_secrets_never_show() -> None:
    assert SECRET not in repr(ACCOUNT)
    assert ACCOUNT.app_secrets[0] not in repr(ACCOUNT)


@pytest.mark.parametrize(("host", "tunnel"), [("127.0.0.1", True), ("localhost", True), ("0.0.0.0", False)])  # noqa: S104 - compared, not bound
def test_a_web_process_on_loopback_is_said_to_need_a_tunnel(host: str, tunnel: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert ("tunnel" in whatsapp.webhook_hint(web_host=host).message) is tunnel
