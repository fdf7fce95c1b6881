"""Checks of the account with Meta: settings, token and numbers. Sends no message."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from bot.doctor.finding import Finding, fail, ok, skip, warn
from bot.doctor.network import NoAnswer, ask, host_of, is_loopback

META_HOST = "graph.facebook.com"
MESSAGING = "whatsapp_business_messaging"
_TOKEN_PAGE = "Business settings → System users → Generate token"  # noqa: S105 - a menu, not a secret
_DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What the settings say of the account with Meta."""

    app_secrets: tuple[str, ...] = field(repr=False)
    verify_token: str = field(repr=False)
    access_token: str = field(repr=False)
    phone_number_ids: tuple[str, ...]
    api_url: str
    api_version: str

    @property
    def is_meta(self) -> bool:
        """Whether messages leave through Meta and not through an emulator or proxy."""
        return host_of(self.api_url) == META_HOST


def settings(account: Account) -> list[Finding]:
    """Whether the four settings are there and look as they should."""
    name = "account"
    needed = {
        "WHATSAPP_APP_SECRET": account.app_secrets,
        "WHATSAPP_VERIFY_TOKEN": account.verify_token,
        "WHATSAPP_ACCESS_TOKEN": account.access_token,
        "WHATSAPP_PHONE_NUMBER_ID": account.phone_number_ids,
    }
    missing = [key for key, value in needed.items() if not value]
    if len(missing) == len(needed):
        cure = "Fill in the first part of .env.example; `recado demo` needs none of it."
        return [warn(name, "none is set: nobody can be answered yet", cure)]
    findings = [*_odd_looking(account)]
    if missing:
        findings.append(fail(name, f"missing: {', '.join(missing)}", "Set them in .env; .env.example says where from."))
    return findings or [ok(name, f"complete, for {_count(len(account.phone_number_ids), 'number')}")]


def _odd_looking(account: Account) -> list[Finding]:
    findings = []
    for number in account.phone_number_ids:
        if not number.isascii() or not number.isdigit():
            cure = "Take the Phone number ID from WhatsApp → API Setup: digits only, not the phone number itself."
            findings.append(fail("account", "WHATSAPP_PHONE_NUMBER_ID holds something that is no id", cure))
            break
    if account.is_meta and not all(re.fullmatch(r"[0-9a-f]{32}", secret) for secret in account.app_secrets):
        cure = "Copy it from App settings → Basic → App secret."
        findings.append(warn("account", "WHATSAPP_APP_SECRET is not 32 hexadecimal digits, as Meta's are", cure))
    if len(account.app_secrets) > 2:
        findings.append(warn("account", "more than two app secrets", "Keep the new one and the one being replaced."))
    if account.api_url.startswith("http://") and not is_loopback(host_of(account.api_url)):
        cure = "Use an https:// address: the access token is sent with every request."
        findings.append(fail("account", "WHATSAPP_API_URL is not encrypted", cure))
    return findings


async def numbers(client: httpx.AsyncClient, account: Account) -> list[Finding]:
    """Whether the token may use each of the numbers, and what Meta says of them."""
    if not account.access_token or not account.phone_number_ids:
        return [skip("numbers", "no token or no number is set")]
    return [await _number(client, account, number) for number in account.phone_number_ids]


async def _number(client: httpx.AsyncClient, account: Account, number: str) -> Finding:
    name = f"number {number}"
    host = host_of(account.api_url)
    try:
        answer = await ask(client, _url(account, number), bearer=account.access_token)
    except NoAnswer as error:
        return fail(name, f"{host}: {error}", "Check the network, a proxy, and WHATSAPP_API_URL.")
    if answer.status != 200:
        return _refusal(name, answer.status, answer.document, account.api_version)
    facts = answer.document
    said = [f"“{facts['verified_name']}”"] if facts.get("verified_name") else ["known"]
    if quality := facts.get("quality_rating"):
        said.append(f"quality {str(quality).lower()}")
    if not account.is_meta:
        said.append(f"by {host}, which is not Meta")
    message = ", ".join(said)
    if str(facts.get("quality_rating", "")).upper() == "RED":
        return warn(name, message, "Meta may limit it soon: look at WhatsApp Manager → Phone numbers.")
    callback = facts.get("webhook_configuration", {})
    url = callback.get("phone_number") or callback.get("application") if isinstance(callback, dict) else None
    if isinstance(url, str) and url and not url.rstrip("/").endswith("/webhooks/whatsapp"):
        cure = "Set the callback URL to https://YOUR-HOST/webhooks/whatsapp in WhatsApp → Configuration."
        return warn(name, f"{message}; its webhooks go to another path", cure)
    return ok(name, message)


async def token(client: httpx.AsyncClient, account: Account, *, now_s: Callable[[], float] = time.time) -> Finding:
    """Whether the token lasts and may send. Asks Meta about the token with the token itself."""
    name = "token"
    if not account.access_token:
        return skip(name, "WHATSAPP_ACCESS_TOKEN is not set")
    try:
        answer = await ask(
            client,
            _url(account, "debug_token"),
            bearer=account.access_token,
            params={"input_token": account.access_token},
        )
    except NoAnswer as error:
        return skip(name, f"{host_of(account.api_url)}: {error}")
    facts = answer.document.get("data")
    if answer.status != 200 or not isinstance(facts, dict):
        return _refusal(name, answer.status, answer.document, account.api_version)
    if not facts.get("is_valid"):
        return fail(name, "it is no longer valid", f"Make a new one: {_TOKEN_PAGE}.")
    scopes = facts.get("scopes") or []
    if MESSAGING not in scopes:
        return fail(name, f"it may not send: {MESSAGING} is missing", f"Make one with that permission: {_TOKEN_PAGE}.")
    expires_at_s = facts.get("expires_at") or 0
    if isinstance(expires_at_s, int | float) and expires_at_s > 0:
        left_days = (expires_at_s - now_s()) / _DAY_S
        cure = f"Make one that does not expire: {_TOKEN_PAGE}."
        return warn(name, f"valid, but only for {_duration(left_days)} more", cure)
    return ok(name, "valid, does not expire, may send")


def webhook_hint(*, web_host: str) -> Finding:
    """What has to be set at Meta and cannot be seen from here."""
    where = "In the app's dashboard, WhatsApp → Configuration: set the callback URL https://YOUR-HOST/webhooks/whatsapp"
    cure = f"{where} and your verify token, and subscribe to the field “messages”."
    if is_loopback(web_host):
        return skip("webhook", "web listens on this machine only: Meta needs an HTTPS proxy or tunnel in front", cure)
    return skip("webhook", "whether Meta reaches this machine cannot be seen from it", cure)


def _refusal(name: str, status: int, document: dict[str, Any], version: str) -> Finding:
    """Meta's error in plain words. Its own message is left out: it may repeat the token."""
    error = document.get("error")
    facts = error if isinstance(error, dict) else {}
    code, subcode = facts.get("code"), facts.get("error_subcode")
    if code == 190:
        why = {460: "the password was changed", 463: "it has expired", 467: "it was revoked"}.get(
            subcode if isinstance(subcode, int) else 0, "it is wrong, revoked or expired"
        )
        return fail(name, f"Meta refuses the token: {why} (190)", f"Make a new one: {_TOKEN_PAGE}.")
    if code == 100 and subcode == 33:
        cure = "Compare WHATSAPP_PHONE_NUMBER_ID with API Setup, and assign the account to the token's system user."
        return fail(name, "the token sees no such number (100/33)", cure)
    if code in {0, 3, 10} or (isinstance(code, int) and 200 <= code <= 299):
        cure = f"Make a token with {MESSAGING} and whatsapp_business_management: {_TOKEN_PAGE}."
        return fail(name, f"the token lacks a permission ({code})", cure)
    if code == 2500:
        return fail(name, f"the API knows no version {version} (2500)", "Correct WHATSAPP_API_VERSION.")
    if code in {4, 80007, 130429} or status == 429:
        return warn(name, f"the API's limit is reached ({code or status})", "Try again in some minutes.")
    if status >= 500 or code in {1, 2}:
        return warn(name, f"the API has trouble ({code or status})", "Try again later; metastatus.com shows outages.")
    return fail(name, f"the API answered {status}" + (f", code {code}" if code else ""), "Look the code up at Meta.")


def _url(account: Account, path: str) -> str:
    return f"{account.api_url.rstrip('/')}/{account.api_version}/{path}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _duration(days: float) -> str:
    hours = max(0, round(days * 24))
    return _count(hours, "hour") if hours < 48 else _count(round(days), "day")
