"""Speaks through other servers: several at once, the least loaded first, another one when one fails.

Must not know how a request looks (`dialects`), how it travels (`server`), or what health is (`choice`).
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

import httpx
import structlog

from tts.contract import EngineInfo, PcmAudio, PreparedSource, Utterance, Voice, VoiceProfile
from tts.engines.remote.choice import HealthPolicy
from tts.engines.remote.dialects import NAME, SAMPLE_RATE_HZ, Job, refusal, sharing_key
from tts.engines.remote.loop_thread import LoopThread
from tts.engines.remote.pack import Pack, pack, pack_names, unpack
from tts.engines.remote.pool import Pool
from tts.engines.remote.refusals import KeyRefused, RequestRefused
from tts.engines.remote.server import Patience, Server, make_client
from tts.engines.remote.wire import ProfileBody
from tts.errors import BadText, BadVoice, EngineUnavailable, TtsError
from tts.languages import match_language
from tts.speech_address import Dialect, SpeechAddress
from tts.text import expected_duration_s
from tts.voices.mix import usable_sources

_log = structlog.get_logger()
_Result = TypeVar("_Result")
_Spoken = list[PcmAudio | TtsError]

MAX_BATCH = 32
_UNPACKED = 16


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Call:
    """Jobs that go to one server together; `able` are all that could take them, `server` the one that expects them."""

    able: frozenset[str]
    jobs: tuple[Job, ...]
    server: str | None = None


class RemoteEngine:
    """An engine of servers. `keys` are one for each address, in order ("" for none); `model` is named to `openai` ones.

    A server that is down while loading is no obstacle: it is asked again when its turn comes. Any number of threads may
    call it at once, `load` and `close` apart: each waits for its own servers.
    """

    def __init__(
        self,
        addresses: Sequence[SpeechAddress],
        *,
        keys: Sequence[str] = (),
        model: str = "",
        patience: Patience | None = None,
        health: HealthPolicy | None = None,
        clock: Callable[[], float] = time.monotonic,
        make_client: Callable[[], httpx.AsyncClient] = make_client,
    ) -> None:
        self._patience = patience or Patience()
        self._clock = clock
        self._make_client = make_client
        self._client: httpx.AsyncClient | None = None
        self._loop: LoopThread | None = None
        self._unpack = lru_cache(maxsize=_UNPACKED)(unpack)
        servers = [
            Server(address, patience=self._patience, clock=clock, api_key=key, model=model)
            for address, key in zip(addresses, keys or [""] * len(addresses), strict=True)
        ]
        self._pool = Pool(servers, policy=health or HealthPolicy(), clock=clock)

    @property
    def info(self) -> EngineInfo:
        """All that at least one server can do; a voice that none of them can take is refused by `cast`."""
        infos = [server.info for server in self._pool.servers.values()]
        speaking = [info for info in infos if info.source_kinds]
        anything = any(not info.languages for info in speaking)
        return EngineInfo(
            name=NAME,
            model=", ".join(sorted({info.model for info in infos})),
            licence="that of the models the servers run",
            languages=frozenset() if anything else frozenset(tag for info in speaking for tag in info.languages),
            sample_rate_hz=SAMPLE_RATE_HZ,
            max_batch=MAX_BATCH,
            source_kinds=frozenset(kind for info in speaking for kind in info.source_kinds),
            designs=any(info.designs for info in infos),
        )

    def load(self) -> None:
        """Ask every server for its health and model, all at once. Raises EngineUnavailable when all refuse the key."""
        if self._client is not None:
            return
        self._client = self._make_client()
        self._loop = LoopThread(NAME)
        servers = self._pool.servers
        for server in servers.values():
            server.use(self._client)
        errors = dict(zip(servers, self._run(self._probed()), strict=True))
        for name, error in errors.items():
            if error is not None:
                _log.warning("remote.not_reached", server=servers[name].name, reason=str(error))
        refused = [error for error in errors.values() if isinstance(error, KeyRefused)]
        if len(refused) == len(errors):
            self.close()
            raise refused[0]

    def close(self) -> None:
        """Drop the connections; requests under way fail."""
        for server in self._pool.servers.values():
            server.use(None)
        if self._loop is not None and self._client is not None:
            self._loop.close(self._client.aclose)
        self._loop = self._client = None
        self._unpack.cache_clear()

    def cast(self, voice: Voice, sources: Sequence[PreparedSource]) -> VoiceProfile:
        """The voice as it will be sent, with what a Recado server made of it, within `Patience.total_s`.

        Raises BadVoice with every server's reason.
        """
        if not sources:
            raise BadVoice("the voice has no sources: a clip has to be designed of its prompt first")
        packed = pack(sources)
        able = self._able(packed, voice.language)
        keepers = [name for name in able if self._pool.servers[name].dialect is Dialect.RECADO]
        if keepers and any(source.audio for source in packed.sources):
            profile = self._run(self._profile(voice, packed, keepers, self._deadline_s()))
            packed = packed.model_copy(update={"profile": profile})
        return VoiceProfile(
            voice_id=voice.id,
            voice_version=voice.version,
            engine=NAME,
            model=self.info.model,
            data=packed.encoded(),
            facts=tuple(sorted(packed.profile.facts.items())) if packed.profile else (),
        )

    def design(self, prompt: str, *, text: str, language: str, seed: int) -> PcmAudio:
        """A clip from a server that designs. Raises EngineUnavailable when there is none, else its error."""
        able = [name for name, server in self._pool.servers.items() if server.info.designs]
        if not able:
            raise EngineUnavailable("no server of QWEN3_API_URL designs voices: add a VoiceDesign model or a Recado")
        expected_s = expected_duration_s(text, language)
        deadline_s = self._deadline_s()
        return self._run(
            self._pool.ask(
                able,
                lambda server: server.design(
                    prompt, text=text, language=language, seed=seed, expected_s=expected_s, deadline_s=deadline_s
                ),
                deadline_s=deadline_s,
            )
        )

    def synthesize(self, batch: Sequence[Utterance]) -> list[PcmAudio | TtsError]:
        """One result per utterance in order, within `Patience.total_s` for all of them."""
        deadline_s = self._deadline_s()
        results: dict[int, PcmAudio | TtsError] = {}
        jobs: list[tuple[Job, frozenset[str]]] = []
        for index, utterance in enumerate(batch):
            try:
                job = Job(index=index, utterance=utterance, pack=self._packed(utterance))
                jobs.append((job, self._able(job.pack, utterance.language)))
            except TtsError as error:
                results[index] = error
        results |= self._run(self._spoken(jobs, deadline_s))
        return [results[index] for index in range(len(batch))]

    # -- on the loop's thread --------------------------------------------------------------------------------------

    async def _probed(self) -> list[TtsError | None]:
        deadline_s = self._deadline_s()
        return await asyncio.gather(*(self._pool.probe(name, deadline_s=deadline_s) for name in self._pool.servers))

    async def _spoken(
        self, jobs: Sequence[tuple[Job, frozenset[str]]], deadline_s: float
    ) -> dict[int, PcmAudio | TtsError]:
        """The results by the jobs' indices; each job comes with the servers that are able to do it."""
        results: dict[int, PcmAudio | TtsError] = {}
        groups: dict[tuple[str, frozenset[str], object], list[Job]] = defaultdict(list)
        for job, able in jobs:
            try:
                server = self._pool.reserve(able)
            except TtsError as error:
                results[job.index] = error
            else:
                groups[server, able, sharing_key(self._pool.servers[server].dialect, job)].append(job)
        calls = [
            _Call(server=server, able=able, jobs=cut)
            for (server, able, _), group in groups.items()
            for cut in _cut(group, self._pool.servers[server].batch_max)
        ]
        answers = await asyncio.gather(*(self._called(call, deadline_s) for call in calls))
        for call, answer in zip(calls, answers, strict=True):
            results |= {job.index: result for job, result in zip(call.jobs, answer, strict=True)}
        return results

    async def _called(self, call: _Call, deadline_s: float) -> _Spoken:
        """One call to its end. A batch refused as a whole may be so for one text's sake: the others are spoken."""
        try:
            return await self._pool.ask(
                call.able,
                lambda server: server.speak(call.jobs, deadline_s=deadline_s),
                deadline_s=deadline_s,
                texts=len(call.jobs),
                reserved=call.server,
            )
        except (BadText, BadVoice, RequestRefused) as error:
            if len(call.jobs) == 1:
                return [error]
        except TtsError as error:
            return [error] * len(call.jobs)
        alone = (self._called(_Call(able=call.able, jobs=(job,)), deadline_s) for job in call.jobs)
        return [result for answer in await asyncio.gather(*alone) for result in answer]

    async def _profile(
        self, voice: Voice, packed: Pack, keepers: Sequence[str], deadline_s: float
    ) -> ProfileBody | None:
        """A Recado server's profile; None when none makes one, for the recordings serve as well."""
        try:
            return await self._pool.ask(
                keepers, lambda server: server.profile(voice, packed, deadline_s=deadline_s), deadline_s=deadline_s
            )
        except BadVoice:
            raise
        except TtsError as error:
            _log.warning("remote.no_profile", reason=type(error).__name__)
            return None

    # -- on the caller's -------------------------------------------------------------------------------------------

    def _run(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        loop = self._loop
        if loop is None:
            work.close()
            raise EngineUnavailable("the remote engine is not loaded")
        return loop.run(work)

    def _deadline_s(self) -> float:
        return self._clock() + self._patience.total_s

    def _packed(self, utterance: Utterance) -> Pack:
        """What the utterance is spoken with. Raises BadText, BadVoice."""
        if not utterance.text.strip():
            raise BadText("there is nothing to say")
        languages = self.info.languages
        if languages and match_language(utterance.language, languages) is None:
            raise BadVoice(f"no server speaks {utterance.language}; valid: {', '.join(sorted(languages))}")
        if utterance.profile is not None:
            return self._unpack(utterance.profile.data)
        sources = usable_sources(utterance.voice, self.info)
        if sources is None:
            takes = ", ".join(sorted(self.info.source_kinds)) or "no sources"
            raise BadVoice(f"it would be a stranger's voice: the servers take {takes}")
        return pack_names(sources)

    def _able(self, packed: Pack, language: str) -> frozenset[str]:
        """The servers that can speak so. Raises BadVoice with the reason of each when none can."""
        reasons = {
            name: refusal(server.dialect, server.info, packed.sources, language)
            for name, server in self._pool.servers.items()
        }
        able = frozenset(name for name, reason in reasons.items() if not reason)
        if not able:
            told = "; ".join(f"{self._pool.servers[name].name} {reason}" for name, reason in reasons.items())
            raise BadVoice(f"no server can speak this voice: {told}")
        return able


def _cut(jobs: Sequence[Job], size: int) -> list[tuple[Job, ...]]:
    return [tuple(jobs[start : start + size]) for start in range(0, len(jobs), size)]
