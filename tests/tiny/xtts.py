"""Builds a tiny random XTTS v2 checkpoint that the real `load_checkpoint` loads and that speaks noise.

Every part is the real one; only widths and depths are small. It never stops by itself, so a take is as long as its cap.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tts.engines.torchaudio_on_cpu import allow_torchaudio

SPEAKERS = ("Ana Example", "Rui Example")

_CHANNELS = 32
_CODES = 64
_LATENTS = 32
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789.,!?'-;:áéíóúñüçãõàèâêîôûäöß"


def build(folder: Path, *, seed: int = 0) -> Path:
    """Write config.json, model.pth, vocab.json and speakers_xtts.pth into `folder`, which is returned."""
    allow_torchaudio()
    import torch
    from TTS.tts.configs.xtts_config import XttsArgs, XttsConfig
    from TTS.tts.layers.xtts.tokenizer import VoiceBpeTokenizer
    from TTS.tts.models.xtts import Xtts

    folder.mkdir(parents=True, exist_ok=True)
    args = XttsArgs(
        gpt_layers=2,
        gpt_n_model_channels=_CHANNELS,
        gpt_n_heads=2,
        gpt_use_perceiver_resampler=True,
        gpt_num_audio_tokens=_CODES + 2,
        gpt_start_audio_token=_CODES,
        gpt_stop_audio_token=_CODES + 1,
        decoder_input_dim=_CHANNELS,
    )
    config = XttsConfig(model_args=args)
    config.save_json(str(folder / "config.json"))
    _write_vocabulary(folder / "vocab.json", config.languages)
    torch.manual_seed(seed)
    with narrow_decoder():
        model = Xtts(config)
        model.tokenizer = VoiceBpeTokenizer(vocab_file=folder / "vocab.json")
        model.init_models()
    with torch.no_grad():
        for weights in model.gpt.state_dict().values():
            if weights.dim() >= 2 and weights.is_floating_point():
                weights.normal_(0, 0.2)
        model.gpt.mel_head.bias[_CODES + 1] = -1e4
    torch.save({"model": model.state_dict()}, folder / "model.pth")
    torch.save({name: _speaker(torch) for name in SPEAKERS}, folder / "speakers_xtts.pth")
    return folder


@contextmanager
def narrow_decoder() -> Iterator[None]:
    """The decoder's width is no part of a checkpoint's configuration: build and load inside this for a fast one."""
    allow_torchaudio()
    import TTS.tts.models.xtts as module

    with patch.object(module, "HifiDecoder", partial(module.HifiDecoder, upsample_initial_channel_decoder=32)):
        yield


def _speaker(torch: Any) -> dict[str, Any]:
    embedding = torch.nn.functional.normalize(torch.randn(1, 512, 1), dim=1)
    return {"gpt_cond_latent": torch.randn(1, _LATENTS, _CHANNELS), "speaker_embedding": embedding}


def _write_vocabulary(path: Path, languages: list[str]) -> None:
    """One token a letter; orders such as `[pt]` are matched whole."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    orders = ["[STOP]", "[UNK]", "[SPACE]", *(f"[{language}]" for language in languages), "[START]"]
    vocabulary = {symbol: number for number, symbol in enumerate([*orders, *_LETTERS])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens(orders)
    tokenizer.save(str(path))
