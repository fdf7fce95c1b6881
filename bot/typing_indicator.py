"""Shows the person that their message was read and an answer is being made, for as long as it takes.

The channel drops the indicator after 25 s, so it is shown again in time. It is a courtesy: failures are not errors.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

import structlog

from webhooks.contract import Channel, ChannelError

log = structlog.get_logger()

REFRESH_S = 20.0


class Typing:
    """Context around a turn's work; `show` starts it, leaving the context ends it."""

    def __init__(
        self,
        channel: Channel,
        endpoint_id: str,
        message_id: str | None,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._channel = channel
        self._endpoint_id = endpoint_id
        self._message_id = message_id
        self._sleep = sleep
        self._task: asyncio.Task[None] | None = None

    def show(self) -> None:
        """Mark the message as read and keep the indicator up; calling again changes nothing."""
        if self._task is None and self._message_id:
            self._task = asyncio.create_task(self._keep_up(self._message_id))

    def show_again(self) -> None:
        """The channel took the indicator down with a part that was sent: up again, if it was up, for the next."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
            self.show()

    async def _keep_up(self, message_id: str) -> None:
        while True:
            try:
                await self._channel.mark_read(self._endpoint_id, message_id, typing=True)
            except ChannelError as error:
                log.debug("no typing indicator", error=type(error).__name__, code=error.code)
            await self._sleep(REFRESH_S)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
