"""The whole house on this machine for end-to-end tests: store, web, worker and emulator as real processes.

Everything listens on loopback at free ports and keeps its data in one temporary folder.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import httpx
import psutil

from bot.installation import opened_installation
from bot.mailbox import TurnSummary
from bot.settings import Settings
from bot.supervisor import ProcessSpec, Supervisor
from tts.settings import TtsSettings

HOST = "127.0.0.1"
NUMBER = "106540352242922"
READY_S = 90.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


class Stack:
    """Start with `async with`; kill and wait as a test needs. `phone` methods speak the emulator's control API.

    `worker` is the program that runs as the worker, as Python's arguments.
    """

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, str] | None = None,
        *,
        processes: Sequence[str] = ("store", "web", "worker", "emulator"),
        worker: Sequence[str] = ("-m", "bot"),
    ) -> None:
        self.folder = folder
        self.processes = processes
        self.web_port, self.worker_port, self.emulator_port = free_port(), free_port(), free_port()
        ours = {name.upper() for name in (*Settings.model_fields, *TtsSettings.model_fields)}
        self.environment = {name: value for name, value in os.environ.items() if name.upper() not in ours}
        self.environment |= {
            "RECADO_DATA_DIR": str(folder),
            "WEB_PORT": str(self.web_port),
            "WORKER_PORT": str(self.worker_port),
            "EMULATOR_PORT": str(self.emulator_port),
            "WHATSAPP_APP_SECRET": "stack-app-secret",
            "WHATSAPP_VERIFY_TOKEN": "stack-verify-token",
            "WHATSAPP_ACCESS_TOKEN": "stack-access-token",
            "WHATSAPP_PHONE_NUMBER_ID": NUMBER,
            "WHATSAPP_API_URL": f"http://{HOST}:{self.emulator_port}",
            "BURST_QUIET_S": "0.3",
            "BURST_MAX_S": "1.5",
            "TTS_ENGINES": "kokoro",
            "VOICE_DEADLINE_S": "120",  # a busy machine speaks slowly, and these tests want to hear it
            "DRAIN_S": "10",
            "PYTHONPATH": str(Path.cwd()),
            **(settings or {}),
        }
        programs = {name: worker if name == "worker" else ("-m", "bot") for name in processes}
        specs = [ProcessSpec(name=name, argv=(sys.executable, *programs[name], name), stop_s=20) for name in processes]
        self.supervisor = Supervisor(
            specs, environment=self.environment, folder=folder, log_folder=folder, clock=time.monotonic
        )
        self.http = httpx.AsyncClient(timeout=30, trust_env=False)

    async def __aenter__(self) -> Self:
        await self.supervisor.start()
        await self.until_ready()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.http.aclose()
        await self.supervisor.stop()

    async def until_ready(self) -> None:
        ports = (("web", self.web_port, "ready"), ("emulator", self.emulator_port, "health"))
        for name, port, path in (*ports, ("worker", self.worker_port, "ready")):
            if name not in self.processes:
                continue
            ends = time.monotonic() + READY_S
            while True:
                with contextlib.suppress(httpx.HTTPError):
                    if (await self.http.get(f"http://{HOST}:{port}/{path}")).status_code == 200:
                        break
                if time.monotonic() > ends:
                    raise TimeoutError(f"{name} is not ready:\n{self.log(name)[-4000:]}")
                await asyncio.sleep(0.05)

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def kill(self, name: str, signum: signal.Signals = signal.SIGKILL) -> None:
        """Kill the process (and what it may have started), as the machine would."""
        process = self.supervisor.pid(name)
        if process is None:
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            for one in [*psutil.Process(process).children(recursive=True), psutil.Process(process)]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.send_signal(signum)

    # -- the phones ---------------------------------------------------------------------------------------------------

    def _url(self, path: str) -> str:
        return f"http://{HOST}:{self.emulator_port}/emulator/api/{path}"

    async def write(self, person: str, text: str | None = None, **body: Any) -> dict[str, Any]:
        """The person sends a message; what the emulator knows of it."""
        answer = await self.http.post(self._url(f"people/{person}/messages"), json={"text": text, **body})
        answer.raise_for_status()
        return dict(answer.json())

    async def record(self, person: str, sound: bytes) -> dict[str, Any]:
        """The person sends a voice note."""
        answer = await self.http.post(
            self._url(f"people/{person}/voice"), files={"file": ("voice.wav", sound, "audio/wav")}
        )
        answer.raise_for_status()
        return dict(answer.json())

    async def add_person(self, name: str, phone: str) -> str:
        answer = await self.http.post(self._url("people"), json={"name": name, "phone": phone})
        answer.raise_for_status()
        return str(answer.json()["id"])

    async def chat(self, person: str, since: int = 0, wait_s: float = 0) -> dict[str, Any]:
        answer = await self.http.get(
            self._url(f"conversations/{person}/{NUMBER}"), params={"since": since, "wait_s": wait_s}
        )
        answer.raise_for_status()
        return dict(answer.json())

    async def answers(self, person: str) -> list[dict[str, Any]]:
        """Everything the business sent to this person so far, in order."""
        messages = (await self.chat(person))["messages"]
        return [message for message in messages if message["direction"] == "from_business"]

    async def answers_after(self, person: str, message: dict[str, Any], count: int, within_s: float = 60) -> list[Any]:
        """The first `count` answers that came after `message`; fails when they do not come."""
        ends = time.monotonic() + within_s
        while True:
            chat = await self.chat(person)
            found = [
                one
                for one in chat["messages"]
                if one["direction"] == "from_business" and one["at_s"] >= message["at_s"]
            ]
            if len(found) >= count:
                return found
            if time.monotonic() > ends:
                raise AssertionError(
                    f"{len(found)} of {count} answers came: {found}\n--- worker ---\n{self.log('worker')[-6000:]}"
                )
            await self.chat(person, since=chat["revision"], wait_s=1)

    async def caption(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """What the emulator is told of a message of the business beyond what was sent."""
        answer = await self.http.get(self._url(f"messages/{message['wamid']}/caption"))
        answer.raise_for_status()
        return dict(answer.json()["caption"])

    async def media(self, media_id: str) -> bytes:
        return (await self.http.get(self._url(f"media/{media_id}"))).content

    async def fault(self, fault: str, **options: Any) -> None:
        answer = await self.http.post(self._url("faults"), json={"fault": fault, **options})
        assert answer.status_code == 200, answer.text

    async def webhooks(self) -> dict[str, Any]:
        return dict((await self.http.get(self._url("webhooks"))).json())

    async def until_quiet(self, within_s: float = 60) -> None:
        """Return once every webhook is acknowledged and no conversation waits for anything."""
        ends = time.monotonic() + within_s
        settings = Settings.model_construct(recado_data_dir=self.folder)
        async with opened_installation(settings, wait_s=20) as installation:
            while True:
                counters = (await self.webhooks())["counters"]
                depth = await installation.mailbox.depth()
                if counters["posted"] == counters["acknowledged"] + counters["given_up"] and depth.conversations == 0:
                    return
                if time.monotonic() > ends:
                    raise AssertionError(f"not quiet: {counters}, {depth}")
                await asyncio.sleep(0.1)

    async def turn_of(self, message: Mapping[str, Any]) -> TurnSummary | None:
        """The turn that an answer belongs to, as the store knows it."""
        turn_id = str(message["callback_data"]).partition(":")[0]
        async with opened_installation(Settings.model_construct(recado_data_dir=self.folder)) as installation:
            return await installation.mailbox.turn(turn_id)

    async def post_raw(self, body: bytes, signature: str = "valid") -> None:
        (await self.http.post(self._url("raw"), params={"signature": signature}, content=body)).raise_for_status()


@contextlib.asynccontextmanager
async def running(folder: Path, settings: Mapping[str, str] | None = None) -> AsyncIterator[Stack]:
    """A stack for one test."""
    async with Stack(folder, settings) as stack:
        yield stack
