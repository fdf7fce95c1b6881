"""How the doctor calls others: one question with a short limit, and plain words for why there was no answer."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

LIMIT_S = 3.0


class NoAnswer(Exception):
    """Nobody answered; the text says why, without the address' query and without any header."""

    retryable = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back. `document` is the JSON object, empty when it was none."""

    status: int
    text: str
    document: dict[str, Any]


async def ask(client: httpx.AsyncClient, url: str, *, bearer: str = "", params: dict[str, str] | None = None) -> Answer:
    """GET `url`. Raises NoAnswer."""
    headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
    try:
        response = await client.get(url, headers=headers, params=params, timeout=LIMIT_S)
    except httpx.TimeoutException as error:
        raise NoAnswer(f"no answer within {LIMIT_S:.0f} s") from error
    except httpx.InvalidURL as error:
        raise NoAnswer("the address is not valid") from error
    except (httpx.HTTPError, UnicodeError) as error:
        raise NoAnswer(_plainly(error)) from error
    try:
        document = response.json()
    except ValueError:
        document = None
    text = response.text[:2000]
    return Answer(status=response.status_code, text=text, document=document if isinstance(document, dict) else {})


def host_of(url: str) -> str:
    """The address' host, for messages: an address may hold a password."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an address that cannot be read"
    return "its socket" if parts.scheme == "unix" else parts.hostname or "an address without a host"


def is_loopback(host: str) -> bool:
    """Whether `host` means this machine only, by name or number; other names are not resolved."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def dialable(host: str) -> str:
    """The host to call a service by that listens on `host`, ready for a URL."""
    host = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"[{host}]" if ":" in host else host


def _plainly(error: Exception) -> str:
    if isinstance(error, httpx.UnsupportedProtocol):
        return "the address must begin with http:// or https://"
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "its certificate is not trusted"
        if isinstance(cause, socket.gaierror):
            return "the host name is unknown"
        cause = cause.__cause__ or cause.__context__
    return "the connection was refused" if isinstance(error, httpx.ConnectError) else "the connection broke"
