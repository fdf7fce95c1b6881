"""Webhook acknowledgements a second against a bare aiohttp echo, and enqueue → claimed, side by side in one run.

The receiver is the real web process on the real store, synced to disk with every write. The load comes from raw
sockets with ready-made bytes, so that the servers are what is measured.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from bot.installation import open_installation
from bot.mailbox import Effect, Incoming, Lane
from bot.settings import Settings
from bot.store import Role
from tests.stack import HOST, NUMBER, Stack, free_port
from webhooks.messages import Person

CONNECTIONS = 32
REQUESTS = 4000
ROUNDS = 3
LATENCY_SAMPLES = 500
SECRET = b"stack-app-secret"

ECHO = """
import sys, uvloop
from aiohttp import web
async def echo(request):
    await request.read()
    return web.Response()
app = web.Application()
app.router.add_post("/webhooks/whatsapp", echo)
uvloop.install()
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)
"""


def webhook(index: int, salt: str) -> bytes:
    """A signed text message as a whole HTTP request; every one is another message of one of 500 people."""
    phone = f"55119{index % 500:08d}"
    message = {
        "from": phone,
        "id": f"wamid.{salt}{index}",
        "timestamp": str(int(time.time())),
        "type": "text",
        "text": {"body": "Oi! Tudo bem? Que horas vocês abrem amanhã?"},
    }
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "551140001001", "phone_number_id": NUMBER},
        "contacts": [{"profile": {"name": "Ana"}, "wa_id": phone}],
        "messages": [message],
    }
    envelope = {
        "object": "whatsapp_business_account",
        "entry": [{"id": "1", "changes": [{"field": "messages", "value": value}]}],
    }
    body = json.dumps(envelope).encode()
    signature = hmac.new(SECRET, body, hashlib.sha256).hexdigest()
    head = (
        f"POST /webhooks/whatsapp HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\n"
        f"X-Hub-Signature-256: sha256={signature}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def load(port: int, requests: Sequence[bytes]) -> tuple[float, list[float]]:
    """Requests a second and each one's seconds, over CONNECTIONS kept-alive connections."""
    waiting = iter(requests)
    took_s: list[float] = []

    async def connection() -> None:
        reader, writer = await asyncio.open_connection(HOST, port)
        for request in waiting:
            began = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            took_s.append(time.perf_counter() - began)
            assert head.startswith(b"HTTP/1.1 200"), head
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
            await reader.readexactly(length)
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(connection() for _ in range(CONNECTIONS)))
    return len(requests) / (time.perf_counter() - began), took_s


@contextlib.asynccontextmanager
async def echo_server() -> AsyncIterator[int]:
    port = free_port()
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", ECHO, str(port))
    try:
        for _ in range(200):
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection(HOST, port)
                writer.close()
                break
            await asyncio.sleep(0.05)
        yield port
    finally:
        process.terminate()
        await process.wait()


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


async def test_acknowledgements_against_a_bare_echo(tmp_path: Path) -> None:
    """Prints; fails only when an acknowledgement is not a 200."""
    stack = Stack(tmp_path, {"BURST_QUIET_S": "3600", "BURST_MAX_S": "3600"}, processes=("store", "web"))
    async with stack, echo_server() as echo_port:
        rates: dict[str, list[float]] = {"echo": [], "recado": []}
        times: dict[str, list[float]] = {"echo": [], "recado": []}
        for turn in range(ROUNDS + 1):
            for name, port in (("echo", echo_port), ("recado", stack.web_port)):
                requests = [webhook(index, f"{name}{turn}-") for index in range(REQUESTS)]
                rate, took_s = await load(port, requests)
                if turn > 0:  # the first round warms both
                    rates[name].append(rate)
                    times[name] += took_s
    echo, ours = statistics.median(rates["echo"]), statistics.median(rates["recado"])
    print(f"\nwebhook acknowledgements, {CONNECTIONS} connections, appendfsync always")
    for name, rate in rates.items():
        p50, p99 = percentile(times[name], 0.5) * 1000, percentile(times[name], 0.99) * 1000
        print(f"  {name:7} {statistics.median(rate):7.0f}/s   p50 {p50:6.1f} ms   p99 {p99:6.1f} ms")
    print(f"  ratio   {ours / echo:.2f} (aim: 0.4 or more)")


async def test_enqueue_to_claimed(tmp_path: Path) -> None:
    """From the call that makes a message durable to a worker holding its turn, with no quiet window."""
    stack = Stack(tmp_path, processes=("store",))
    settings = Settings.model_construct(recado_data_dir=tmp_path, burst_quiet_s=0, burst_max_s=0)
    async with stack:
        worker = await open_installation(settings, role=Role.WORKER)
        receiver = await open_installation(settings, role=Role.RECEIVER)
        took_s = []
        for index in range(LATENCY_SAMPLES):
            began = time.perf_counter()
            await receiver.mailbox.put(
                Incoming(
                    channel="whatsapp",
                    endpoint_id=NUMBER,
                    message_id=f"wamid.{index}",
                    person=Person(phone=f"5511{index:09d}"),
                    at_ms=time.time_ns() // 1_000_000,
                    payload=b"{}",
                    lane=Lane.VOICE,
                    effect=Effect.MESSAGE,
                )
            )
            await worker.mailbox.pump(10)
            (token,) = await worker.mailbox.take(Lane.VOICE, "bench", count=1, block_ms=1000)
            claim = await worker.mailbox.claim(token)
            took_s.append(time.perf_counter() - began)
            assert claim is not None
            await worker.mailbox.done(claim.lease, b"", "answered")
        await receiver.close()
        await worker.close()
    p50, p99 = percentile(took_s, 0.5) * 1000, percentile(took_s, 0.99) * 1000
    print(f"\nenqueue → claimed, without the quiet window: p50 {p50:.2f} ms, p99 {p99:.2f} ms")
