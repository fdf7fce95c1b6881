"""One speech server over HTTP: asks it within a deadline and reads its answer within limits. Must not choose servers.

Redirects are not followed and the environment's proxies and netrc are not used: a request, its key and its recordings
reach the configured host or nobody.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from http import HTTPStatus

import httpx
from pydantic import ValidationError

from tts.contract import EngineInfo, PcmAudio, Voice
from tts.engines.remote.answers import TAKE_LIMITS, audio_of, row_audio, rows_of
from tts.engines.remote.dialects import DIALECTS, Job, batch_body, design_body, recado_voice, server_info, speech_body
from tts.engines.remote.pack import Pack
from tts.engines.remote.refusals import KeyRefused, PathMissing, translate
from tts.engines.remote.wire import Body, ModelList, ProfileBody
from tts.errors import DeadlineExceeded, EngineFailed, EngineUnavailable, TtsError
from tts.speech_address import Dialect, SpeechAddress

PROBE_S = 3.0
_BATCH_MAX_BYTES = 96_000_000
_REFUSAL_MAX_BYTES = 65_536
_PROFILE_MAX_BYTES = 16_000_000
_LIST_MAX_BYTES = 1_000_000
_LEAST_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to wait, in seconds: to connect, for an answer to begin or go on, and for a whole batch with retries.

    A server that does not stream sends nothing until the speech is done, so `read_s` bounds its work too.
    """

    connect_s: float = 3.0
    read_s: float = 15.0
    total_s: float = 90.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """An answer with status 200."""

    headers: httpx.Headers
    data: bytes = field(repr=False)


def make_client() -> httpx.AsyncClient:
    """The client for all servers; its connections are kept. There are as many as requests: none waits for another's."""
    return httpx.AsyncClient(
        follow_redirects=False,
        trust_env=False,
        headers={"Accept-Encoding": "identity"},
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=32, keepalive_expiry=30.0),
    )


class Server:
    """A server at an address. Errors name it by host, without its key."""

    def __init__(
        self,
        address: SpeechAddress,
        *,
        patience: Patience,
        clock: Callable[[], float] = time.monotonic,
        api_key: str = "",
        model: str = "",
    ) -> None:
        self.address = address
        self.name = httpx.URL(address.url).netloc.decode("ascii") + httpx.URL(address.url).path.rstrip("/")
        self._client: httpx.AsyncClient | None = None
        self._patience = patience
        self._clock = clock
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._served = model if address.dialect is Dialect.OPENAI else ""
        self._told = bool(self._served)
        self._batches = True

    @property
    def dialect(self) -> Dialect:
        """How it is asked."""
        return self.address.dialect

    @property
    def info(self) -> EngineInfo:
        """What it can do, as far as is known; `probe` finds out more."""
        return server_info(self.dialect, self._served)

    def use(self, client: httpx.AsyncClient | None) -> None:
        """Ask through this client from now on; with None there is nothing to ask with."""
        self._client = client

    async def probe(self, *, deadline_s: float) -> None:
        """See that it answers, and which model it serves. Raises EngineFailed, KeyRefused, DeadlineExceeded."""
        await self._get("/health", deadline_s)
        answer = await self._get("/v1/models", deadline_s)
        if answer is None or self._told:
            return
        try:
            listed = ModelList.model_validate_json(answer.data).data
        except ValidationError:
            return
        if len(listed) == 1:
            self._served = listed[0].id

    @property
    def batch_max(self) -> int:
        """Most texts in one call; 1 once it has turned out that the server has no path for batches."""
        return DIALECTS[self.dialect].batch_max if self._batches else 1

    async def speak(self, jobs: Sequence[Job], *, deadline_s: float) -> list[PcmAudio | TtsError]:
        """One result per job in order. Raises TtsError when the call as a whole failed."""
        if len(jobs) == 1:
            return [await self._one(jobs[0], deadline_s)]
        try:
            answer = await self._post_voiced(
                "/v1/audio/speech/batch",
                partial(batch_body, self.dialect, jobs),
                deadline_s=deadline_s,
                max_bytes=_BATCH_MAX_BYTES,
            )
        except PathMissing:
            return await self._one_by_one(jobs, deadline_s)
        rows = await asyncio.to_thread(rows_of, answer.data, len(jobs), server=self.name)
        return await asyncio.gather(*(asyncio.to_thread(row_audio, row, server=self.name) for row in rows))

    async def design(
        self, prompt: str, *, text: str, language: str, seed: int, expected_s: float, deadline_s: float
    ) -> PcmAudio:
        """A clip in the voice of the prompt. Raises TtsError."""
        answer = await self._post(
            "/v1/audio/speech",
            lambda: design_body(self.dialect, prompt, text=text, language=language, seed=seed, expected_s=expected_s),
            # Nobody in a chat waits for it, and the server may have to load a model first.
            replace(self._patience, read_s=self._patience.total_s),
            deadline_s=deadline_s,
            max_bytes=TAKE_LIMITS.max_bytes,
        )
        return await self._heard(answer)

    async def profile(self, voice: Voice, packed: Pack, *, deadline_s: float) -> ProfileBody:
        """What a Recado server makes of a voice. Raises TtsError."""
        answer = await self._post(
            "/v1/audio/profiles",
            lambda: recado_voice(voice, packed, whole=True),
            self._patience,
            deadline_s=deadline_s,
            max_bytes=_PROFILE_MAX_BYTES,
        )
        try:
            return ProfileBody.model_validate_json(answer.data)
        except ValidationError as error:
            raise EngineFailed(f"{self.name}'s answer is not a profile") from error

    async def _one(self, job: Job, deadline_s: float) -> PcmAudio:
        answer = await self._post_voiced(
            "/v1/audio/speech",
            partial(speech_body, self.dialect, job, model=self._served),
            deadline_s=deadline_s,
            max_bytes=TAKE_LIMITS.max_bytes,
        )
        return await self._heard(answer)

    async def _one_by_one(self, jobs: Sequence[Job], deadline_s: float) -> list[PcmAudio | TtsError]:
        """As `speak`, without the path for batches. Raises EngineUnavailable where there is none for single texts."""
        results = await asyncio.gather(*(self._one(job, deadline_s) for job in jobs), return_exceptions=True)
        told: list[PcmAudio | TtsError] = []
        for result in results:
            if not isinstance(result, PcmAudio | TtsError) or isinstance(result, EngineUnavailable):
                raise result
            told.append(result)
        self._batches = False
        return told

    async def _heard(self, answer: Answer) -> PcmAudio:
        return await asyncio.to_thread(audio_of, answer.data, answer.headers, server=self.name)

    async def _post_voiced(self, path: str, body: Callable[..., Body], *, deadline_s: float, max_bytes: int) -> Answer:
        """With profiles in place of recordings first, with the recordings when the server cannot use them (409)."""
        try:
            return await self._post(path, body, self._patience, deadline_s=deadline_s, max_bytes=max_bytes)
        except ProfileUnusable:
            whole = partial(body, whole=True)
            return await self._post(path, whole, self._patience, deadline_s=deadline_s, max_bytes=max_bytes)

    async def _post(
        self, path: str, body: Callable[[], Body], patience: Patience, *, deadline_s: float, max_bytes: int
    ) -> Answer:
        # With recordings in it, it is megabytes to build, in which time others are to be served.
        data = await asyncio.to_thread(lambda: body().encoded())
        return await self._ask("POST", path, data, patience, deadline_s=deadline_s, max_bytes=max_bytes)

    async def _get(self, path: str, deadline_s: float) -> Answer | None:
        """None from a server that lives and lacks the path."""
        patience = Patience(connect_s=PROBE_S / 2, read_s=PROBE_S / 2)
        ends_s = min(deadline_s, self._clock() + PROBE_S)
        try:
            return await self._ask("GET", path, None, patience, deadline_s=ends_s, max_bytes=_LIST_MAX_BYTES)
        except TtsError as error:
            if error.retryable or isinstance(error, KeyRefused):
                raise
            return None

    async def _ask(
        self, method: str, path: str, body: bytes | None, patience: Patience, *, deadline_s: float, max_bytes: int
    ) -> Answer:
        client = self._client
        if client is None:
            raise EngineUnavailable("the remote engine is not loaded")
        left_s = deadline_s - self._clock()
        if left_s < _LEAST_S:
            raise DeadlineExceeded(f"no time was left to ask {self.name}")
        ends_s = asyncio.get_running_loop().time() + left_s
        timeout = httpx.Timeout(patience.read_s, connect=patience.connect_s)
        headers = self._headers | ({"Content-Type": "application/json"} if body is not None else {})
        try:
            # The client's own time-outs start anew with every byte; what drips must end too, and its headers soon.
            async with (
                asyncio.timeout(min(left_s, patience.connect_s + patience.read_s)) as limit,
                client.stream(
                    method, self.address.url + path, content=body, headers=headers, timeout=timeout
                ) as response,
            ):
                limit.reschedule(ends_s)
                if response.status_code != HTTPStatus.OK:
                    refusal = await self._read(response, _REFUSAL_MAX_BYTES)
                    if response.status_code == HTTPStatus.CONFLICT and self.dialect is Dialect.RECADO:
                        raise ProfileUnusable(f"{self.name} cannot use the voice's profile")
                    raise translate(response.status_code, response.headers, refusal, server=self.name)
                return Answer(headers=response.headers, data=await self._read(response, max_bytes))
        except (TimeoutError, httpx.TimeoutException) as error:
            raise EngineFailed(f"{self.name} did not answer in time ({type(error).__name__})") from error
        except httpx.HTTPError as error:
            raise EngineFailed(f"{self.name} could not be asked ({type(error).__name__})") from error

    async def _read(self, response: httpx.Response, max_bytes: int) -> bytes:
        """The body, never unpacked: compression was not asked for."""
        if response.headers.get("content-encoding", "identity") != "identity":
            raise EngineFailed(f"{self.name} compressed its answer unasked")
        data = bytearray()
        async for piece in response.aiter_raw():
            data += piece
            if len(data) > max_bytes:
                raise EngineFailed(f"{self.name} sent more than {max_bytes} bytes")
        return bytes(data)


class ProfileUnusable(EngineFailed):
    """A Recado server that wants the recordings themselves."""
