"""The developers' door as JSON: what became of the webhooks, raw bodies, and faults on demand.

It reads HTTP, asks the courier and the fault desk. It knows no people and no Graph rules.
"""

from __future__ import annotations

from dataclasses import asdict

from aiohttp import web

from webhooks.emulator.bodies import FaultBody, read_body
from webhooks.emulator.errors import PhoneError
from webhooks.emulator.exchange import Exchange
from webhooks.emulator.faults import STRIKES, Fault, Setting
from webhooks.emulator.world import Change


class Workbench:
    """Handlers for developers."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def routes(self) -> list[web.RouteDef]:
        """Webhooks, raw bodies and faults, all under `/emulator/api`."""
        api = "/emulator/api"
        return [
            web.get(api + "/webhooks", self.webhooks),
            web.post(api + "/webhooks/handshake", self.handshake),
            web.post(api + "/raw", self.raw),
            web.get(api + "/faults", self.faults),
            web.post(api + "/faults", self.arm),
            web.delete(api + "/faults", self.disarm),
        ]

    async def webhooks(self, request: web.Request) -> web.Response:  # noqa: ARG002 - aiohttp's handler signature
        """Counters, handshake and the newest deliveries with their bodies."""
        return web.json_response(self._exchange.courier.report())

    async def handshake(self, request: web.Request) -> web.Response:  # noqa: ARG002 - aiohttp's handler signature
        """Play the verification handshake again."""
        return web.json_response(asdict(await self._exchange.courier.verify()))

    async def raw(self, request: web.Request) -> web.Response:
        """Post these bytes to the receiver, once; `signature` is valid (default), wrong or missing."""
        signatures = {"valid": None, "wrong": "sha256=" + "0" * 64, "missing": ""}
        choice = request.query.get("signature", "valid")
        if choice not in signatures:
            raise PhoneError(f"signature is one of {', '.join(signatures)}")
        delivery = self._exchange.courier.post_raw(await request.read(), signature=signatures[choice])
        return web.json_response({"number": delivery.number}, status=202)

    async def faults(self, request: web.Request) -> web.Response:  # noqa: ARG002 - aiohttp's handler signature
        """What can be armed, and what is."""
        return web.json_response(
            {
                "available": [{"fault": fault, "on": sorted(STRIKES[fault])} for fault in Fault],
                "armed": [{**asdict(setting), "on": sorted(setting.on)} for setting in self._exchange.faults.armed()],
            }
        )

    async def arm(self, request: web.Request) -> web.Response:
        """Arm or (count 0) disarm one fault."""
        body = await read_body(request, FaultBody)
        try:
            self._exchange.faults.arm(Setting(**{**body.model_dump(), "on": frozenset(body.on)}))
        except ValueError as error:
            raise PhoneError(str(error)) from error
        self._exchange.world.announce(Change(topic="faults"))
        return await self.faults(request)

    async def disarm(self, request: web.Request) -> web.Response:
        """Disarm everything, and let go of what was held back."""
        self._exchange.faults.clear()
        self._exchange.courier.release()
        self._exchange.world.announce(Change(topic="faults"))
        return await self.faults(request)
