"""`recado demo`: everything on this machine, one example message, and the phone page to go on with.

It reads no `.env` and none of the installation's settings from the environment, keeps its own data folder, and talks to
loopback only.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import shutil
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import httpx
from rich.console import Console

from bot.captions import caption
from bot.commandline.processes import children
from bot.installation import opened_installation
from bot.logs import configure_logging
from bot.settings import Settings
from bot.stopping import Stopping
from bot.store import server_answers, store_places
from bot.supervisor import ProcessSpec, Supervisor
from tts.settings import TtsSettings

HOST = "127.0.0.1"
PHONE_NUMBER_ID = "106540352242922"
EXAMPLES = {"ana": "Oi! Quem é você?"}
START_S = 120.0
ANSWER_S = 120.0
_SAMPLE = re.compile(r'recado_stage_seconds_sum\{stage="(\w+)"\} ([\d.e+-]+)')


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Where the demo's processes listen."""

    web: int
    worker: int
    emulator: int


@click.command()
@click.option("--once", is_flag=True, help="Stop after the example message.")
@click.option("--keep", is_flag=True, help="Keep the data of the last demo instead of starting afresh.")
def demo(*, once: bool, keep: bool) -> None:
    """Run everything here, send an example message, and show where the voice note and the phone page are."""
    console = Console(highlight=False, soft_wrap=True)
    folder = Path(".recado/demo").resolve()
    if server_answers(store_places(folder).socket):
        raise click.ClickException("a demo already runs here; stop it first (Ctrl-C where it runs).")
    if not keep:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    configure_logging(process="demo", level="ERROR", log_format="console")
    asyncio.run(_Demo(folder, console).run(once=once))


class _Demo:
    def __init__(self, folder: Path, console: Console) -> None:
        self._folder = folder
        self._console = console
        self._ports = Ports(web=_free_port(8080), worker=_free_port(8081), emulator=_free_port(8090))

    @property
    def _phone_page(self) -> str:
        return f"http://{HOST}:{self._ports.emulator}/"

    async def run(self, *, once: bool) -> None:
        environment = self._environment()
        specs = [*children(Settings.model_construct()), _emulator()]
        supervisor = Supervisor(
            specs, environment=environment, folder=self._folder, log_folder=self._folder, clock=time.monotonic
        )
        async with Stopping() as stopping:
            try:
                await stopping.until_told(self._show(supervisor, once=once))
            finally:
                with self._console.status("Stopping …"):
                    await supervisor.stop(hurry=stopping.hurry)

    async def _show(self, supervisor: Supervisor, *, once: bool) -> None:
        began = time.monotonic()
        await supervisor.start()
        async with httpx.AsyncClient(timeout=10, trust_env=False) as http:
            await self._until_ready(http)
            self._console.print(f"Everything runs ({time.monotonic() - began:.1f} s).\n")
            for person, text in EXAMPLES.items():
                await self._example(http, person, text)
        if once:
            return
        self._console.print(f"\nOpen the phone page and chat:  [bold]{self._phone_page}[/bold]")
        self._console.print(f"Logs: {self._folder}/*.log · Ctrl-C stops everything.")
        await asyncio.Event().wait()

    def _environment(self) -> dict[str, str]:
        """Ours, without what would lead the demo elsewhere, and with secrets made up for this run."""
        ours = {name.upper() for name in (*Settings.model_fields, *TtsSettings.model_fields)}
        environment = {name: value for name, value in os.environ.items() if name.upper() not in ours}
        return environment | {
            "RECADO_DATA_DIR": str(self._folder),
            "MODEL_CACHE_DIR": str(self._folder / "models"),
            "WEB_HOST": HOST,
            "WEB_PORT": str(self._ports.web),
            "WORKER_HOST": HOST,
            "WORKER_PORT": str(self._ports.worker),
            "EMULATOR_HOST": HOST,
            "EMULATOR_PORT": str(self._ports.emulator),
            "WHATSAPP_APP_SECRET": secrets.token_hex(16),
            "WHATSAPP_VERIFY_TOKEN": secrets.token_hex(16),
            "WHATSAPP_ACCESS_TOKEN": secrets.token_hex(16),
            "WHATSAPP_PHONE_NUMBER_ID": PHONE_NUMBER_ID,
            "WHATSAPP_API_URL": f"http://{HOST}:{self._ports.emulator}",
            "WEBHOOK_RECORDING_HOURS": "24",
            "TTS_ENGINES": "kokoro",
            "DRAIN_S": "5",
        }

    async def _until_ready(self, http: httpx.AsyncClient) -> None:
        checks = {
            "store and web": f"http://{HOST}:{self._ports.web}/ready",
            "emulator": f"http://{HOST}:{self._ports.emulator}/health",
            "voice and hearing": f"http://{HOST}:{self._ports.worker}/ready",
        }
        for name, url in checks.items():
            began = time.monotonic()
            with self._console.status(f"Starting {name} …"):
                while not await _answers(http, url):
                    if time.monotonic() - began > START_S:
                        raise click.ClickException(f"{name} did not start; see {self._folder}/*.log")
                    await asyncio.sleep(0.1)
            self._console.print(f"  [green]✓[/green] {name}")

    async def _example(self, http: httpx.AsyncClient, person: str, text: str) -> None:
        console = self._console
        console.print(f"[bold]Asked[/bold]     {text}")
        began = time.monotonic()
        posted = await http.post(f"{self._phone_page}emulator/api/people/{person}/messages", json={"text": text})
        posted.raise_for_status()
        asked = posted.json()
        with console.status("Waiting for the voice note …"):
            note = await self._voice_note(http, person, since=asked["revision"])
        took_s = time.monotonic() - began
        audio = (await http.get(f"{self._phone_page}emulator/api/media/{note['media']['id']}")).content
        path = self._folder / "example.ogg"
        path.write_bytes(audio)
        console.print(f"[bold]Answered[/bold]  {await self._answer(note['callback_data'])}")
        console.print(
            f"[bold]Note[/bold]      {path}  ({note['media']['audio']['duration_s']:.1f} s, {len(audio):,} bytes)"
        )
        stages = await self._stages(http)
        listed = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in stages.items())
        console.print(f"[bold]Took[/bold]      {took_s:.1f} s in all: {listed}")

    async def _voice_note(self, http: httpx.AsyncClient, person: str, *, since: int) -> dict[str, Any]:
        url = f"{self._phone_page}emulator/api/conversations/{person}/{PHONE_NUMBER_ID}"
        ends = time.monotonic() + ANSWER_S
        while time.monotonic() < ends:
            answer = await http.get(url, params={"since": since, "wait_s": 5})
            answer.raise_for_status()
            for message in answer.json()["messages"]:
                if message["direction"] == "from_business" and message["type"] == "audio":
                    return dict(message)
            since = answer.json()["revision"]
        raise click.ClickException(f"no voice note came; see {self._folder}/worker.log")

    async def _answer(self, callback_data: str) -> str:
        """The words of the part that a callback datum names, from the store."""
        settings = Settings.model_construct(recado_data_dir=self._folder)
        async with opened_installation(settings) as installation:
            known = await caption(installation, callback_data)
            return known.text if known else "(no longer in the store)"

    async def _stages(self, http: httpx.AsyncClient) -> dict[str, float]:
        """Where the worker's time went: one turn has run, so sums are its own."""
        exposition = (await http.get(f"http://{HOST}:{self._ports.worker}/metrics")).text
        worked = {name: float(seconds) for name, seconds in _SAMPLE.findall(exposition)}
        quiet_s = Settings.model_fields["burst_quiet_s"].default
        return {"quiet window": float(quiet_s), **worked}


def _emulator() -> ProcessSpec:
    return ProcessSpec(name="emulator", argv=(sys.executable, "-m", "bot", "emulator"), stop_s=5)


def _free_port(wanted: int) -> int:
    """`wanted` if nobody listens there, else any free port."""
    for port in (wanted, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
            return int(probe.getsockname()[1])
    raise click.ClickException("no free port on 127.0.0.1")


async def _answers(http: httpx.AsyncClient, url: str) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return (await http.get(url)).status_code == 200
    return False
