"""Asks any OpenAI-compatible chat endpoint for an answer: streaming, time-outs, retries. Knows no prompt of its own."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import httpx
import structlog

from bot.replies.contract import (
    Reply,
    ReplyEmpty,
    ReplyError,
    ReplyRefused,
    ReplyRequest,
    ReplySource,
    ReplyThrottled,
    ReplyTimeout,
    ReplyUnavailable,
)
from bot.replies.prompt import chat_messages
from bot.replies.stream import StreamReader, whole_answer
from bot.replies.trim import trimmed

_log = structlog.get_logger()
CHECK_EVERY_LINES = 16  # taking the reasoning out costs a pass over all text so far
_TRY_AGAIN = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_EARLY})


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmEndpoint:
    """Where the model is and how patient to be. `base_url` ends in `/v1`; `total_s` bounds all tries together."""

    base_url: str
    model: str
    api_key: str = field(default="", repr=False)
    connect_s: float = 3.0
    read_s: float = 15.0  # between two pieces of the stream
    total_s: float = 20.0
    max_tries: int = 3
    backoff_s: float = 0.5  # doubled each time, with full jitter


class LlmReplies:
    """A `ReplyGenerator` over HTTP. The client is handed in and stays its owner's to close."""

    def __init__(
        self,
        endpoint: LlmEndpoint,
        client: httpx.AsyncClient,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        rng: random.Random | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._client = client
        self._sleep = sleep
        self._rng = rng or random.Random()

    async def reply(self, request: ReplyRequest) -> Reply:
        """The model's answer, cut to whole sentences within `max_chars`; raises ReplyError."""
        try:
            async with asyncio.timeout(self._endpoint.total_s):
                text = await self._persistently(request)
        except TimeoutError as error:
            raise ReplyTimeout(f"no answer within {self._endpoint.total_s:g} s") from error
        return Reply(text=trimmed(text, request.max_chars), source=ReplySource.LLM)

    async def _persistently(self, request: ReplyRequest) -> str:
        for attempt in range(1, self._endpoint.max_tries + 1):
            try:
                return await self._once(request)
            except ReplyError as error:
                if not error.retryable or attempt == self._endpoint.max_tries:
                    raise
                ceiling_s = self._endpoint.backoff_s * 2 ** (attempt - 1)
                wait_s = error.retry_after_s if error.retry_after_s is not None else self._rng.uniform(0, ceiling_s)
                if wait_s >= self._endpoint.total_s:  # no use in waiting beyond the deadline
                    raise
                _log.info("llm_retry", attempt=attempt, error=type(error).__name__, wait_s=round(wait_s, 2))
                await self._sleep(wait_s)
        raise AssertionError("unreachable: the last try returns or raises")

    async def _once(self, request: ReplyRequest) -> str:
        endpoint = self._endpoint
        timeout = httpx.Timeout(endpoint.read_s, connect=endpoint.connect_s)
        try:
            async with self._client.stream(
                "POST",
                f"{endpoint.base_url.rstrip('/')}/chat/completions",
                json=_body(endpoint, request),
                headers=_headers(endpoint),
                timeout=timeout,
            ) as response:
                if response.status_code != HTTPStatus.OK:
                    raise _refusal(response)
                text = await _read(response, request)
        except httpx.TimeoutException as error:
            raise ReplyTimeout(f"{type(error).__name__} at the chat endpoint") from error
        except httpx.InvalidURL as error:
            raise ReplyRefused("LLM_BASE_URL is not a usable address") from error
        except httpx.HTTPError as error:
            raise ReplyUnavailable(f"{type(error).__name__} at the chat endpoint") from error
        spoken = _without_own_name(text, request.persona.name)
        if not spoken:
            raise ReplyEmpty("the model answered without a word to say")
        return spoken


async def _read(response: httpx.Response, request: ReplyRequest) -> str:
    if "json" in response.headers.get("content-type", ""):
        return whole_answer(await response.aread())
    reader = StreamReader()
    lines = 0
    async for line in response.aiter_lines():
        reader.feed(line)
        lines += 1
        # Past the limit nothing more would be said; leaving the stream also ends the model's work.
        if reader.done or (lines % CHECK_EVERY_LINES == 0 and len(reader.text) > request.max_chars):
            return reader.text
    raise ReplyUnavailable("the stream ended before the answer did")


def _body(endpoint: LlmEndpoint, request: ReplyRequest) -> dict[str, Any]:
    persona = request.persona
    body: dict[str, Any] = {
        "model": endpoint.model,
        "messages": chat_messages(request),
        "stream": True,
        "temperature": persona.llm_temperature,
    }
    if persona.llm_max_tokens is not None:
        body["max_tokens"] = persona.llm_max_tokens
    return body


def _headers(endpoint: LlmEndpoint) -> dict[str, str]:
    return {"Authorization": f"Bearer {endpoint.api_key}"} if endpoint.api_key else {}


def _refusal(response: httpx.Response) -> ReplyError:
    status = response.status_code
    message = f"the chat endpoint answered {status}"
    if status == HTTPStatus.TOO_MANY_REQUESTS or (
        status == HTTPStatus.SERVICE_UNAVAILABLE and "retry-after" in response.headers
    ):
        return ReplyThrottled(message, retry_after_s=_retry_after_s(response.headers))
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _TRY_AGAIN:
        return ReplyUnavailable(message)
    return ReplyRefused(f"{message}; check LLM_BASE_URL, LLM_API_KEY and LLM_MODEL")


def _retry_after_s(headers: httpx.Headers) -> float | None:
    """Seconds, or an HTTP date measured against the server's own clock (RFC 9110, section 10.2.3); None if neither."""
    value = headers.get("retry-after", "")
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        wait = parsedate_to_datetime(value) - parsedate_to_datetime(headers.get("date", ""))
    except (ValueError, TypeError):
        return None
    return max(0.0, wait.total_seconds())


def _without_own_name(text: str, name: str) -> str:
    """Models that see a dialogue like to write "Nina:" in front."""
    return re.sub(rf"\A\W*{re.escape(name)}\W*:\s*", "", text.strip(), flags=re.IGNORECASE).strip()
