"""A house that is made to be killed: quick voices, short leases, and a channel that redelivers at once and is watched.

Store, web and worker are real processes under the supervisor; the emulator runs in the test's own process, behind a
relay that notes which receipts were acknowledged when.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self

import httpx
import orjson
from aiohttp import web

from bot.supervisor import ProcessSpec, Supervisor
from tests.stack import HOST, NUMBER, Stack, free_port
from webhooks.emulator.app import EmulatorConfig, build_app

PROCESSES = ("store", "web", "worker")
REDELIVERY_S = 0.3
RECEIVER_S = 10.0  # whoever has not answered by then has not answered
NOBODY_LISTENS = f"http://{HOST}:9/v1"
QUICK = {
    "TTS_ENGINES": "espeak",
    "STT_BASE_URL": NOBODY_LISTENS,  # nobody speaks to this house, and Whisper takes seconds to load
    "BURST_QUIET_S": "0.2",
    "BURST_MAX_S": "0.6",
    "LEASE_S": "6",
    "RECEIPT_GRACE_S": "20",
}


class House(Stack):
    """Start with `async with`. `worker` is the program that runs as the worker, as Python's arguments.

    With `workers`, several of them: "worker", "worker-2" ….
    """

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, str] | None = None,
        *,
        worker: Sequence[str] = ("-m", "bot"),
        workers: int = 1,
    ) -> None:
        super().__init__(folder, QUICK | dict(settings or {}), processes=PROCESSES)
        programs = {"store": ("-m", "bot"), "web": ("-m", "bot"), "worker": worker}
        specs = [ProcessSpec(name=name, argv=(sys.executable, *programs[name], name), stop_s=20) for name in PROCESSES]
        self.worker_ports = {"worker": self.worker_port}
        for number in range(2, workers + 1):
            name, port = f"worker-{number}", free_port()
            self.worker_ports[name] = port
            argv = ("env", f"WORKER_PORT={port}", sys.executable, *worker, "worker")
            specs.append(ProcessSpec(name=name, argv=argv, stop_s=20))
        self.supervisor = Supervisor(
            specs,
            environment=self.environment,
            folder=folder,
            log_folder=folder,
            steady_after_s=0,  # the dead come back after half a second, however often they die
            clock=time.monotonic,
        )
        self.relay = Relay(f"http://{HOST}:{self.web_port}/webhooks/whatsapp")
        self._cleanup = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        relay_port = free_port()
        await self._cleanup.enter_async_context(_serving(self.relay.app(), relay_port))
        emulator = build_app(
            EmulatorConfig(
                host=HOST,
                port=self.emulator_port,
                webhook_url=f"http://{HOST}:{relay_port}/",
                app_secret=self.environment["WHATSAPP_APP_SECRET"],
                verify_token=self.environment["WHATSAPP_VERIFY_TOKEN"],
                access_token=self.environment["WHATSAPP_ACCESS_TOKEN"],
                phone_numbers=(NUMBER,),
                retry_schedule_s=(REDELIVERY_S,) * 1000,
            )
        )
        await self._cleanup.enter_async_context(_serving(emulator, self.emulator_port))
        return await super().__aenter__()

    async def __aexit__(self, *error: object) -> None:
        await super().__aexit__(*error)
        await self._cleanup.aclose()

    async def until_taken(self, person: str, message: Mapping[str, Any], within_s: float = 60) -> None:
        """Return once the receiver has acknowledged the person's message: two ticks on the phone."""
        ends = time.monotonic() + within_s
        while True:
            chat = await self.chat(person)
            seen = next(one for one in chat["messages"] if one["wamid"] == message["wamid"])
            if "delivered" in seen["receipts"]:
                return
            if time.monotonic() > ends:
                raise AssertionError(f"a message was never acknowledged\n{self.tail('web')}")
            await self.chat(person, since=chat["revision"], wait_s=1)

    async def kill_at_random(self, victims: Sequence[str], chance: random.Random) -> None:
        """Kill each of `victims` with -9, in this order, 1 to 3 s apart; one that is down is waited for first.

        Of a worker's deaths one in four may strike while it starts, the others find it at work.
        """
        for victim in victims:
            if victim in self.worker_ports and chance.random() < 0.75:
                await self.until_worker_is_ready(victim)
            await asyncio.sleep(chance.uniform(1, 3))
            await self.until(partial(self.supervisor.pid, victim), f"{victim} never came back")
            self.kill(victim)

    async def until_worker_is_ready(self, name: str = "worker") -> None:
        """Return once the worker takes turns."""
        port = self.worker_ports[name]
        for _ in range(1200):
            with contextlib.suppress(httpx.HTTPError):
                if (await self.http.get(f"http://{HOST}:{port}/ready")).status_code == 200:
                    return
            await asyncio.sleep(0.05)
        raise AssertionError(f"{name} is not ready\n{self.tail(name)}")

    async def until(self, true: Callable[[], object], otherwise: str, within_s: float = 60) -> None:
        """Return once it is true."""
        for _ in range(int(within_s / 0.01)):
            if true():
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"{otherwise}\n{self.tail(*PROCESSES)}")

    def tail(self, *names: str, characters: int = 6000) -> str:
        """The end of these processes' logs."""
        return "\n".join(f"--- {name} ---\n{self.log(name)[-characters:]}" for name in names)


class Relay:
    """Stands between channel and receiver, and remembers what the receiver answered.

    `statuses` are its answers to deliveries, 502 where there was none. `acknowledged_at_s` maps the callback data of a
    send to the epoch seconds of the first 200 for any of its receipts. While `closed`, nothing passes.
    """

    def __init__(self, target: str) -> None:
        self._target = target
        self.closed = False
        self.statuses: list[int] = []
        self.acknowledged_at_s: dict[str, float] = {}

    def app(self) -> web.Application:
        """The relay as an application."""
        app = web.Application()
        app.cleanup_ctx.append(self._client)
        app.router.add_route("*", "/", self._pass_on)
        return app

    async def _client(self, _app: web.Application) -> Any:
        async with httpx.AsyncClient(timeout=RECEIVER_S, trust_env=False) as self._http:
            yield

    async def _pass_on(self, request: web.Request) -> web.Response:
        body = await request.read()
        if self.closed:
            return web.Response(status=502)
        headers = {name: value for name, value in request.headers.items() if name.startswith(("X-", "Content-Type"))}
        try:
            answer = await self._http.request(
                request.method, self._target, params=dict(request.query), content=body, headers=headers
            )
            status, content = answer.status_code, answer.content
        except httpx.TransportError:
            status, content = 502, b""
        if request.method == "POST":
            self.statuses.append(status)
            for callback_data in _receipts(body) if status == 200 else ():
                self.acknowledged_at_s.setdefault(callback_data, time.time())
        return web.Response(status=status, body=content)


def _receipts(body: bytes) -> list[str]:
    return [
        status["biz_opaque_callback_data"]
        for entry in orjson.loads(body)["entry"]
        for change in entry["changes"]
        for status in change["value"].get("statuses", ())
        if "biz_opaque_callback_data" in status
    ]


@contextlib.asynccontextmanager
async def _serving(app: web.Application, port: int) -> Any:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, HOST, port).start()
    try:
        yield
    finally:
        await runner.cleanup()
