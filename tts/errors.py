"""What can go wrong between text and voice note, as one tree.

TtsError                    retryable says whether the same call may succeed later
├── BadText                 the text holds nothing that can be spoken, or too much
├── BadAudio                bytes that should be audio and are not usable as such
│   ├── AudioTooLong        beyond the limit of length or size
│   └── BadSample           proper audio that cannot be a voice's sample
├── BadVoice                the voice asks for what does not exist or is not allowed
│   ├── NoConsent           it is built on a recording nobody allows now
│   └── StaleProfile        what was made of it is damaged, or of a model that is here no more
├── BlobLocked              stored bytes that no key at hand opens
├── EngineUnavailable       not configured, not loaded, model missing or damaged
├── EngineFailed            the engine tried and failed (retryable)
│   ├── EngineOverloaded    no room now: out of memory or queue full (retryable, with retry_after_s)
│   └── DeviceLost          the device failed under the engine: only a new process can use it
├── TakeRejected            the gate refused what the engine made (retryable: another take may pass)
├── DeadlineExceeded        it took longer than the caller could wait
└── NoVoice                 every engine of the order failed: answer in text
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from tts.contract import Attempt


class TtsError(Exception):
    """Base of everything `tts` raises on purpose."""

    retryable = False
    retry_after_s: float | None = None

    def for_another(self) -> Self:
        """The same error for one more of those it concerns: raising it adds a traceback of its own, to no other's."""
        other = type(self).__new__(type(self), *self.args)
        other.__dict__.update(self.__dict__)
        other.__cause__ = self.__cause__
        return other


class BadText(TtsError):
    """Nothing speakable, or more than may be spoken; the message names the cure."""


class BadAudio(TtsError):
    """Audio that cannot be read or breaks a limit; the message says what and why."""


class AudioTooLong(BadAudio):
    """Proper audio perhaps, but beyond the limit of length or size."""


class BadSample(BadAudio):
    """Audio that cannot be a voice's sample: too little speech, too low a rate, noise, clipping."""


class BadVoice(TtsError):
    """A voice that names an unknown style, language or source; valid names are listed."""


class NoConsent(BadVoice):
    """The consent for a recording in the voice's mix is missing, expired or withdrawn: never spoken, never cast."""


class StaleProfile(BadVoice):
    """A profile that its engine cannot speak with any more; casting the voice anew cures it."""


class BlobLocked(TtsError):
    """Bytes stored under another key, or with one where none is set; the message names the setting."""


class EngineUnavailable(TtsError):
    """The engine cannot serve here; the message names the cure."""


class EngineFailed(TtsError):
    """The engine raised or returned nonsense; its own error is the cause."""

    retryable = True


class EngineOverloaded(EngineFailed):
    """No capacity now; wait `retry_after_s` seconds."""

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class DeviceLost(EngineFailed):
    """The device failed under the engine, and everything it holds with it: its process has to be restarted."""

    retryable = False


class TakeRejected(TtsError):
    """The gate heard something wrong: silence, clipping, a length that cannot be."""

    retryable = True


class DeadlineExceeded(TtsError):
    """Not done in time; `attempts` tell how far it came."""

    retryable = True

    def __init__(self, message: str, *, attempts: tuple[Attempt, ...] = ()) -> None:
        super().__init__(message)
        self.attempts = attempts


class NoVoice(TtsError):
    """No engine of the order could speak this; `attempts` tell why, and so does the message."""

    def __init__(self, message: str, *, attempts: tuple[Attempt, ...] = ()) -> None:
        reasons = "; ".join(f"{one.engine}: {one.reason or one.outcome}" for one in attempts)
        super().__init__(f"{message} ({reasons})" if reasons else message)
        self.attempts = attempts
