"""`/metrics` of every process: the same text behind the same token."""

from __future__ import annotations

import hmac

from aiohttp import web

from bot.metrics import Metrics


def exposition(request: web.Request, metrics: Metrics, token: str) -> web.Response:
    """The metrics in Prometheus' format; 401 when there is a token and the request does not bring it."""
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if token and not hmac.compare_digest(given.encode(), token.encode()):
        return web.Response(status=401, text="Send the METRICS_TOKEN as a bearer token.\n")
    body, content_type = metrics.render()
    return web.Response(body=body, headers={"Content-Type": content_type})
