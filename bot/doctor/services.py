"""Checks of our own processes from the outside: the ports they need, and whether the receiver shakes hands."""

from __future__ import annotations

import asyncio
import errno
import secrets
import socket

import httpx

from bot.doctor.finding import Finding, fail, ok, skip, warn
from bot.doctor.network import NoAnswer, ask, dialable

_HANDSHAKE_PATH = "/webhooks/whatsapp"


async def port(client: httpx.AsyncClient, name: str, host: str, number: int, *, needed: bool = True) -> Finding:
    """Whether `number` is free, or one of our own services listens there (it answers /health as ours do).

    `name` is the process, whose settings are NAME_HOST and NAME_PORT. What is not `needed` only warns.
    """
    title = f"port {number}"
    setting = f"{name.upper()}_PORT"
    if number == 0:
        return ok(f"{name} port", "any free one")
    if await _answers_as_ours(client, host, number):
        return ok(title, f"in use, and answers /health as a running {name} does")
    problem = await asyncio.to_thread(_cannot_listen, host, number)
    if problem is None:
        return ok(title, f"free for {name}")
    cure = f"Stop what uses it, or set {setting} to another port."
    if problem == "address":
        return fail(title, f"{host} is no address of this machine", f"Set {name.upper()}_HOST to 127.0.0.1 or 0.0.0.0.")
    if problem == "privilege":
        return fail(title, "this user may not listen on it", f"Set {setting} to 1024 or higher.")
    return (fail if needed else warn)(title, f"another program holds it, {name} cannot start", cure)


async def handshake(client: httpx.AsyncClient, host: str, number: int, verify_token: str) -> Finding:
    """Ask our own receiver for the handshake, as Meta does when the webhook is set up."""
    name = "handshake"
    if not verify_token:
        return skip(name, "WHATSAPP_VERIFY_TOKEN is not set")
    if not await _answers_as_ours(client, host, number):
        return skip(name, "the web process is not running")
    challenge = secrets.token_hex(8)
    params = {"hub.mode": "subscribe", "hub.challenge": challenge, "hub.verify_token": verify_token}
    try:
        answer = await ask(client, f"http://{dialable(host)}:{number}{_HANDSHAKE_PATH}", params=params)
    except NoAnswer as error:
        return fail(name, f"the web process gave no answer: {error}", "Look at the log of `recado web`.")
    if answer.status == 200 and answer.text == challenge:
        return ok(name, "the running receiver accepts WHATSAPP_VERIFY_TOKEN")
    if answer.status == 403:
        return fail(name, "the running receiver knows another verify token", "Restart `recado web`.")
    return fail(name, f"the receiver answered {answer.status}", "Look at the log of `recado web`.")


async def _answers_as_ours(client: httpx.AsyncClient, host: str, number: int) -> bool:
    try:
        answer = await ask(client, f"http://{dialable(host)}:{number}/health")
    except NoAnswer:
        return False
    return isinstance(answer.document.get("status"), str)


def _cannot_listen(host: str, number: int) -> str | None:
    """Why nobody could listen on the port: `used`, `address` or `privilege`; None when it is free."""
    try:
        *_, address = socket.getaddrinfo(host or None, number, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        family = socket.AF_INET6 if len(address) == 4 else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # As the server does it: a port in TIME_WAIT counts as free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen()
    except socket.gaierror:
        return "address"
    except PermissionError:
        return "privilege"
    except OSError as error:
        return "address" if error.errno == errno.EADDRNOTAVAIL else "used"
    return None
