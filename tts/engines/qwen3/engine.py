"""Qwen3-TTS as an engine: which model speaks, casts or designs, and what is refused. Must not know other engines.

Clones and blends are spoken by the Base model, timbres by CustomVoice; VoiceDesign makes a reference clip when a voice
is created, never while somebody waits for a turn. Apache-2.0, code and weights.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from tts.contract import (
    EngineInfo,
    PcmAudio,
    PreparedSource,
    SourceKind,
    Utterance,
    Voice,
    VoiceProfile,
)
from tts.engines.qwen3.casting import Facts, cast_clone, cast_timbre, check_fit, weighted
from tts.engines.qwen3.models import (
    SETTING,
    Checkpoints,
    Kind,
    Line,
    LoadedModel,
    Placement,
    folder_of,
    import_qwen,
    load_model,
    model_name,
)
from tts.engines.qwen3.profile import Clone, Timbre, pack, unpack
from tts.engines.qwen3.prompts import (
    LANGUAGES,
    SAMPLE_RATE_HZ,
    TIMBRES,
    language_name,
    most_frames,
    speakable,
    without_special,
)
from tts.engines.qwen3.takes import Order, speak, with_room
from tts.engines.torch_device import free_device_memory, translated
from tts.errors import BadVoice, DeviceLost, EngineUnavailable, StaleProfile, TtsError
from tts.text import expected_duration_s
from tts.voices.likeness import SHORTEST_HEARD_S, compared

_log = structlog.get_logger()

_NAME = "qwen3"
_DESIGN_KEPT_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Qwen3Choices:
    """How this installation runs Qwen3-TTS.

    A take longer than `runaway_factor` times its expected length and a second is rejected. Sources at least
    `same_speaker` alike (cosine) count as one person, whose reference is continued where `icl` allows it. `listens`
    compares every take of a clone with its profile; without, only those of voices that must resemble. `greedy` takes
    the likeliest code always: for tests of batches.
    """

    checkpoints: Checkpoints
    placement: Placement = field(default_factory=Placement)
    max_batch: int = 16
    runaway_factor: float = 2.5
    same_speaker: float = 0.85
    icl: bool = True
    listens: bool = False
    greedy: bool = False


class Qwen3Engine:
    """Designs, casts and speaks; a batch may mix voices, languages and prompts with and without a reference.

    `clock` counts seconds for the design model, which leaves memory ten minutes after its last use.
    """

    def __init__(self, choices: Qwen3Choices, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._choices = choices
        self._clock = clock
        self._models: dict[Kind, LoadedModel] = {}
        self._open = False
        self._designed_at_s = 0.0

    @property
    def info(self) -> EngineInfo:
        """Capabilities; before `load` those of the published checkpoints."""
        has = self._choices.checkpoints
        custom = self._models.get(Kind.CUSTOM)
        kinds = {SourceKind.SAMPLE, SourceKind.DESIGNED} if has.base else set()
        return EngineInfo(
            name=_NAME,
            model=" + ".join(filter(None, map(self._name, (Kind.BASE, Kind.CUSTOM)))) or "none",
            licence="Apache-2.0",
            languages=self._languages(),
            sample_rate_hz=SAMPLE_RATE_HZ,
            max_batch=self._choices.max_batch,
            source_kinds=frozenset(kinds | {SourceKind.TIMBRE} if has.custom else kinds),
            designs=bool(has.base and has.design),
            names=(custom.timbres if custom else TIMBRES) if has.custom else (),
            paces=False,
        )

    def load(self) -> None:
        """Bring all models that speak into memory, warm. Raises EngineUnavailable."""
        self.load_for(self.info.source_kinds)

    def load_for(self, kinds: frozenset[SourceKind] = frozenset(), *, designing: bool = False) -> None:
        """Bring models into memory, warm: Base for clones, CustomVoice for timbres, VoiceDesign for `designing`.

        Raises EngineUnavailable; then what it had in memory before is all it has.
        """
        if not self.info.source_kinds:
            raise EngineUnavailable(f"no Qwen3-TTS model speaks: set {SETTING[Kind.BASE]} or QWEN3_SIZE")
        import_qwen()
        missing = [kind for kind in _models_of(kinds, designing=designing) if kind not in self._models]
        try:
            for kind in missing:
                self._model(kind)
        except BaseException:
            for kind in missing:
                self._models.pop(kind, None)
            free_device_memory()
            raise
        if designing:
            self._designed_at_s = self._clock()
        self._open = True

    def ready_for(self, kinds: frozenset[SourceKind]) -> bool:
        """Whether the models for voices made of `kinds` are in memory."""
        return all(kind in self._models for kind in _models_of(kinds))

    def fetch(self, kinds: frozenset[SourceKind] = frozenset(), *, designing: bool = False) -> None:
        """Bring models onto this machine's disk. Raises EngineUnavailable."""
        for kind in _models_of(kinds, designing=designing):
            checkpoint = self._choices.checkpoints.of(kind)
            if checkpoint:
                folder_of(checkpoint, kind, self._choices.placement.cache_dir)

    def close(self) -> None:
        """Free all models and the device's memory."""
        self._open = False
        self._models.clear()
        free_device_memory()

    def synthesize(self, batch: Sequence[Utterance]) -> list[PcmAudio | TtsError]:
        """One `(samples,)` float32 at 24 kHz per utterance in order, or what was wrong with it."""
        if not self._open:
            raise EngineUnavailable("Qwen3-TTS is not loaded")
        self._release_design(idle_s=_DESIGN_KEPT_S)
        results: dict[int, PcmAudio | TtsError] = {}
        orders: dict[Kind, list[tuple[int, Order]]] = {}
        for place, utterance in enumerate(batch):
            try:
                kind, order = self._order(utterance)
            except TtsError as error:
                results[place] = error
            except Exception as error:  # noqa: BLE001 - one item that nobody foresaw costs its neighbours nothing
                _log.exception("qwen3.not_understood", voice=utterance.voice.id)
                results[place] = translated(error, _NAME)
            else:
                orders.setdefault(kind, []).append((place, order))
        for kind, placed in orders.items():
            model = self._models[kind]
            takes = speak(model, [order for _, order in placed], make_room=self._make_room)
            results.update(
                (place, self._heard(model, take, batch[place], order.line.voice))
                for (place, order), take in zip(placed, takes, strict=True)
            )
        return [results[place] for place in range(len(batch))]

    def cast(self, voice: Voice, sources: Sequence[PreparedSource]) -> VoiceProfile:
        """The profile of a voice: a timbre's name, or the blend of samples and designed clips.

        Raises BadVoice, BadAudio.
        """
        if not self._open:
            raise EngineUnavailable("Qwen3-TTS is not loaded")
        parts = weighted(sources)
        facts: Facts = ()
        made: Clone | Timbre
        if any(prepared.source.kind is SourceKind.TIMBRE for prepared, _ in parts):
            made = cast_timbre(self._speaking(Kind.CUSTOM), parts)
        elif all(prepared.source.kind in (SourceKind.SAMPLE, SourceKind.DESIGNED) for prepared, _ in parts):
            base, choices = self._speaking(Kind.BASE), self._choices
            made, facts = with_room(
                lambda: cast_clone(base, parts, same_speaker=choices.same_speaker, icl=choices.icl),
                make_room=self._make_room,
            )
        else:
            raise BadVoice("Qwen3-TTS makes no voice of a style; it takes samples, designed clips and its timbres")
        return VoiceProfile(
            voice_id=voice.id,
            voice_version=voice.version,
            engine=_NAME,
            model=self.info.model,
            data=pack(made),
            facts=facts,
        )

    def design(self, prompt: str, *, text: str, language: str, seed: int) -> PcmAudio:
        """A clip that says `text` in the voice of the prompt.

        The design model is loaded for it, which takes seconds. Raises EngineUnavailable without one, TakeRejected when
        the take does not stop: another seed may.
        """
        if not self._choices.checkpoints.design:
            raise EngineUnavailable(f"no model designs voices here: set {SETTING[Kind.DESIGN]}")
        model = self._model(Kind.DESIGN)
        self._designed_at_s = self._clock()
        expected_s = expected_duration_s(text, language)
        line = Line(
            text=speakable(text, model.special),
            language=language_name(language, model.languages),
            voice="",
            instruct=without_special(prompt, model.special),
        )
        (take,) = speak(model, [self._ordered(line, expected_s=expected_s, seed=seed)])
        if isinstance(take, TtsError):
            raise take
        return take

    # -- models ---------------------------------------------------------------------------------------------------

    def _languages(self) -> frozenset[str]:
        known = [self._models[kind].languages for kind in (Kind.BASE, Kind.CUSTOM) if kind in self._models]
        return frozenset.intersection(frozenset(LANGUAGES), *known)

    def _name(self, kind: Kind) -> str:
        """What a model is called: as it was when it was loaded, whatever lies in its folder by now. "" for none."""
        if kind in self._models:
            return self._models[kind].name
        checkpoint = self._choices.checkpoints.of(kind)
        return model_name(checkpoint) if checkpoint else ""

    def _model(self, kind: Kind) -> LoadedModel:
        """The model, loaded and warm. Raises EngineUnavailable."""
        if kind not in self._models:
            checkpoint = self._choices.checkpoints.of(kind)
            if checkpoint is None:
                raise EngineUnavailable(f"{SETTING[kind]} is not set")
            model = load_model(checkpoint, kind, self._choices.placement, greedy=self._choices.greedy)
            with_room(model.warm)
            self._models[kind] = model
        return self._models[kind]

    def _speaking(self, kind: Kind) -> LoadedModel:
        if kind not in self._models:
            configured = self._choices.checkpoints.of(kind)
            raise BadVoice(
                f"this voice needs a model that is not {'loaded' if configured else 'here'}: {SETTING[kind]}"
            )
        return self._models[kind]

    def _release_design(self, *, idle_s: float) -> None:
        if Kind.DESIGN in self._models and self._clock() - self._designed_at_s >= idle_s:
            del self._models[Kind.DESIGN]
            free_device_memory()

    # -- speaking -------------------------------------------------------------------------------------------------

    def _order(self, utterance: Utterance) -> tuple[Kind, Order]:
        """Who speaks it, and how. Raises BadText, BadVoice."""
        if utterance.profile is None:
            raise BadVoice("the voice has not been cast for Qwen3-TTS")
        if utterance.profile.engine != _NAME:
            raise StaleProfile(f"the profile was made by {utterance.profile.engine}: cast the voice for {_NAME}")
        profile = unpack(utterance.profile.data)
        kind = Kind.CUSTOM if isinstance(profile, Timbre) else Kind.BASE
        model = self._speaking(kind)
        check_fit(model, profile)
        line = Line(
            text=speakable(utterance.text, model.special),
            language=language_name(utterance.language, model.languages),
            voice=profile if isinstance(profile, Clone) else profile.name,
            instruct=without_special(utterance.voice.prompt, model.special),
        )
        return kind, self._ordered(line, expected_s=utterance.expected_s, seed=utterance.seed)

    def _ordered(self, line: Line, *, expected_s: float, seed: int | None) -> Order:
        frames = most_frames(expected_s, factor=self._choices.runaway_factor)
        return Order(line=line, frames=frames, expected_s=expected_s, seed=seed)

    def _heard(
        self, model: LoadedModel, take: PcmAudio | TtsError, utterance: Utterance, voice: Clone | str
    ) -> PcmAudio | TtsError:
        """The take, with how alike it is to the clone's profile where somebody wants to know."""
        wanted = self._choices.listens or utterance.voice.must_resemble
        if not wanted or isinstance(take, TtsError) or isinstance(voice, str) or take.duration_s < SHORTEST_HEARD_S:
            return take
        try:
            return compared(take, with_room(lambda: model.embedding(take), make_room=self._make_room), voice.embedding)
        except DeviceLost as error:
            return error
        except Exception as error:  # noqa: BLE001 - the take is made: a comparison that fails costs nobody a note
            _log.warning("qwen3.take_not_compared", error=type(error).__name__)
            return take

    def _make_room(self) -> None:
        self._release_design(idle_s=0.0)
        free_device_memory()


def _models_of(kinds: frozenset[SourceKind], *, designing: bool = False) -> list[Kind]:
    """The models that speak voices made of `kinds`, and the one that designs."""
    clones = SourceKind.SAMPLE in kinds or SourceKind.DESIGNED in kinds
    return [Kind.BASE] * clones + [Kind.CUSTOM] * (SourceKind.TIMBRE in kinds) + [Kind.DESIGN] * designing
