"""What XTTS makes of a voice: two tensors, and how they are heard, kept and read. Must not know how it speaks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tts.audio.pcm import resample
from tts.contract import PcmAudio, VoiceProfile
from tts.errors import BadVoice, StaleProfile

if TYPE_CHECKING:
    import torch
    from TTS.tts.models.xtts import Xtts

NAME = "xtts"
REFERENCE_RATE_HZ = 22_050

_LATENT, _EMBEDDING = "gpt_cond_latent", "speaker_embedding"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Conditioning:
    """A voice of XTTS. Both float32: `latent` `(1, 32, channels)`, `embedding` `(1, 512, 1)` of norm 1."""

    latent: NDArray[np.float32]
    embedding: NDArray[np.float32]


def listen(model: Xtts, audio: PcmAudio) -> Conditioning:
    """Latents of the first seconds that the checkpoint's configuration wants, averaged over its chunks."""
    config = model.config
    latent = model.get_gpt_cond_latents(
        _samples(audio), REFERENCE_RATE_HZ, length=config.gpt_cond_len, chunk_length=config.gpt_cond_chunk_len
    )
    return Conditioning(latent=_array(latent), embedding=speaker_of(model, audio))


def speaker_of(model: Xtts, audio: PcmAudio) -> NDArray[np.float32]:
    """The speaker embedding alone, `(1, 512, 1)`."""
    reference = _samples(audio)[:, : model.config.max_ref_len * REFERENCE_RATE_HZ]
    return _array(model.get_speaker_embedding(reference, REFERENCE_RATE_HZ))


def own_speakers(model: Xtts) -> dict[str, Conditioning]:
    """The speakers the checkpoint brings along, by name."""
    speakers: Mapping[str, Mapping[str, Any]] = model.speaker_manager.speakers if model.speaker_manager else {}
    return {
        name: Conditioning(latent=_array(tensors[_LATENT]), embedding=_array(tensors[_EMBEDDING]))
        for name, tensors in speakers.items()
    }


def packed(conditioning: Conditioning) -> bytes:
    """As safetensors."""
    from safetensors.numpy import save  # noqa: PLC0415 - comes with the extra

    return save({_LATENT: conditioning.latent, _EMBEDDING: conditioning.embedding})


def unpacked(profile: VoiceProfile | None, *, name: str, model: Xtts) -> Conditioning:
    """What `packed` kept, for `model`, which is called `name`.

    Raises BadVoice without one, or for one damaged or of another model.
    """
    from safetensors import SafetensorError  # noqa: PLC0415 - comes with the extra
    from safetensors.numpy import load  # noqa: PLC0415

    if profile is None:
        raise BadVoice("the voice has not been cast for XTTS")
    if (profile.engine, profile.model) != (NAME, name):
        raise StaleProfile(f"the profile was made by {profile.engine} {profile.model}, not by {name}")
    try:
        tensors = load(profile.data)
        latent, embedding = tensors[_LATENT], tensors[_EMBEDDING]
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise StaleProfile("the profile is damaged: cast the voice again") from error
    for tensor, shape in (
        (latent, (1, latent.shape[1] if latent.ndim > 1 else 0, model.args.gpt_n_model_channels)),
        (embedding, (1, model.args.d_vector_dim, 1)),
    ):
        if tensor.dtype != np.float32 or tensor.shape != shape or not tensor.size or not np.isfinite(tensor).all():
            raise StaleProfile("the profile is damaged: cast the voice again")
    return Conditioning(latent=latent, embedding=embedding)


def _samples(audio: PcmAudio) -> torch.Tensor:
    import torch  # noqa: PLC0415 - loaded since the model was

    return torch.from_numpy(resample(audio, REFERENCE_RATE_HZ).samples)[None]


def _array(tensor: torch.Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = tensor.detach().cpu().numpy().astype(np.float32)
    return array
