"""The servers of an engine and how each stands; asks one after another until one answers. Lives on one event loop.

Must not know voices or requests: what is asked comes in as a function of the server.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import TypeVar

import structlog

from tts.engines.remote.choice import HealthPolicy, Standing, choose, shortest_wait_s
from tts.engines.remote.refusals import RequestRefused
from tts.engines.remote.server import Server
from tts.errors import BadText, BadVoice, DeadlineExceeded, EngineOverloaded, TtsError

_log = structlog.get_logger()
_Answered = TypeVar("_Answered")


class Pool:
    """Servers by name, in order."""

    def __init__(
        self, servers: Sequence[Server], *, policy: HealthPolicy, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.servers = {str(server.address): server for server in servers}
        self._policy = policy
        self._clock = clock
        self._standings = dict.fromkeys(self.servers, Standing())

    def reserve(self, among: Collection[str], *, texts: int = 1) -> str:
        """The server to ask, with that many texts counted as under way there. Raises EngineOverloaded."""
        now_s = self._clock()
        name = choose(self._standings, among, now_s)
        if name is None:
            wait_s = shortest_wait_s(self._standings, among, now_s)
            raise EngineOverloaded("every server that could speak this is full", retry_after_s=wait_s)
        self._standings[name] = self._standings[name].asked(texts)
        return name

    async def ask(
        self,
        among: Collection[str],
        question: Callable[[Server], Awaitable[_Answered]],
        *,
        deadline_s: float,
        texts: int = 1,
        reserved: str | None = None,
    ) -> _Answered:
        """The first answer; each server is asked once, `reserved` first, all of them by the clock's `deadline_s`.

        A refusal of the text, the voice or the request is an answer: others would say the same. What one server alone
        is to blame for is asked of the next, a wrong key or address too. Raises such a refusal, DeadlineExceeded, or
        when no server is left an error that may pass, where one of them gave such.
        """
        untried = set(among)
        errors: list[TtsError] = []
        name = reserved or self.reserve(untried, texts=texts)
        while True:
            untried.discard(name)
            try:
                return await self._ask(name, question, deadline_s)
            except (BadText, BadVoice, RequestRefused, DeadlineExceeded):
                raise
            except TtsError as error:
                errors.append(error)
                if not untried:
                    told = next((one for one in errors if one.retryable), error)
                    raise told from told.__cause__
                _log.info("remote.next_server", failed=self.servers[name].name, reason=type(error).__name__)
            finally:
                self._note(name, self._standings[name].done(texts))
            name = self.reserve(untried, texts=texts)

    async def probe(self, name: str, *, deadline_s: float) -> TtsError | None:
        """See whether a server answers; its error when not."""
        try:
            await self._ask(name, lambda server: server.probe(deadline_s=deadline_s), deadline_s)
        except TtsError as error:
            return error
        return None

    async def _ask(self, name: str, question: Callable[[Server], Awaitable[_Answered]], deadline_s: float) -> _Answered:
        server = self.servers[name]
        try:
            if self._standings[name].failures:
                # A light question first, so that a text does not wait for a server that is still gone.
                await server.probe(deadline_s=deadline_s)
            answer = await question(server)
        except EngineOverloaded as error:
            self._note(name, self._standings[name].full(self._clock(), error.retry_after_s or 0.0, self._policy))
            raise
        except (BadText, BadVoice, RequestRefused):
            self._note(name, self._standings[name].succeeded())
            raise
        except DeadlineExceeded:
            raise
        except TtsError:
            self._note(name, self._standings[name].failed(self._clock(), self._policy))
            raise
        self._note(name, self._standings[name].succeeded())
        return answer

    def _note(self, name: str, standing: Standing) -> None:
        self._standings[name] = standing
