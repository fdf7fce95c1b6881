"""The one door to the espeak-ng library: phonemes of a text, and its own plain speech. Must not know engines.

espeak-ng is GPLv3 and lives in the `espeakng-loader` wheel; nothing else in the code base touches it. The library keeps
its state in globals of the process, hence the one lock and the one initialisation here, whoever asks.
"""

from __future__ import annotations

import ctypes
import functools
import threading

import numpy as np
from numpy.typing import NDArray

from tts.errors import EngineFailed, EngineUnavailable

TIE = "^"

_LOCK = threading.Lock()
_SYNCHRONOUS_OUTPUT = 2
_DO_NOT_EXIT = 0x8000
_UTF8 = 1
_IPA = 0x02
_TIED = 0x80
_RATE_PARAMETER = 1
_POSITION_CHARACTERS = 1
_DEFAULT_WORDS_PER_MINUTE = 165
_WORDS_PER_MINUTE = (80, 450)
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


def phonemes(text: str, voice: str, *, tied: bool) -> str:
    """The IPA of `text` in an espeak voice, clauses joined by spaces.

    `tied` puts `TIE` between the letters of one sound (`t^ʃ`). Raises EngineUnavailable without the library,
    EngineFailed for a voice it does not have.
    """
    mode = _IPA | (_TIED | ord(TIE) << 8 if tied else 0)
    library, _rate = _library()
    with _LOCK:
        _choose(library, voice)
        rest = ctypes.c_char_p(text.encode())
        clauses: list[str] = []
        while rest.value:
            clause: bytes | None = library.espeak_TextToPhonemes(ctypes.byref(rest), _UTF8, mode)
            if clause:
                clauses.append(clause.decode())
    return " ".join(clauses)


def speech(text: str, voice: str, *, speed: float) -> tuple[NDArray[np.float32], int]:
    """`text` spoken by espeak itself: `(samples,)` float32 in [-1, 1] and the rate in Hz. Errors as `phonemes`."""
    library, rate_hz = _library()
    chunks: list[NDArray[np.int16]] = []

    def collect(wave: ctypes._Pointer[ctypes.c_short], count: int, _events: int | None) -> int:
        if count > 0:  # the last call brings no wave and no samples
            chunks.append(np.ctypeslib.as_array(wave, shape=(count,)).copy())
        return 0

    callback = _CALLBACK(collect)
    words_per_minute = min(max(round(_DEFAULT_WORDS_PER_MINUTE * speed), _WORDS_PER_MINUTE[0]), _WORDS_PER_MINUTE[1])
    encoded = text.encode()
    with _LOCK:
        _choose(library, voice)
        library.espeak_SetParameter(_RATE_PARAMETER, words_per_minute, 0)
        library.espeak_SetSynthCallback(callback)
        status = library.espeak_Synth(encoded, len(encoded) + 1, 0, _POSITION_CHARACTERS, 0, _UTF8, None, None)
        library.espeak_SetSynthCallback(_CALLBACK())
    if status != 0:
        raise EngineFailed(f"espeak-ng refused to speak (status {status})")
    samples = np.concatenate(chunks) if chunks else np.zeros(0, np.int16)
    return samples.astype(np.float32) / 32768.0, rate_hz


def load() -> None:
    """Bring the library up; raises EngineUnavailable with the cure."""
    _library()


@functools.cache
def _library() -> tuple[ctypes.CDLL, int]:
    """The initialised library and its sample rate in Hz."""
    import espeakng_loader  # noqa: PLC0415 - heavy libraries load on first use

    try:
        library = ctypes.CDLL(espeakng_loader.get_library_path())
    except OSError as error:
        raise EngineUnavailable("espeak-ng cannot be loaded: reinstall the package espeakng-loader") from error
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p
    library.espeak_TextToPhonemes.argtypes = [ctypes.POINTER(ctypes.c_char_p), ctypes.c_int, ctypes.c_int]
    library.espeak_SetSynthCallback.argtypes = [_CALLBACK]
    library.espeak_SetSynthCallback.restype = None
    library.espeak_Synth.argtypes = [
        ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int,
        ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p,
    ]  # fmt: skip
    with _LOCK:
        data_path = espeakng_loader.get_data_path().encode()
        rate_hz: int = library.espeak_Initialize(_SYNCHRONOUS_OUTPUT, 0, data_path, _DO_NOT_EXIT)
    if rate_hz <= 0:
        raise EngineUnavailable("espeak-ng finds no voice data: reinstall the package espeakng-loader")
    return library, rate_hz


def _choose(library: ctypes.CDLL, voice: str) -> None:
    if library.espeak_SetVoiceByName(voice.encode()) != 0:
        raise EngineFailed(f"espeak-ng has no voice {voice!r}")
