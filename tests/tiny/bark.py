"""Builds a tiny random Bark checkpoint that transformers' real classes load and that speaks noise.

Every part is the real one with its real vocabularies; widths and depths are small, and codes are slow (10 a second in
place of 75), so that a second of noise costs 30 steps. It hardly ever stops by itself: a take is as long as its cap.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

PRESETS = ("v2/en_speaker_0", "v2/pt_speaker_3")

_WIDTH = {"hidden_size": 16, "num_layers": 1, "num_heads": 2, "block_size": 1024}
_CODES_HZ = 10
_MEANING_HZ = 10.0
_HISTORY_S = 2
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789.,!?'-;:áéíóúñüçãõàèâêîôûäöß"


def build(folder: Path, *, seed: int = 0) -> Path:
    """Write configuration, weights, tokenizer and presets into `folder`, which is returned."""
    import torch
    from transformers import BarkConfig, BarkModel, BertTokenizerFast, EncodecConfig
    from transformers.models.bark.configuration_bark import BarkCoarseConfig, BarkFineConfig, BarkSemanticConfig
    from transformers.models.bark.generation_configuration_bark import (
        BarkCoarseGenerationConfig,
        BarkFineGenerationConfig,
        BarkSemanticGenerationConfig,
    )

    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    config = BarkConfig.from_sub_model_configs(
        BarkSemanticConfig(input_vocab_size=129_600, output_vocab_size=10_048, **_WIDTH),
        BarkCoarseConfig(input_vocab_size=12_096, output_vocab_size=12_096, **_WIDTH),
        BarkFineConfig(input_vocab_size=1_056, output_vocab_size=1_056, n_codes_total=8, n_codes_given=1, **_WIDTH),
        EncodecConfig(
            upsampling_ratios=[10, 8, 6, 5],  # 24,000 samples a second by 2,400 a code
            target_bandwidths=[0.4, 0.8],
            num_filters=4,
            hidden_size=16,
            codebook_dim=16,
            num_lstm_layers=1,
        ),
    )
    model = BarkModel(config)
    with torch.no_grad():
        for layer in model.codec_model.quantizer.layers:
            layer.codebook.embed.normal_(0, 1.0)
        model.codec_model.decoder.layers[-1].conv.weight.mul_(0.5)
    model.save_pretrained(folder)
    generation = {
        "semantic_config": BarkSemanticGenerationConfig(
            do_sample=True, semantic_rate_hz=_MEANING_HZ, max_new_tokens=154
        ).to_dict(),
        "coarse_acoustics_config": BarkCoarseGenerationConfig(do_sample=True, coarse_rate_hz=_CODES_HZ).to_dict(),
        "fine_acoustics_config": BarkFineGenerationConfig().to_dict(),
        "sample_rate": 24_000,
        "codebook_size": 1024,
    }
    (folder / "generation_config.json").write_text(json.dumps(generation))
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *_LETTERS, *(f"##{letter}" for letter in _LETTERS)]
    (folder / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    BertTokenizerFast(vocab_file=str(folder / "vocab.txt"), do_lower_case=True, strip_accents=False).save_pretrained(
        folder
    )
    _write_presets(folder, np.random.default_rng(seed))
    return folder


def _write_presets(folder: Path, random: np.random.Generator) -> None:
    listed: dict[str, object] = {"repo_or_path": str(folder)}
    (folder / "speaker_embeddings" / "v2").mkdir(parents=True, exist_ok=True)
    for name in PRESETS:
        arrays = {
            "semantic_prompt": random.integers(0, 10_000, round(_MEANING_HZ * _HISTORY_S)),
            "coarse_prompt": random.integers(0, 1024, (2, _CODES_HZ * _HISTORY_S)),
            "fine_prompt": random.integers(0, 1024, (8, _CODES_HZ * _HISTORY_S)),
        }
        paths = {key: f"speaker_embeddings/{name}_{key}.npy" for key in arrays}
        for key, array in arrays.items():
            np.save(folder / paths[key], array)
        listed[name] = paths
    (folder / "speaker_embeddings_path.json").write_text(json.dumps(listed))
