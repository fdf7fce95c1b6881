"""Tells speakers apart by their voice: the GE2E encoder that the wheel of Resemblyzer carries. Must not know voices.

Paper: Wan et al., "Generalized End-to-End Loss for Speaker Verification" (2018); weights Apache-2.0, resemble-ai. Only
the weights are taken: the package itself imports a voice detector that has to be compiled and a module scipy removed.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tts.audio.pcm import frame_levels_db, level_db, resample
from tts.contract import PcmAudio
from tts.errors import EngineUnavailable

if TYPE_CHECKING:
    import torch

SAMPLE_RATE_HZ = 16_000

_MELS = 40
_SIZE = 256
_FFT, _HOP = 400, 160
_WINDOW, _STEP = 160, 77  # frames of 10 ms
_LEVEL_DBFS = -30.0
_QUIET_DB = 35.0  # below the loudest frame: silence says nothing of a voice
_CURE = "install the extra `similarity`"


class ResemblyzerEncoder:
    """Embeds on a CPU thread of its own; 17 MB, about 0.1 s for 5 s of speech."""

    def __init__(self, *, weights: Path | None = None) -> None:
        self._weights = weights
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="speaker-encoder")
        self._layers: tuple[torch.nn.LSTM, torch.nn.Linear] | None = None

    async def embed(self, audio: PcmAudio) -> NDArray[np.float32]:
        """The voice as `(256,)` float32 of norm 1. Raises EngineUnavailable where the extra is missing."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._embed, audio)

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._layers = None

    def _embed(self, audio: PcmAudio) -> NDArray[np.float32]:
        lstm, linear = self._loaded()
        import torch  # noqa: PLC0415 - loaded with the weights

        mels = mel_spectrogram(_voiced(resample(audio, SAMPLE_RATE_HZ).samples))
        with torch.inference_mode():
            _, (hidden, _) = lstm(torch.from_numpy(_windows(mels)))
            partial = torch.relu(linear(hidden[-1]))
            mean = torch.nn.functional.normalize(partial, dim=1).mean(dim=0)
            vector: NDArray[np.float32] = torch.nn.functional.normalize(mean, dim=0).numpy()
        return vector

    def _loaded(self) -> tuple[torch.nn.LSTM, torch.nn.Linear]:
        if self._layers is None:
            path = self._weights or _packaged_weights()
            try:
                import torch  # noqa: PLC0415 - heavy libraries load on first use

                state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)["model_state"]
            except (ImportError, OSError) as error:
                raise EngineUnavailable(f"the speaker encoder cannot be loaded: {_CURE}") from error
            lstm, linear = torch.nn.LSTM(_MELS, _SIZE, 3, batch_first=True), torch.nn.Linear(_SIZE, _SIZE)
            for name, layer in (("lstm", lstm), ("linear", linear)):
                own = {key.removeprefix(f"{name}."): value for key, value in state.items() if key.startswith(name)}
                layer.load_state_dict(own)
            self._layers = lstm.eval(), linear.eval()
        return self._layers


def encoder_installed() -> bool:
    """Whether the extra is there, found out without importing it."""
    return find_spec("torch") is not None and find_spec("resemblyzer") is not None


def mel_spectrogram(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mel energies, `(frames, 40)` float32 of 25 ms every 10 ms, centred; 16 kHz in."""
    padded = np.pad(samples, _FFT // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FFT)[::_HOP]
    window = np.hanning(_FFT + 1)[:-1]
    power = np.abs(np.fft.rfft(frames * window, axis=1)) ** 2
    return (power @ _mel_filters().T).astype(np.float32)


@cache
def _mel_filters() -> NDArray[np.float64]:
    """Triangles of equal area on Slaney's mel scale (Auditory Toolbox, 1998), `(40, 201)`."""
    edges = _hz(np.linspace(0.0, _mel(SAMPLE_RATE_HZ / 2), _MELS + 2))
    bins = np.fft.rfftfreq(_FFT, 1 / SAMPLE_RATE_HZ)
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    filters: NDArray[np.float64] = np.maximum(0, np.minimum(rising, falling)) * (2 / (edges[2:] - edges[:-2]))[:, None]
    return filters


def _mel(hz: float) -> float:
    return 15 + 27 * float(np.log(hz / 1000)) / float(np.log(6.4))


def _hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    hz: NDArray[np.float64] = np.where(mel < 15, mel * 200 / 3, 1000 * np.exp(np.log(6.4) / 27 * (mel - 15)))
    return hz


def _voiced(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """The loud parts of the audio, raised to the level the encoder was trained with."""
    levels = frame_levels_db(PcmAudio(samples=samples, sample_rate_hz=SAMPLE_RATE_HZ), frame_s=0.03)
    width = round(0.03 * SAMPLE_RATE_HZ)
    loud = np.repeat(levels > levels.max() - _QUIET_DB, width)
    kept = samples[: len(loud)][loud[: len(samples)]]
    gain_db = max(0.0, _LEVEL_DBFS - level_db(kept))
    voiced: NDArray[np.float32] = (kept * 10 ** (gain_db / 20)).astype(np.float32)
    return voiced


def _windows(mels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Windows of 1.6 s every 0.77 s, `(windows, 160, 40)`; the last one is padded when it is three quarters full."""
    starts = list(range(0, max(1, len(mels) - _WINDOW + _STEP), _STEP))
    if len(starts) > 1 and len(mels) - starts[-1] < 0.75 * _WINDOW:
        starts.pop()
    padded = np.pad(mels, ((0, max(0, starts[-1] + _WINDOW - len(mels))), (0, 0)))
    return np.stack([padded[start : start + _WINDOW] for start in starts])


def _packaged_weights() -> Path:
    spec = find_spec("resemblyzer")
    if spec is None or spec.origin is None:
        raise EngineUnavailable(f"the speaker encoder is not installed: {_CURE}")
    return Path(spec.origin).parent / "pretrained.pt"
