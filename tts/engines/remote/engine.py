"""Speaks through other servers: several at once, the least loaded first, another one when one fails.

Must not know how a request looks (`dialects`), how it travels (`server`), or what health is (`choice`).
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import lru_cache

import httpx
import structlog

from tts.contract import EngineInfo, PcmAudio, PreparedSource, SourceKind, Utterance, Voice, VoiceProfile, VoiceSource
from tts.engines.remote.choice import HealthPolicy
from tts.engines.remote.dialects import DIALECTS, NAME, SAMPLE_RATE_HZ, Job, refusal, sharing_key
from tts.engines.remote.pack import Pack, pack, pack_names, unpack
from tts.engines.remote.pool import Pool
from tts.engines.remote.refusals import KeyRefused
from tts.engines.remote.server import Patience, Server, make_client
from tts.engines.remote.wire import ProfileBody, SourceBody
from tts.errors import BadText, BadVoice, EngineFailed, EngineUnavailable, TtsError
from tts.languages import match_language
from tts.speech_address import Dialect, SpeechAddress
from tts.text import expected_duration_s
from tts.voices.design import design_text
from tts.voices.mix import usable_sources

_log = structlog.get_logger()

MAX_BATCH = 32
_GRACE_S = 1.0  # a request's own deadline comes first; this only catches a server that drips its headers
_UNPACKED = 16


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Call:
    """Jobs that go to one server together; `able` are all that could take them."""

    server: str
    able: frozenset[str]
    jobs: tuple[Job, ...]


class RemoteEngine:
    """An engine of servers. `keys` are one for each address, in order ("" for none); `model` is named to `openai` ones.

    A server that is down while loading is no obstacle: it is asked again when its turn comes.
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
        make_client: Callable[[], httpx.Client] = make_client,
    ) -> None:
        self._patience = patience or Patience()
        self._clock = clock
        self._make_client = make_client
        self._client: httpx.Client | None = None
        self._threads: ThreadPoolExecutor | None = None
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
        self._threads = ThreadPoolExecutor(max_workers=MAX_BATCH, thread_name_prefix="remote")
        servers = self._pool.servers
        for server in servers.values():
            server.use(self._client)
        errors = dict(zip(servers, self._threads.map(self._pool.probe, servers), strict=True))
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
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
        if self._client is not None:
            self._client.close()
        self._threads = self._client = None
        self._unpack.cache_clear()

    def cast(self, voice: Voice, sources: Sequence[PreparedSource]) -> VoiceProfile:
        """The voice as it will be sent, with what a Recado server made of it. Raises BadVoice with every reason."""
        if not sources and voice.prompt and not self._takes_prompts():
            sources = [self._designed(voice)]
        packed = pack(sources)
        able = self._able(voice, packed)
        keepers = [name for name in able if self._pool.servers[name].dialect is Dialect.RECADO]
        if keepers and any(source.audio for source in packed.sources):
            packed = packed.model_copy(update={"profile": self._profile(voice, packed, keepers)})
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
        return self._pool.ask(
            able,
            lambda server: server.design(prompt, text=text, language=language, seed=seed, expected_s=expected_s),
        )

    def synthesize(self, batch: Sequence[Utterance]) -> list[PcmAudio | TtsError]:
        """One result per utterance in order, within `Patience.total_s` for all of them."""
        if self._threads is None:
            raise EngineUnavailable("the remote engine is not loaded")
        deadline_s = self._clock() + self._patience.total_s
        results: list[PcmAudio | TtsError] = [EngineFailed("no server answered in time") for _ in batch]
        groups: dict[tuple[str, frozenset[str], object], list[Job]] = defaultdict(list)
        for index, utterance in enumerate(batch):
            try:
                job = Job(index=index, utterance=utterance, pack=self._packed(utterance))
                able = self._able(utterance.voice, job.pack, utterance.language)
                server = self._pool.reserve(able)
            except TtsError as error:
                results[index] = error
            else:
                groups[server, able, sharing_key(self._pool.servers[server].dialect, job)].append(job)
        calls = [
            _Call(server=server, able=able, jobs=jobs)
            for (server, able, _), group in groups.items()
            for jobs in _cut(group, self._pool.servers[server].batch_max)
        ]
        running: dict[Future[list[PcmAudio | TtsError]], _Call] = {
            self._threads.submit(self._speak, call, deadline_s): call for call in calls
        }
        done, _late = wait(running, timeout=self._patience.total_s + _GRACE_S)
        for future in done:
            for job, result in zip(running[future].jobs, future.result(), strict=True):
                results[job.index] = result
        return results

    def _speak(self, call: _Call, deadline_s: float) -> list[PcmAudio | TtsError]:
        """One call to its end, on a thread of the engine's own."""
        try:
            return self._ask(call.able, call.jobs, deadline_s, reserved=call.server)
        except TtsError as error:
            if error.retryable or len(call.jobs) == 1:
                return [error] * len(call.jobs)
        # A batch refused as a whole may be so for one text's sake: one by one, the others are spoken.
        results: list[PcmAudio | TtsError] = []
        for job in call.jobs:
            try:
                results += self._ask(call.able, (job,), deadline_s)
            except TtsError as error:
                results.append(error)
        return results

    def _ask(
        self, able: frozenset[str], jobs: Sequence[Job], deadline_s: float, *, reserved: str | None = None
    ) -> list[PcmAudio | TtsError]:
        return self._pool.ask(
            able, lambda server: server.speak(jobs, deadline_s=deadline_s), texts=len(jobs), reserved=reserved
        )

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

    def _able(self, voice: Voice, packed: Pack, language: str | None = None) -> frozenset[str]:
        """The servers that can speak so. Raises BadVoice with the reason of each when none can."""
        reasons = {
            name: refusal(server.dialect, server.info, voice, packed.sources, language or voice.language)
            for name, server in self._pool.servers.items()
        }
        able = frozenset(name for name, reason in reasons.items() if not reason)
        if not able:
            told = "; ".join(f"{self._pool.servers[name].name} {reason}" for name, reason in reasons.items())
            raise BadVoice(f"no server can speak this voice: {told}")
        return able

    def _takes_prompts(self) -> bool:
        return any(DIALECTS[server.dialect].designs for server in self._pool.servers.values())

    def _designed(self, voice: Voice) -> PreparedSource:
        """A clip in the voice of the prompt: what a voice without sources is cloned from, the same in every note."""
        source = VoiceSource(kind=SourceKind.DESIGNED, ref=f"{voice.id}-{voice.version}")
        self._able(voice, Pack(sources=(SourceBody(kind=source.kind, ref=source.ref, weight=1.0),)))
        text, language = design_text(voice.language)
        clip = self.design(voice.prompt, text=text, language=language, seed=voice.seed or 0)
        return PreparedSource(source=source, audio=clip, transcript=text)

    def _profile(self, voice: Voice, packed: Pack, keepers: Sequence[str]) -> ProfileBody | None:
        """A Recado server's profile; None when none makes one, for the recordings serve as well."""
        try:
            return self._pool.ask(keepers, lambda server: server.profile(voice, packed))
        except BadVoice:
            raise
        except TtsError as error:
            _log.warning("remote.no_profile", reason=type(error).__name__)
            return None


def _cut(jobs: Sequence[Job], size: int) -> list[tuple[Job, ...]]:
    return [tuple(jobs[start : start + size]) for start in range(0, len(jobs), size)]
