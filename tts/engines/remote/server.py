"""One speech server over HTTP: asks it within a deadline and reads its answer within limits. Must not choose servers.

Redirects are not followed and the environment's proxies and netrc are not used: a request, its key and its recordings
reach the configured host or nobody.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

import httpx
from pydantic import ValidationError

from tts.contract import EngineInfo, PcmAudio, Voice
from tts.engines.remote.answers import TAKE_LIMITS, audio_of, batch_of
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
    """How long to wait, in seconds: to connect, between two pieces of an answer, and for a whole batch with retries.

    A server that does not stream sends nothing until the speech is done, so `read_s` bounds its work too.
    """

    connect_s: float = 3.0
    read_s: float = 60.0
    total_s: float = 90.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """An answer with status 200."""

    headers: httpx.Headers
    data: bytes = field(repr=False)


def make_client() -> httpx.Client:
    """The client for all servers; its connections are kept and used by several threads."""
    return httpx.Client(
        follow_redirects=False,
        trust_env=False,
        headers={"Accept-Encoding": "identity"},
        limits=httpx.Limits(max_connections=64, max_keepalive_connections=32, keepalive_expiry=30.0),
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
        self._client: httpx.Client | None = None
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

    def use(self, client: httpx.Client | None) -> None:
        """Ask through this client from now on; with None there is nothing to ask with."""
        self._client = client

    def probe(self) -> None:
        """See that it answers, and which model it serves. Raises EngineFailed, KeyRefused."""
        deadline_s = self._clock() + PROBE_S
        self._get("/health", deadline_s)
        answer = self._get("/v1/models", deadline_s)
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

    def speak(self, jobs: Sequence[Job], *, deadline_s: float) -> list[PcmAudio | TtsError]:
        """One result per job in order. Raises TtsError when the call as a whole failed."""
        if len(jobs) == 1:
            return [self._one(jobs[0], deadline_s)]
        try:
            answer = self._post_voiced(
                "/v1/audio/speech/batch",
                batch_body(self.dialect, jobs),
                lambda: batch_body(self.dialect, jobs, whole=True),
                deadline_s=deadline_s,
                max_bytes=_BATCH_MAX_BYTES,
            )
        except PathMissing:
            self._batches = False
        else:
            return batch_of(answer.data, len(jobs), server=self.name)
        results: list[PcmAudio | TtsError] = []
        for job in jobs:
            try:
                results.append(self._one(job, deadline_s))
            except TtsError as error:
                results.append(error)
        return results

    def _one(self, job: Job, deadline_s: float) -> PcmAudio:
        answer = self._post_voiced(
            "/v1/audio/speech",
            speech_body(self.dialect, job, model=self._served),
            lambda: speech_body(self.dialect, job, model=self._served, whole=True),
            deadline_s=deadline_s,
            max_bytes=TAKE_LIMITS.max_bytes,
        )
        return audio_of(answer.data, answer.headers, server=self.name)

    def design(self, prompt: str, *, text: str, language: str, seed: int, expected_s: float) -> PcmAudio:
        """A clip in the voice of the prompt. Raises TtsError."""
        body = design_body(self.dialect, prompt, text=text, language=language, seed=seed, expected_s=expected_s)
        deadline_s = self._clock() + self._patience.total_s
        answer = self._post("/v1/audio/speech", body, deadline_s=deadline_s, max_bytes=TAKE_LIMITS.max_bytes)
        return audio_of(answer.data, answer.headers, server=self.name)

    def profile(self, voice: Voice, packed: Pack) -> ProfileBody:
        """What a Recado server makes of a voice. Raises TtsError."""
        body = recado_voice(voice, packed, whole=True)
        deadline_s = self._clock() + self._patience.total_s
        answer = self._post("/v1/audio/profiles", body, deadline_s=deadline_s, max_bytes=_PROFILE_MAX_BYTES)
        try:
            return ProfileBody.model_validate_json(answer.data)
        except ValidationError as error:
            raise EngineFailed(f"{self.name}'s answer is not a profile") from error

    def _post_voiced(
        self, path: str, lean: Body, whole: Callable[[], Body], *, deadline_s: float, max_bytes: int
    ) -> Answer:
        """With profiles in place of recordings first, with the recordings when the server cannot use them (409)."""
        try:
            return self._post(path, lean, deadline_s=deadline_s, max_bytes=max_bytes)
        except ProfileUnusable:
            return self._post(path, whole(), deadline_s=deadline_s, max_bytes=max_bytes)

    def _post(self, path: str, body: Body, *, deadline_s: float, max_bytes: int) -> Answer:
        return self._ask("POST", path, body.encoded(), self._patience, deadline_s=deadline_s, max_bytes=max_bytes)

    def _get(self, path: str, deadline_s: float) -> Answer | None:
        """None from a server that lives and lacks the path."""
        patience = Patience(connect_s=PROBE_S, read_s=PROBE_S, total_s=PROBE_S)
        try:
            return self._ask("GET", path, None, patience, deadline_s=deadline_s, max_bytes=_LIST_MAX_BYTES)
        except TtsError as error:
            if error.retryable or isinstance(error, KeyRefused):
                raise
            return None

    def _ask(
        self, method: str, path: str, body: bytes | None, patience: Patience, *, deadline_s: float, max_bytes: int
    ) -> Answer:
        client = self._client
        if client is None:
            raise EngineUnavailable("the remote engine is not loaded")
        left_s = deadline_s - self._clock()
        if left_s < _LEAST_S:
            raise DeadlineExceeded(f"no time was left to ask {self.name}")
        timeout = httpx.Timeout(min(patience.read_s, left_s), connect=min(patience.connect_s, left_s))
        headers = self._headers | ({"Content-Type": "application/json"} if body is not None else {})
        try:
            with client.stream(
                method, self.address.url + path, content=body, headers=headers, timeout=timeout
            ) as response:
                if response.status_code != HTTPStatus.OK:
                    refusal = self._read(response, _REFUSAL_MAX_BYTES, deadline_s)
                    if response.status_code == HTTPStatus.CONFLICT and self.dialect is Dialect.RECADO:
                        raise ProfileUnusable(f"{self.name} cannot use the voice's profile")
                    raise translate(response.status_code, response.headers, refusal, server=self.name)
                return Answer(headers=response.headers, data=self._read(response, max_bytes, deadline_s))
        except httpx.TimeoutException as error:
            raise EngineFailed(f"{self.name} did not answer in time ({type(error).__name__})") from error
        except httpx.HTTPError as error:
            raise EngineFailed(f"{self.name} could not be asked ({type(error).__name__})") from error

    def _read(self, response: httpx.Response, max_bytes: int, deadline_s: float) -> bytes:
        """The body, never unpacked: compression was not asked for."""
        if response.headers.get("content-encoding", "identity") != "identity":
            raise EngineFailed(f"{self.name} compressed its answer unasked")
        data = bytearray()
        for piece in response.iter_raw():
            data += piece
            if len(data) > max_bytes:
                raise EngineFailed(f"{self.name} sent more than {max_bytes} bytes")
            if self._clock() > deadline_s:
                raise EngineFailed(f"{self.name} was too slow in sending its answer")
        return bytes(data)


class ProfileUnusable(EngineFailed):
    """A Recado server that wants the recordings themselves."""
