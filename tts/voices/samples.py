"""From an uploaded file to a sample of a voice: inspected, trimmed, levelled. Must not know stores or engines.

What is refused is refused with what was measured and what would be right (BadSample, or BadAudio from decoding); what
is only worth knowing is a warning in the report.
"""

from __future__ import annotations

import importlib.util
import io
import math
import warnings
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from tts.audio.decode import Decoded, DecodeLimits, decode, sniff_container
from tts.audio.loudness import hold_peaks, speech_level_db
from tts.audio.pcm import fade_edges, frame_levels_db, resample
from tts.audio.wholeness import what_is_missing
from tts.contract import PcmAudio, SourceKind
from tts.errors import AudioTooLong, BadAudio, BadSample, EngineUnavailable
from tts.voices.consent import Consent
from tts.voices.speech import Span, speech_spans

if TYPE_CHECKING:
    from pydub import AudioSegment

PREPARED_RATE_HZ = 24_000
LOUDNESS_LUFS = -19.0
_MARGIN_S = 0.2  # kept around speech; two of them are the longest pause left inside
_CROSSFADE_MS = 20
_RUMBLE_HZ = 55.0
_CLIPPED = 0.999
_FLOOR_PERCENTILE = 5
_ENOUGH_GAP_S = 0.3
_CANCELS_DB = 12.0  # one voice in one of eight channels loses 9 dB
_CUT_IT = "cut it to the best part, in which one person speaks"
_CONTAINERS = {"wav": "WAV", "mp3": "MP3", "flac": "FLAC", "ogg": "OGG", "mov": "M4A", "amr": "AMR"}


class SampleWarning(StrEnum):
    """What is accepted but makes a worse voice."""

    NARROWBAND = "narrowband"  # telephone quality; publishing has to confirm it
    NOISY = "noisy"
    CLIPPED = "clipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleLimits:
    """What a sample must keep to. Speech over noise is in dB, clipping is the part of samples at full scale."""

    max_bytes: int = 15_000_000
    max_file_s: float = 60.0
    min_speech_s: float = 3.0
    min_rate_hz: int = 8_000
    wideband_rate_hz: int = 16_000
    min_snr_db: float = 8.0
    clean_snr_db: float = 20.0
    max_clipped: float = 0.01
    clean_clipped: float = 0.0005


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleReport:
    """What was measured in a file. `speech_s` is what counts of it; levels in dBFS, `clipped` in [0, 1]."""

    container: str
    codec: str
    channels: int
    sample_rate_hz: int
    file_s: float
    speech_s: float
    level_dbfs: float
    noise_dbfs: float
    clipped: float
    warnings: tuple[SampleWarning, ...] = ()

    @property
    def snr_db(self) -> float:
        """Speech above noise."""
        return self.level_dbfs - self.noise_dbfs


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSample:
    """A recording that voices are made of: `id` is the blob of its prepared audio, `transcript` covers all of it.

    A DESIGNED clip is nobody's voice and needs no consent; a SAMPLE is never used without one. `erased_at` is set where
    only the record is left, as the proof of a withdrawn consent.
    """

    id: str
    kind: SourceKind
    language: str
    added_at: datetime
    transcript: str = ""
    consent: Consent | None = None
    report: SampleReport | None = None
    erased_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class InspectedSample:
    """A file that passed: mono audio at its own rate, and where the speech is."""

    report: SampleReport
    audio: PcmAudio
    speech: tuple[Span, ...]


def check_packages() -> None:
    """Raise EngineUnavailable, with the cure, where `prepare_sample` would; loads nothing."""
    if not all(importlib.util.find_spec(name) for name in _PACKAGES):
        raise EngineUnavailable(_CURE)


def inspect_sample(data: bytes, *, limits: SampleLimits | None = None) -> InspectedSample:
    """The file's audio with what was measured in it. Blocks for about 5 ms a second of audio.

    Raises BadSample or BadAudio; nothing larger than the limits is ever unfolded in memory.
    """
    limits = limits or SampleLimits()
    decoded = _whole(data, limits)
    audio = decoded.audio
    if audio.sample_rate_hz < limits.min_rate_hz:
        raise BadSample(f"recorded at {audio.sample_rate_hz} Hz; a sample needs {limits.min_rate_hz} Hz or more")
    if decoded.mix_loss_db > _CANCELS_DB:
        raise BadSample(
            f"the channels cancel each other: mixed to one they are {decoded.mix_loss_db:.0f} dB quieter; send one "
            "channel alone"
        )
    audio = _without_rumble(audio)
    speech = speech_spans(audio)
    speech_s = sum(span.duration_s for span in speech)
    if speech_s < limits.min_speech_s:
        raise BadSample(
            f"{math.floor(10 * speech_s) / 10:.1f} s of speech in {audio.duration_s:.1f} s of file; a sample needs "
            f"{limits.min_speech_s:.1f} s or more of one person speaking"
        )
    report = SampleReport(
        container=decoded.container,
        codec=decoded.codec,
        channels=decoded.channels,
        sample_rate_hz=audio.sample_rate_hz,
        file_s=audio.duration_s,
        speech_s=speech_s,
        level_dbfs=speech_level_db(_only(audio, speech)),
        noise_dbfs=_noise_dbfs(audio, speech),
        clipped=float(np.mean(np.abs(decoded.audio.samples) >= _CLIPPED)),  # the filter would tilt flat tops
    )
    return InspectedSample(report=_judged(report, limits), audio=audio, speech=speech)


def prepare_sample(sample: InspectedSample) -> PcmAudio:
    """The speech alone, 24 kHz mono at -19 LUFS with true peaks held: ready for an engine.

    Ends are trimmed and long pauses cut to 0.4 s by crossfades. Raises EngineUnavailable where a package is missing.
    """
    audio = _spoken_parts(resample(sample.audio, PREPARED_RATE_HZ), sample.speech)
    return fade_edges(level_reference(audio))


def level_reference(audio: PcmAudio) -> PcmAudio:
    """At -19 LUFS (ITU-R BS.1770, by pyloudnorm) with true peaks held by the limiter; needs 0.4 s or more."""
    try:
        import pyloudnorm  # noqa: PLC0415 - heavy, it brings scipy
    except ImportError as error:
        raise EngineUnavailable(_CURE) from error
    loudness = pyloudnorm.Meter(audio.sample_rate_hz).integrated_loudness(audio.samples.astype(np.float64))
    if not np.isfinite(loudness):
        raise BadSample("the speech is too quiet to be levelled")
    gain = np.float32(10.0 ** ((LOUDNESS_LUFS - loudness) / 20.0))
    return hold_peaks(PcmAudio(samples=audio.samples * gain, sample_rate_hz=audio.sample_rate_hz))


def encode_sample(audio: PcmAudio) -> bytes:
    """Prepared audio as it is kept: FLAC, 16 bit, at its own rate."""
    file = io.BytesIO()
    soundfile.write(file, np.clip(audio.samples, -1.0, 1.0), audio.sample_rate_hz, format="FLAC", subtype="PCM_16")
    return file.getvalue()


_PACKAGES = ("pydub", "pyloudnorm")
_CURE = (
    f"samples need the packages {' and '.join(_PACKAGES)}, which come with Recado, and one of them is missing or "
    "broken: `pip install -e .` in its folder, or `make demo`, installs them"
)


def _whole(data: bytes, limits: SampleLimits) -> Decoded:
    """The file decoded; raises BadAudio for what is too large, of no known kind, broken or cut short."""
    if len(data) > limits.max_bytes:
        raise AudioTooLong(
            f"the file has {len(data) / 1e6:.1f} MB; a sample has at most {limits.max_bytes / 1e6:g} MB: {_CUT_IT}"
        )
    if data and sniff_container(data) not in _CONTAINERS:
        raise BadAudio(f"not a file that samples are read from; use {', '.join(_CONTAINERS.values())}")
    try:
        decoded = decode(data, limits=DecodeLimits(max_bytes=limits.max_bytes, max_duration_s=limits.max_file_s))
    except AudioTooLong as error:
        raise AudioTooLong(f"{error}: {_CUT_IT}") from error
    missing = what_is_missing(data, decoded)
    if missing:
        raise BadSample(f"{missing}; send the whole file")
    return decoded


def _without_rumble(audio: PcmAudio) -> PcmAudio:
    """The audio without a constant offset and what lies under 40 Hz, shifted nowhere: no voice has anything there.

    Both would count as level and as noise. At 40 Hz 33 dB are taken, at 70 Hz less than 1 dB.
    """
    try:
        from scipy.signal import butter, sosfiltfilt  # noqa: PLC0415 - it comes with pyloudnorm
    except ImportError as error:
        raise EngineUnavailable(_CURE) from error
    filter_ = butter(6, _RUMBLE_HZ, btype="highpass", fs=audio.sample_rate_hz, output="sos")
    if len(audio.samples) <= 3 * (2 * len(filter_) + 1):  # the padding at the ends needs more
        return audio
    samples = sosfiltfilt(filter_, audio.samples.astype(np.float64)).astype(np.float32)
    return replace(audio, samples=samples)


def _judged(report: SampleReport, limits: SampleLimits) -> SampleReport:
    """The report with its warnings; raises BadSample for what no voice should be made of."""
    if report.clipped > limits.max_clipped:
        raise BadSample(
            f"clipped: {100 * report.clipped:.1f} % of the samples are at full scale, at most "
            f"{100 * limits.max_clipped:g} % may be; record it more quietly"
        )
    if report.snr_db < limits.min_snr_db:
        raise BadSample(
            f"noise: the speech is only {report.snr_db:.0f} dB above the noise floor ({report.noise_dbfs:.0f} dBFS), "
            f"it needs {limits.min_snr_db:g} dB; record it in a quieter room or nearer to the microphone"
        )
    found = {
        SampleWarning.NARROWBAND: report.sample_rate_hz < limits.wideband_rate_hz,
        SampleWarning.NOISY: report.snr_db < limits.clean_snr_db,
        SampleWarning.CLIPPED: report.clipped > limits.clean_clipped,
    }
    return replace(report, warnings=tuple(warning for warning, is_so in found.items() if is_so))


def _only(audio: PcmAudio, spans: tuple[Span, ...]) -> PcmAudio:
    rate = audio.sample_rate_hz
    pieces = [audio.samples[round(span.start_s * rate) : round(span.end_s * rate)] for span in spans]
    return PcmAudio(samples=np.concatenate(pieces), sample_rate_hz=rate)


def _noise_dbfs(audio: PcmAudio, speech: tuple[Span, ...]) -> float:
    """The level between the utterances; where nobody pauses, that of the quietest frames."""
    levels = frame_levels_db(audio)
    middles_s = (np.arange(len(levels)) + 0.5) * audio.duration_s / len(levels)
    silent = np.ones(len(levels), dtype=bool)
    for span in speech:
        silent &= (middles_s < span.start_s - 0.05) | (middles_s > span.end_s + 0.05)
    if silent.sum() * 0.01 >= _ENOUGH_GAP_S:
        return float(np.median(levels[silent]))
    return float(np.percentile(levels, _FLOOR_PERCENTILE))


def _spoken_parts(audio: PcmAudio, speech: tuple[Span, ...]) -> PcmAudio:
    """Utterances with margins, joined with crossfades by pydub.

    Decoding, resampling and gain stay outside it: pydub calls ffmpeg for the first, aliases at the second and clips
    at the third before the limiter could help.
    """
    segment = _pydub_segment(audio)
    margins = [(max(0.0, span.start_s - _MARGIN_S), span.end_s + _MARGIN_S) for span in speech]
    merged: list[tuple[float, float]] = []
    for start_s, end_s in margins:
        if merged and start_s <= merged[-1][1]:
            merged[-1] = (merged[-1][0], end_s)
        else:
            merged.append((start_s, end_s))
    pieces = [segment[round(start_s * 1000) : round(end_s * 1000)] for start_s, end_s in merged]
    joined = reduce(lambda whole, piece: whole.append(piece, crossfade=_CROSSFADE_MS), pieces)
    samples = np.frombuffer(joined.raw_data, dtype="<i4").astype(np.float64) / 2**31
    return PcmAudio(samples=samples.astype(np.float32), sample_rate_hz=audio.sample_rate_hz)


def _pydub_segment(audio: PcmAudio) -> AudioSegment:
    try:
        with warnings.catch_warnings():
            # It warns of the ffmpeg that it is not asked to call, and of audioop, which has its own package now.
            warnings.simplefilter("ignore")
            from pydub import AudioSegment  # noqa: PLC0415 - only samples need it
    except ImportError as error:
        raise EngineUnavailable(_CURE) from error
    data = (np.clip(audio.samples.astype(np.float64), -1.0, 1.0) * (2**31 - 1)).astype("<i4").tobytes()
    return AudioSegment(data=data, sample_width=4, frame_rate=audio.sample_rate_hz, channels=1)
