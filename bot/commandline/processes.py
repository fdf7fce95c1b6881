"""`recado store|web|worker|emulator|up`: one process each, and all of them together."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import click
from aiohttp import web
from pydantic import ValidationError

from bot.logs import configure_logging
from bot.settings import Settings
from bot.stopping import LAST_THREADS_S, end_within
from bot.supervisor import ProcessSpec, Supervisor
from tts.settings import TtsSettings

STOP_GRACE_S = 5.0
_Known = TypeVar("_Known", Settings, TtsSettings)


def read_settings() -> Settings:
    """The settings, or an error that names each wrong one."""
    return _valid(Settings)


def read_tts_settings() -> TtsSettings:
    """The voice settings, or an error that names each wrong one."""
    return _valid(TtsSettings)


def _valid(kind: type[_Known]) -> _Known:
    try:
        return kind()
    except ValidationError as error:
        problems = [f"  {'.'.join(map(str, item['loc'])).upper()}: {item['msg']}" for item in error.errors()]
        raise click.ClickException("these settings cannot be used:\n" + "\n".join(problems)) from error


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a process's main coroutine on uvloop where there is one. Soon after it, the process ends."""
    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    if sys.platform != "win32":
        import uvloop  # noqa: PLC0415 - absent on Windows

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        try:
            runner.run(coroutine)
        except BaseException:
            end_within(LAST_THREADS_S, code=1)
            raise
        end_within(LAST_THREADS_S)


def _logging(settings: Settings, process: str) -> None:
    configure_logging(process=process, level=settings.log_level, log_format=settings.log_format)


@click.command()
def store() -> None:
    """Run the embedded Valkey (or stand by, when REDIS_URL names another)."""
    from bot.store import run_store  # noqa: PLC0415 - keeps `recado --help` quick

    settings = read_settings()
    _logging(settings, "store")
    run_store(settings.recado_data_dir, redis_url=settings.redis_url)


@click.command("web")
def web_process() -> None:
    """Run the webhook receiver, health, readiness and metrics."""
    from bot.web import run_web  # noqa: PLC0415 - keeps `recado --help` quick

    settings = read_settings()
    _logging(settings, "web")
    run(run_web(settings))


@click.command()
def worker() -> None:
    """Run the worker: it hears, speaks and sends."""
    from bot.worker import run_worker  # noqa: PLC0415 - keeps `recado --help` quick

    settings = read_settings()
    _logging(settings, "worker")
    run(run_worker(settings, read_tts_settings()))


@click.command()
def emulator() -> None:
    """Run the Cloud API emulator with its phone page, for trying and testing without WhatsApp."""
    from bot.captions import StoredCaptions  # noqa: PLC0415 - as below
    from webhooks.emulator.app import EmulatorConfig, build_app  # noqa: PLC0415 - keeps `recado --help` quick

    settings = read_settings()
    _logging(settings, "emulator")
    missing = [
        name
        for name in (
            "WHATSAPP_APP_SECRET",
            "WHATSAPP_VERIFY_TOKEN",
            "WHATSAPP_ACCESS_TOKEN",
            "WHATSAPP_PHONE_NUMBER_ID",
        )
        if not getattr(settings, name.lower())
    ]
    if missing:
        raise click.ClickException(
            f"set {', '.join(missing)} first: emulator and receiver share them. `recado demo` brings its own."
        )
    captions = StoredCaptions(settings)
    app = build_app(
        EmulatorConfig(
            host=settings.emulator_host,
            port=settings.emulator_port,
            webhook_url=f"http://{settings.web_host}:{settings.web_port}/webhooks/whatsapp",
            app_secret=settings.whatsapp_app_secret[0],
            verify_token=settings.whatsapp_verify_token,
            access_token=settings.whatsapp_access_token,
            phone_numbers=settings.whatsapp_phone_number_id,
            api_version=settings.whatsapp_api_version,
        ),
        captions=captions.find,
    )

    async def close(_app: web.Application) -> None:
        await captions.close()

    app.on_cleanup.append(close)
    click.echo(f"Phone page: http://{settings.emulator_host}:{settings.emulator_port}/", err=True)
    web.run_app(app, host=settings.emulator_host, port=settings.emulator_port, print=None, access_log=None)


@click.command()
def up() -> None:
    """Run store, web and worker together; what dies is started again."""
    settings = read_settings()
    _logging(settings, "up")
    click.echo(
        f"Webhooks: http://{settings.web_host}:{settings.web_port}/webhooks/whatsapp  (Ctrl-C stops all)", err=True
    )
    supervisor = Supervisor(children(settings), environment=os.environ, folder=Path.cwd(), clock=time.monotonic)
    run(supervisor.run())


def children(settings: Settings) -> tuple[ProcessSpec, ...]:
    """Store, web, worker, in the order they start; each gets the time it needs to stop."""
    program = (sys.executable, "-m", "bot")
    return (
        ProcessSpec(name="store", argv=(*program, "store"), stop_s=10),
        ProcessSpec(name="web", argv=(*program, "web"), stop_s=10),
        ProcessSpec(name="worker", argv=(*program, "worker"), stop_s=settings.drain_s + STOP_GRACE_S),
    )
