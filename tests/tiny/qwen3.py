"""Builds tiny random Qwen3-TTS 12 Hz checkpoints that the real `from_pretrained` loads and that speak noise.

Every part is the real one; only widths, depths and vocabularies are small. One thing is made by hand, so that a take
ends as a real one does, about when its text is over: one dimension of the talker carries no sound, the end of the text
sets it, and the end-of-speech token listens to it alone. A letter is a token and lasts a frame of 80 ms. Where the
whole text is in the prompt (timbres, designs) there is no such moment: each frame ends the take with a chance of about
one in twelve.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tts.engines.qwen3.models import import_qwen

KINDS = ("base", "custom_voice", "voice_design")
WIDTHS = {"1b7": 32, "0b6": 24}  # of a speaker embedding, too: the sizes are not interchangeable
TIMBRES = ("serena", "vivian", "uncle_fu", "ryan", "aiden", "ono_anna", "sohee", "eric", "dylan")

_CODES = 64
_GROUPS = 16
_SPECIAL = _CODES  # `generate` never chooses the last 1024 ids but the end: specials lie there, as in the real model
_SIGNAL = 2.0
_LOUDNESS = 160.0  # a quarter of it is missed once in 200 takes, and a take that missed its end never ends
_LANGUAGES = {
    "chinese": 7, "english": 2, "german": 5, "italian": 22, "portuguese": 23, "spanish": 6, "japanese": 10,
    "korean": 16, "french": 13, "russian": 21,
}  # fmt: skip
_DIALECTS = {"beijing_dialect": 26, "sichuan_dialect": 14}
_TEXT_SPECIALS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<tts_pad>", "<tts_text_bos>", "<tts_text_eod>")
_GENERATION = {
    "do_sample": True, "repetition_penalty": 1.05, "temperature": 0.9, "top_p": 1.0, "top_k": 50,
    "subtalker_dosample": True, "subtalker_temperature": 0.9, "subtalker_top_p": 1.0, "subtalker_top_k": 50,
    "max_new_tokens": 8192,
}  # fmt: skip


def build(folder: Path, kind: str, *, size: str = "1b7", seed: int = 0) -> Path:
    """Write a checkpoint of one of `KINDS` into `folder`, which is returned."""
    import_qwen()
    import torch
    from qwen_tts.core import Qwen3TTSTokenizerV2Config, Qwen3TTSTokenizerV2Model
    from qwen_tts.core.models import Qwen3TTSConfig, Qwen3TTSForConditionalGeneration
    from safetensors.torch import save_file
    from transformers import EncodecFeatureExtractor

    speech = folder / "speech_tokenizer"
    speech.mkdir(parents=True, exist_ok=True)
    ids = _write_text_tokenizer(folder)
    config = _config(kind, ids, size=size)
    _write(folder / "config.json", config)
    _write(folder / "generation_config.json", _GENERATION)
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        talker = Qwen3TTSForConditionalGeneration(Qwen3TTSConfig(**config)).state_dict()
        _spread(talker)
        _end_with_the_text(talker, ids, pad=-1.0 if kind == "base" else 0.5373)
        codec = Qwen3TTSTokenizerV2Model(Qwen3TTSTokenizerV2Config(**_codec_config())).state_dict()
        _sound(codec)
    save_file(_whole(talker), folder / "model.safetensors", metadata={"format": "pt"})
    _write(speech / "config.json", _codec_config())
    save_file(_whole(codec), speech / "model.safetensors", metadata={"format": "pt"})
    EncodecFeatureExtractor(feature_size=1, sampling_rate=24_000, padding_value=0.0).save_pretrained(speech)
    return folder


def _write(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")


def _whole(tensors: dict[str, Any]) -> dict[str, Any]:
    return {name: tensor.contiguous() for name, tensor in tensors.items()}


def _spread(talker: dict[str, Any]) -> None:
    """The usual initial weights make all logits alike and all voices one: draw them wider."""
    for name, tensor in talker.items():
        if tensor.dim() >= 2 and tensor.is_floating_point():
            tensor.normal_(0, (2.0 / tensor[0].numel()) ** 0.5 if "speaker_encoder" in name else 0.3)


def _end_with_the_text(talker: dict[str, Any], ids: dict[str, int], *, pad: float) -> None:
    """Let the end of the text ask for the end of speech. `pad` is how much silence behind the text does: −1 to 1.

    Half of it, 0.5, is where it says nothing.
    """
    listener = talker["talker.codec_head.weight"]
    listener[:, -1] = 0.0
    listener[_SPECIAL + 102] = 0.0
    listener[_SPECIAL + 102, -1] = _LOUDNESS
    for name, tensor in talker.items():
        if name.startswith("talker.") and name.endswith("codec_embedding.weight"):
            tensor[:, -1] = 0.0
        if ".codec_embedding." in name and "code_predictor" in name:
            tensor[:, -1] = 0.0
        if name.startswith("talker.model.layers.") and name.endswith(("o_proj.weight", "down_proj.weight")):
            tensor[-1] = 0.0
    text = talker["talker.model.text_embedding.weight"]
    text[:, 0] = -1.0
    text[ids["<tts_text_eod>"], 0] = 1.0
    text[ids["<tts_pad>"], 0] = pad
    into, out = "talker.text_projection.linear_fc1", "talker.text_projection.linear_fc2"
    talker[f"{into}.weight"][0] = 0.0
    talker[f"{into}.weight"][0, 0] = 10.0
    talker[f"{into}.bias"][0] = 0.0
    talker[f"{out}.weight"][-1] = 0.0
    talker[f"{out}.weight"][-1, 0] = 2 * _SIGNAL / 10.0
    talker[f"{out}.bias"][-1] = -_SIGNAL


def _sound(codec: dict[str, Any]) -> None:
    """Codebooks are zeros as built, and the last layer far too loud."""
    for name, tensor in codec.items():
        if name.endswith(("codebook.embedding_sum", "embed_sum")):
            tensor.normal_()
        elif name.endswith("cluster_usage"):
            tensor.fill_(1.0)
        elif name.endswith("initialized"):
            tensor.fill_(value=True)
        elif name.startswith("decoder.") and tensor.dim() >= 2:
            tensor.normal_(0, (1.0 / max(1, tensor[0].numel())) ** 0.5)
    last = max(
        (name for name in codec if name.startswith("decoder.decoder.") and name.endswith("conv.weight")),
        key=lambda name: int(name.split(".")[2]),
    )
    codec[last].mul_(0.01)


def _write_text_tokenizer(folder: Path) -> dict[str, int]:
    """Bytes are tokens, and `assistant` and `user` are one each, as prompts are cut by counting."""
    vocabulary = {character: token for token, character in enumerate(_byte_letters())}
    merges = []
    for word in ("assistant", "user"):
        current = word[0]
        for letter in word[1:]:
            merges.append(f"{current} {letter}")
            current += letter
            vocabulary.setdefault(current, len(vocabulary))
    merges = list(dict.fromkeys(merges))
    ids = {special: len(vocabulary) + place for place, special in enumerate(_TEXT_SPECIALS)}
    _write(folder / "vocab.json", vocabulary)
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]), encoding="utf-8")
    flags = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}
    _write(
        folder / "tokenizer_config.json",
        {
            "add_bos_token": False,
            "add_prefix_space": False,
            "added_tokens_decoder": {str(token): {"content": name, **flags} for name, token in ids.items()},
            "additional_special_tokens": list(_TEXT_SPECIALS[1:]),
            "bos_token": None,
            "eos_token": "<|im_end|>",
            "pad_token": "<|endoftext|>",
            "unk_token": None,
            "errors": "replace",
            "clean_up_tokenization_spaces": False,
            "model_max_length": 131_072,
            "split_special_tokens": False,
            "tokenizer_class": "Qwen2Tokenizer",
            "processor_class": "Qwen3TTSProcessor",
        },
    )
    _write(
        folder / "preprocessor_config.json",
        {
            "padding_side": "left",
            "padding_value": 0.0,
            "processor_class": "Qwen3TTSProcessor",
            "return_attention_mask": True,
        },
    )
    return ids


def _byte_letters() -> list[str]:
    """GPT-2's printable letter for each of the 256 bytes."""
    plain = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    return [chr(byte) for byte in plain] + [chr(256 + place) for place in range(256 - len(plain))]


def _config(kind: str, ids: dict[str, int], *, size: str) -> dict[str, Any]:
    width = WIDTHS[size]
    custom = kind == "custom_voice"
    languages = {name: _SPECIAL + place for name, place in (_LANGUAGES | (_DIALECTS if custom else {})).items()}
    predictor = {
        "model_type": "qwen3_tts_talker_code_predictor",
        "vocab_size": _CODES,
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 8,
        "num_code_groups": _GROUPS,
        "max_position_embeddings": 65_536,
        "rope_theta": 1_000_000,
    }
    talker = {
        "model_type": "qwen3_tts_talker",
        "vocab_size": _CODES + 1024,
        "hidden_size": width,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 16,
        "text_hidden_size": 32,
        "text_vocab_size": 320,
        "num_code_groups": _GROUPS,
        "max_position_embeddings": 32_768,
        "rope_theta": 1_000_000,
        "position_id_per_seconds": 13,
        "rope_scaling": {"interleaved": True, "mrope_section": [4, 2, 2], "rope_type": "default"},
        "code_predictor_config": predictor,
        "codec_pad_id": _SPECIAL + 100,
        "codec_bos_id": _SPECIAL + 101,
        "codec_eos_token_id": _SPECIAL + 102,
        "codec_think_id": _SPECIAL + 106,
        "codec_nothink_id": _SPECIAL + 107,
        "codec_think_bos_id": _SPECIAL + 108,
        "codec_think_eos_id": _SPECIAL + 109,
        "codec_language_id": languages,
        "spk_id": {name: _SPECIAL + 900 + place for place, name in enumerate(TIMBRES)} if custom else {},
        "spk_is_dialect": dict.fromkeys(TIMBRES, False) | {"eric": "sichuan_dialect", "dylan": "beijing_dialect"}
        if custom
        else {},
    }
    encoder = {
        "mel_dim": 128,
        "enc_dim": width,
        "enc_channels": [16, 16, 16, 16, 48],
        "enc_kernel_sizes": [5, 3, 3, 3, 1],
        "enc_dilations": [1, 2, 3, 4, 1],
        "enc_attention_channels": 8,
        "enc_res2net_scale": 2,
        "enc_se_channels": 8,
        "sample_rate": 24_000,
    }
    return {
        "architectures": ["Qwen3TTSForConditionalGeneration"],
        "model_type": "qwen3_tts",
        "tokenizer_type": "qwen3_tts_tokenizer_12hz",
        "tts_model_size": size,
        "tts_model_type": kind,
        "im_start_token_id": ids["<|im_start|>"],
        "im_end_token_id": ids["<|im_end|>"],
        "tts_pad_token_id": ids["<tts_pad>"],
        "tts_bos_token_id": ids["<tts_text_bos>"],
        "tts_eos_token_id": ids["<tts_text_eod>"],
        "talker_config": talker,
        **({"speaker_encoder_config": encoder} if kind == "base" else {}),
    }


def _codec_config() -> dict[str, Any]:
    encoder = {
        "model_type": "mimi",
        "sampling_rate": 24_000,
        "hidden_size": 32,
        "num_filters": 4,
        "upsampling_ratios": [8, 6, 5, 4],
        "codebook_size": _CODES,
        "codebook_dim": 16,
        "vector_quantization_hidden_dimension": 16,
        "num_quantizers": _GROUPS,
        "num_semantic_quantizers": 1,
        "upsample_groups": 32,
        "num_hidden_layers": 1,
        "intermediate_size": 64,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "sliding_window": 250,
        "frame_rate": 12.5,
        "use_causal_conv": True,
        "pad_mode": "constant",
    }
    decoder = {
        "codebook_size": _CODES,
        "codebook_dim": 32,
        "hidden_size": 32,
        "latent_dim": 32,
        "head_dim": 16,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "intermediate_size": 64,
        "num_hidden_layers": 1,
        "num_quantizers": _GROUPS,
        "num_semantic_quantizers": 1,
        "sliding_window": 72,
        "max_position_embeddings": 8000,
        "upsample_rates": [8, 5, 4, 3],
        "upsampling_ratios": [2, 2],
        "decoder_dim": 48,
        "rope_theta": 10_000,
    }
    return {
        "architectures": ["Qwen3TTSTokenizerV2Model"],
        "model_type": "qwen3_tts_tokenizer_12hz",
        "encoder_valid_num_quantizers": _GROUPS,
        "input_sample_rate": 24_000,
        "output_sample_rate": 24_000,
        "decode_upsample_rate": 1920,
        "encode_downsample_rate": 1920,
        "encoder_config": encoder,
        "decoder_config": decoder,
    }
