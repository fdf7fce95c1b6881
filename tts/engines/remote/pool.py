"""The servers of an engine and how each stands; asks one after another until one answers. Used by several threads.

Must not know voices or requests: what is asked comes in as a function of the server.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Sequence
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
        self._lock = threading.Lock()
        self._standings = dict.fromkeys(self.servers, Standing())

    @property
    def standings(self) -> dict[str, Standing]:
        """How each stands now."""
        with self._lock:
            return dict(self._standings)

    def reserve(self, among: Collection[str], *, texts: int = 1) -> str:
        """The server to ask, with that many texts counted as under way there. Raises EngineOverloaded."""
        with self._lock:
            now_s = self._clock()
            name = choose(self._standings, among, now_s)
            if name is None:
                wait_s = shortest_wait_s(self._standings, among, now_s)
                raise EngineOverloaded("every server that could speak this is full", retry_after_s=wait_s)
            self._standings[name] = self._standings[name].asked(texts)
            return name

    def ask(
        self,
        among: Collection[str],
        question: Callable[[Server], _Answered],
        *,
        texts: int = 1,
        reserved: str | None = None,
    ) -> _Answered:
        """The first answer; each server is asked once, the next one only after an error that may pass.

        `reserved` is asked first. Raises the last error.
        """
        untried = set(among)
        name = reserved or self.reserve(untried, texts=texts)
        while True:
            untried.discard(name)
            try:
                return self._ask(name, question)
            except DeadlineExceeded:
                raise
            except TtsError as error:
                if not error.retryable or not untried:
                    raise
                _log.info("remote.next_server", failed=self.servers[name].name, reason=type(error).__name__)
            finally:
                self._done(name, texts)
            name = self.reserve(untried, texts=texts)

    def probe(self, name: str) -> TtsError | None:
        """See whether a server answers; its error when not."""
        try:
            self._ask(name, lambda server: server.probe())
        except TtsError as error:
            return error
        return None

    def _ask(self, name: str, question: Callable[[Server], _Answered]) -> _Answered:
        server = self.servers[name]
        try:
            if self.standings[name].failures:
                server.probe()  # a light question first, so that a text does not wait for a server that is still gone
            answer = question(server)
        except EngineOverloaded as error:
            retry_after_s = error.retry_after_s or 0.0
            self._note(name, lambda standing, now_s: standing.full(now_s, retry_after_s, self._policy))
            raise
        except (BadText, BadVoice, RequestRefused):
            self._note(name, lambda standing, _: standing.succeeded())
            raise
        except DeadlineExceeded:
            raise
        except TtsError:
            self._note(name, lambda standing, now_s: standing.failed(now_s, self._policy))
            raise
        self._note(name, lambda standing, _: standing.succeeded())
        return answer

    def _done(self, name: str, texts: int) -> None:
        self._note(name, lambda standing, _: standing.done(texts))

    def _note(self, name: str, event: Callable[[Standing, float], Standing]) -> None:
        with self._lock:
            self._standings[name] = event(self._standings[name], self._clock())
