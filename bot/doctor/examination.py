"""Runs the checks: which there are, in the reader's order, all at once, each within its time. The doctor's root."""

from __future__ import annotations

import asyncio
import platform
import shutil
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import structlog

from bot.doctor import alerts, configuration, endpoints, machine, models, services, stores, whatsapp
from bot.doctor.finding import Finding, fail, ok, skip
from bot.settings import Settings

if TYPE_CHECKING:
    from tts.settings import TtsSettings

log = structlog.get_logger()

LIMIT_S = 10.0
HEAVY_LIMIT_S = 120.0

Findings = Finding | list[Finding]
Look = Callable[[], Awaitable[list[Finding]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing to look at, under a section's title. It is given up after `limit_s`."""

    section: str
    name: str
    look: Look
    limit_s: float = LIMIT_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Findings that belong together."""

    title: str
    findings: tuple[Finding, ...]


async def examine(env_file: Path, *, heavy: bool) -> tuple[Section, ...]:
    """Look at everything once. `heavy` also reads the models in full."""
    settings, wrong = configuration.load_settings(Settings)
    tts, wrong_tts = _load_tts()
    async with httpx.AsyncClient() as outside, httpx.AsyncClient(trust_env=False) as local:
        checks = [*_machine(settings), *_configuration(env_file, tts, [*wrong, *wrong_tts])]
        if settings is not None:
            checks += [*_store(settings), *_whatsapp(settings, outside, local), *_replies(settings, outside)]
        if tts is not None:
            checks += _voice(tts, outside, heavy=heavy)
        if settings is not None:
            checks += _ports(settings, local)
        return await run(checks)


async def run(checks: list[Check]) -> tuple[Section, ...]:
    """Every check at once; findings in the order of the checks, sections in the order of their first check."""
    results = await asyncio.gather(*(_one(check) for check in checks))
    sections: dict[str, list[Finding]] = {}
    for check, findings in zip(checks, results, strict=True):
        sections.setdefault(check.section, []).extend(findings)
    return tuple(Section(title=title, findings=tuple(findings)) for title, findings in sections.items() if findings)


async def _one(check: Check) -> list[Finding]:
    try:
        async with asyncio.timeout(check.limit_s):
            return await check.look()
    except TimeoutError:
        return [
            fail(check.name, f"no result within {check.limit_s:.0f} s", "Try again; if it stays, look at the disk.")
        ]
    except Exception as error:
        log.exception("a check failed", check=check.name)
        return [fail(check.name, f"the check itself failed: {type(error).__name__}", "Report this as a bug.")]


def _machine(settings: Settings | None) -> Iterator[Check]:
    folder = settings.recado_data_dir if settings is not None else Path.cwd()
    add = partial(Check, section="Machine")

    def packages() -> Finding:
        return machine.packages(machine.own_requirements(), machine.installed_version)

    def disk() -> Finding:
        return machine.disk(folder, shutil.disk_usage(machine.existing_parent(folder)).free)

    def cards() -> Finding:
        return machine.gpu(machine.graphics_cards(), torch=machine.has_torch())

    yield add(name="Python", look=_sync(machine.python, sys.version_info[:3], platform.python_version()))
    yield add(name="platform", look=_sync(lambda: machine.platform(*_system())))
    yield add(name="packages", look=_sync(packages))
    yield add(name="disk", look=_sync(disk))
    yield add(name="memory", look=_sync(lambda: machine.memory(machine.available_memory_bytes())))
    yield add(name="graphics card", look=_sync(cards))


def _configuration(env_file: Path, tts: TtsSettings | None, wrong: list[Finding]) -> Iterator[Check]:
    add = partial(Check, section="Settings")
    fields = [*Settings.model_fields, *(type(tts).model_fields if tts is not None else ())]
    known = {field.upper() for field in fields}
    yield add(name=".env", look=_sync(configuration.env_file, env_file, known))
    yield add(name="values", look=_sync(lambda: wrong or [ok("values", "all valid")]))


def _store(settings: Settings) -> Iterator[Check]:
    add = partial(Check, section="Store")
    folder = settings.recado_data_dir
    yield add(name="data folder", look=_sync(machine.data_folder, folder))
    if not settings.redis_url:
        yield add(name="Valkey", look=_sync(stores.program))
    volatile = settings.recado_allow_volatile
    yield add(name="store", look=_async(stores.store, folder, settings.redis_url, allow_volatile=volatile))
    if settings.samples_key:
        in_folder = not settings.samples_url
        look = _async(stores.samples_at_rest, folder, settings.redis_url, in_folder=in_folder)
        yield add(name="samples", look=look)
    if settings.redis_url:
        yield add(name="several hosts", look=_sync(stores.several_hosts, settings.redis_url, folder))


def _whatsapp(settings: Settings, outside: httpx.AsyncClient, local: httpx.AsyncClient) -> Iterator[Check]:
    add = partial(Check, section="WhatsApp")
    account = whatsapp.Account(
        app_secrets=settings.whatsapp_app_secret,
        verify_token=settings.whatsapp_verify_token,
        access_token=settings.whatsapp_access_token,
        phone_number_ids=settings.whatsapp_phone_number_id,
        api_url=settings.whatsapp_api_url,
        api_version=settings.whatsapp_api_version,
    )
    client = outside if account.is_meta else local
    yield add(name="account", look=_sync(whatsapp.settings, account))
    if account.access_token:
        yield add(name="token", look=_async(whatsapp.token, client, account))
        yield add(name="numbers", look=_async(whatsapp.numbers, client, account))
        look = _async(alerts.account_alerts, settings.recado_data_dir, settings.redis_url)
        yield add(name="account alerts", look=look)
    if account.verify_token:
        web = (settings.web_host, settings.web_port)
        yield add(name="handshake", look=_async(services.handshake, local, *web, account.verify_token))
    if account.verify_token and account.is_meta:
        yield add(name="webhook", look=_sync(whatsapp.webhook_hint, web_host=settings.web_host))


def _replies(settings: Settings, outside: httpx.AsyncClient) -> Iterator[Check]:
    add = partial(Check, section="Replies", name="chat model")
    if not settings.llm_base_url:
        script = skip("chat model", "LLM_BASE_URL is not set: each persona answers from its own script")
        yield add(look=_sync(lambda: script))
        return
    server = endpoints.ModelServer(
        base_url=settings.llm_base_url, key=settings.llm_api_key, model=settings.llm_model, prefix="LLM"
    )
    yield add(look=_async(endpoints.model_server, outside, "chat model", server))


def _voice(tts: TtsSettings, outside: httpx.AsyncClient, *, heavy: bool) -> Iterator[Check]:
    add = partial(Check, section="Voice and hearing", limit_s=HEAVY_LIMIT_S if heavy else LIMIT_S)

    def kokoro() -> Finding:
        if "kokoro" not in tts.tts_engines:
            return skip("Kokoro", "TTS_ENGINES does not name it")
        if tts.kokoro_model_path is not None:
            return models.own_model("Kokoro", "KOKORO_MODEL_PATH", tts.kokoro_model_path)
        return models.packaged_model("Kokoro", models.KOKORO, heavy=heavy)

    def whisper() -> Finding:
        # A name such as "org/model" is fetched from the hub on first use; only what looks like a path must be there.
        if tts.whisper_model and tts.whisper_model.startswith((".", "/", "~")):
            return models.own_model("Whisper", "WHISPER_MODEL", Path(tts.whisper_model))
        if tts.whisper_model:
            return ok("Whisper", f"{tts.whisper_model}, fetched on first use (by WHISPER_MODEL)")
        return models.packaged_model("Whisper", models.WHISPER, heavy=heavy)

    yield add(name="Kokoro", look=_sync(kokoro))
    if tts.stt_base_url:
        key = tts.stt_api_key.get_secret_value() if tts.stt_api_key else ""
        server = endpoints.ModelServer(base_url=tts.stt_base_url, key=key, model=tts.stt_model, prefix="STT")
        yield add(name="hearing", look=_async(endpoints.model_server, outside, "hearing", server))
    else:
        yield add(name="Whisper", look=_sync(whisper))


def _ports(settings: Settings, local: httpx.AsyncClient) -> Iterator[Check]:
    for name, host, number in (
        ("web", settings.web_host, settings.web_port),
        ("worker", settings.worker_host, settings.worker_port),
        ("emulator", settings.emulator_host, settings.emulator_port),
    ):
        # Only the demo needs the emulator.
        look = _async(services.port, local, name, host, number, needed=name != "emulator")
        yield Check(section="Ports", name=f"port {number}", look=look)


def _load_tts() -> tuple[TtsSettings | None, list[Finding]]:
    try:
        from tts.settings import TtsSettings  # noqa: PLC0415 - it needs the sound packages, which may be missing
    except ImportError as error:
        return None, [fail("voice settings", f"cannot be read without {error.name}", machine.INSTALL)]
    return configuration.load_settings(TtsSettings)


def _system() -> tuple[str, str, str]:
    system = platform.system()
    try:
        release = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):  # only Linux has the file
        release = f"{system} {platform.release()}"
    return system, platform.machine(), release


def _sync(judge: Callable[..., Findings], *facts: object, **named: object) -> Look:
    """Look on a thread: files and programs may keep us waiting."""

    async def look() -> list[Finding]:
        return _listed(await asyncio.to_thread(judge, *facts, **named))

    return look


def _async(judge: Callable[..., Awaitable[Findings]], *facts: object, **named: object) -> Look:
    async def look() -> list[Finding]:
        return _listed(await judge(*facts, **named))

    return look


def _listed(findings: Findings) -> list[Finding]:
    return findings if isinstance(findings, list) else [findings]
