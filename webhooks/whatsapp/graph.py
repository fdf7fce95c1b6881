"""One call to the Graph API: bytes out, JSON or one error of the contract back. Knows no messages and no limits.

What may be done twice is tried again here, briefly; a send never is, except when no connection was made at all.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx
import orjson
import structlog

from webhooks.contract import Ambiguous, ChannelError, MediaUnavailable, NotSent
from webhooks.whatsapp.errors import classify
from webhooks.whatsapp.media_urls import MEDIA_HOSTS, may_fetch

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]

log = structlog.get_logger()

_NEVER_LEFT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)
_MAX_REDIRECTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphConfig:
    """How to reach the API. Every deadline must be shorter than the lease of a turn."""

    access_token: str = field(repr=False)
    base_url: str = "https://graph.facebook.com"
    version: str = "v26.0"
    user_agent: str = "recado"
    media_hosts: tuple[str, ...] = MEDIA_HOSTS
    connect_timeout_s: float = 5.0
    send_deadline_s: float = 20.0
    media_deadline_s: float = 45.0
    repeats: int = 2
    first_backoff_s: float = 0.5
    longest_backoff_s: float = 5.0


class Unconnected(NotSent):
    """No connection was made, so nothing can have been taken."""


class MediaTooLarge(MediaUnavailable):
    """More bytes than the caller wants; asking elsewhere will not help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """The API behind one access token. `sleep` and `jitter` (0 to 1) are handed in so that tests need neither."""

    http: httpx.AsyncClient
    config: GraphConfig
    sleep: Sleep = asyncio.sleep
    jitter: Callable[[], float] = random.random

    async def send(self, path: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """POST something that must not happen twice; the answer's JSON. Tried again only if never connected."""
        body = orjson.dumps(payload)
        try:
            return await self._call("POST", path, repeatable=False, json_body=body)
        except Unconnected as error:
            await self._pause(0, error)
            return await self._call("POST", path, repeatable=False, json_body=body)

    async def post(self, path: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """POST something that may happen twice; the answer's JSON."""
        body = orjson.dumps(payload)
        return await self.repeat(lambda: self._call("POST", path, repeatable=True, json_body=body))

    async def upload(self, path: str, fields: Mapping[str, str], file: tuple[str, bytes, str]) -> dict[str, Any]:
        """POST a multipart form with one `file` (name, bytes, MIME type); the answer's JSON."""
        return await self.repeat(lambda: self._call("POST", path, repeatable=True, form=fields, files={"file": file}))

    async def get(self, path: str) -> dict[str, Any]:
        """GET an object's JSON."""
        return await self.repeat(lambda: self._call("GET", path, repeatable=True))

    async def delete(self, path: str) -> dict[str, Any]:
        """DELETE an object."""
        return await self.repeat(lambda: self._call("DELETE", path, repeatable=True))

    async def fetch(self, url: str, *, max_bytes: int) -> bytes:
        """The bytes behind a media address; raises MediaUnavailable, and never shows the token to a foreign host."""
        return await self.repeat(lambda: self._fetch(url, max_bytes=max_bytes))

    async def repeat(self, once: Callable[[], Awaitable[T]]) -> T:
        """Do it, and again up to `repeats` times after errors that a short wait may cure."""
        for attempt in range(self.config.repeats):
            try:
                return await once()
            except ChannelError as error:
                if not error.retryable or (error.retry_after_s or 0) > self.config.longest_backoff_s:
                    raise
                await self._pause(attempt, error)
        return await once()

    async def _pause(self, attempt: int, error: ChannelError) -> None:
        wait_s = error.retry_after_s or self.config.first_backoff_s * 2**attempt * (0.5 + self.jitter())
        log.info("graph_call_repeated", attempt=attempt, error=type(error).__name__, code=error.code, wait_s=wait_s)
        await self.sleep(wait_s)

    async def _call(
        self,
        method: str,
        path: str,
        *,
        repeatable: bool,
        json_body: bytes | None = None,
        form: Mapping[str, str] | None = None,
        files: Mapping[str, tuple[str, bytes, str]] | None = None,
    ) -> dict[str, Any]:
        deadline_s = self.config.media_deadline_s if files else self.config.send_deadline_s
        headers = self._headers() | ({"Content-Type": "application/json"} if json_body else {})
        try:
            async with asyncio.timeout(deadline_s):
                answer = await self.http.request(
                    method,
                    f"{self.config.base_url.rstrip('/')}/{self.config.version}/{path}",
                    content=json_body,
                    data=form,
                    files=files,
                    headers=headers,
                    timeout=self._timeout(deadline_s),
                    follow_redirects=False,
                )
        except _NEVER_LEFT as error:
            raise Unconnected(f"no connection: {type(error).__name__}") from error
        except (httpx.HTTPError, TimeoutError) as error:
            words = f"no answer: {type(error).__name__}"
            raise (NotSent(words) if repeatable else Ambiguous(words)) from error
        if answer.is_success and (document := _object(answer.content)) is not None:
            return document
        raise classify(answer.status_code, answer.content, answer.headers, repeatable=repeatable)

    async def _fetch(self, url: str, *, max_bytes: int) -> bytes:
        try:
            async with asyncio.timeout(self.config.media_deadline_s):
                for _ in range(1 + _MAX_REDIRECTS):
                    if not may_fetch(url, base_url=self.config.base_url, hosts=self.config.media_hosts):
                        raise MediaUnavailable("the media address is not one of the platform's")
                    found = await self._stream(url, max_bytes=max_bytes)
                    if isinstance(found, bytes):
                        return found
                    url = found.location
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            raise MediaUnavailable(f"no answer: {type(error).__name__}", retryable=True) from error
        raise MediaUnavailable("too many redirects")

    async def _stream(self, url: str, *, max_bytes: int) -> bytes | _Redirect:
        # Without compression a small answer cannot unfold into a large one.
        headers = self._headers() | {"Accept-Encoding": "identity"}
        timeout = self._timeout(self.config.media_deadline_s)
        async with self.http.stream("GET", url, headers=headers, timeout=timeout, follow_redirects=False) as answer:
            if answer.has_redirect_location:
                return _Redirect(location=str(answer.url.join(answer.headers["Location"])))
            if not answer.is_success:
                status = answer.status_code
                raise MediaUnavailable(f"HTTP {status} for the media", retryable=status == 429 or status >= 500)
            data = bytearray()
            async for chunk in answer.aiter_bytes():
                data += chunk
                if len(data) > max_bytes:
                    raise MediaTooLarge(f"the media has more than {max_bytes} bytes")
            return bytes(data)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.config.access_token}", "User-Agent": self.config.user_agent}

    def _timeout(self, deadline_s: float) -> httpx.Timeout:
        return httpx.Timeout(deadline_s, connect=self.config.connect_timeout_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Redirect:
    location: str


def _object(body: bytes) -> dict[str, Any] | None:
    """The JSON object of a success; None for anything else, errors in disguise included."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) and "error" not in document else None
