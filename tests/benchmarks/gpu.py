"""How fast plain qwen-tts speaks at its true dimensions, without weights, and where a frame's time goes.

    python tests/benchmarks/gpu.py [--device cuda] [--batches 1,4,8] [--frames 100] [--sizes 1b7,0b6] [--json OUT]

The models are built from their published configuration with random weights: speed and memory are those of the real
ones, the sound is noise. A token that can never be chosen stands for the end, so every item makes `--frames` frames.
A plain script: it needs torch, numpy, transformers 4.57.3 and qwen-tts 0.1.1, and on a GPU nothing of this project.
`--reduced` keeps the structure and shrinks the widths: minutes become seconds on a CPU, and the numbers mean nothing.

One run is timed whole, without waiting for the device in between; a second one waits at every stage's ends, and
gives the stages. Their sum is therefore a little longer than the first.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import json
import platform
import runpy
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

FRAME_S = 0.08
PROMPT_TOKENS = 48  # a sentence of about 8 s
NEVER_CHOSEN = -1  # the last id of the vocabulary is always suppressed; as the end token it never comes

WIDTHS = {"1b7": (2048, 6144), "0b6": (1024, 3072)}
LANGUAGES = {"english": 2050, "portuguese": 2071}
TOP = {"im_start": 151644, "im_end": 151645, "tts_pad": 151671, "tts_bos": 151672, "tts_eos": 151673}
CODEC_IDS = {
    "codec_pad_id": 2148,
    "codec_bos_id": 2149,
    "codec_eos_token_id": 2150,
    "codec_think_id": 2154,
    "codec_nothink_id": 2155,
    "codec_think_bos_id": 2156,
    "codec_think_eos_id": 2157,
}
ATTENTION = {"num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128}


def model_config(size: str, *, reduced: bool) -> dict[str, Any]:
    """The published configuration of a Base model; reduced: two narrow layers of the same make."""
    hidden, inner = (64, 128) if reduced else WIDTHS[size]
    attention = {"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 128} if reduced else ATTENTION
    predictor = {
        "model_type": "qwen3_tts_talker_code_predictor",
        "vocab_size": 2048,
        "hidden_size": 32 if reduced else 1024,
        "intermediate_size": 64 if reduced else 3072,
        "num_hidden_layers": 1 if reduced else 5,
        "num_code_groups": 16,
        "max_position_embeddings": 65536,
        "rope_theta": 1000000,
        **attention,
    }
    talker = {
        "model_type": "qwen3_tts_talker",
        "vocab_size": 3072,
        "hidden_size": hidden,
        "intermediate_size": inner,
        "num_hidden_layers": 2 if reduced else 28,
        "text_hidden_size": 64 if reduced else 2048,
        "text_vocab_size": 151936,
        "num_code_groups": 16,
        "max_position_embeddings": 32768,
        "rope_theta": 1000000,
        "position_id_per_seconds": 13,
        "rope_scaling": {"interleaved": True, "mrope_section": [24, 20, 20], "rope_type": "default"},
        "code_predictor_config": predictor,
        "codec_language_id": LANGUAGES,
        "spk_id": {},
        "spk_is_dialect": {},
        **attention,
        **CODEC_IDS,
    }
    return {
        "model_type": "qwen3_tts",
        "tokenizer_type": "qwen3_tts_tokenizer_12hz",
        "tts_model_size": size,
        "tts_model_type": "base",
        **{f"{name}_token_id": token for name, token in TOP.items()},
        "talker_config": talker,
        "speaker_encoder_config": {"enc_dim": hidden, "sample_rate": 24000},
    }


def codec_config(*, reduced: bool) -> dict[str, Any]:
    """The published configuration of the 12 Hz codec."""
    encoder: dict[str, Any] = {
        "model_type": "mimi",
        "frame_rate": 12.5,
        "sampling_rate": 24000,
        "hidden_size": 64 if reduced else 512,
        "num_filters": 8 if reduced else 64,
        "upsampling_ratios": [8, 6, 5, 4],
        "codebook_size": 2048,
        "codebook_dim": 32 if reduced else 256,
        "vector_quantization_hidden_dimension": 32 if reduced else 256,
        "upsample_groups": 64 if reduced else 512,
        "num_quantizers": 32,
        "num_semantic_quantizers": 1,
        "num_hidden_layers": 1 if reduced else 8,
        "intermediate_size": 128 if reduced else 2048,
        "num_attention_heads": 2 if reduced else 8,
        "num_key_value_heads": 2 if reduced else 8,
        "head_dim": 32 if reduced else 64,
        "sliding_window": 250,
    }
    decoder: dict[str, Any] = {
        "latent_dim": 64 if reduced else 1024,
        "codebook_dim": 64 if reduced else 512,
        "codebook_size": 2048,
        "decoder_dim": 96 if reduced else 1536,
        "hidden_size": 64 if reduced else 512,
        "intermediate_size": 128 if reduced else 1024,
        "head_dim": 64,
        "num_attention_heads": 2 if reduced else 16,
        "num_key_value_heads": 2 if reduced else 16,
        "num_hidden_layers": 1 if reduced else 8,
        "num_quantizers": 16,
        "num_semantic_quantizers": 1,
        "sliding_window": 72,
        "max_position_embeddings": 8000,
        "rope_theta": 10000,
        "upsample_rates": [8, 5, 4, 3],
        "upsampling_ratios": [2, 2],
    }
    return {
        "model_type": "qwen3_tts_tokenizer_12hz",
        "encoder_valid_num_quantizers": 16,
        "input_sample_rate": 24000,
        "output_sample_rate": 24000,
        "decode_upsample_rate": 1920,
        "encode_downsample_rate": 1920,
        "encoder_config": encoder,
        "decoder_config": decoder,
    }


def import_qwen() -> None:
    """`import qwen_tts` on a machine that lacks what only its audio files and its 25 Hz codec need."""
    if importlib.util.find_spec("torchaudio") is None:
        _stand_in("torchaudio.compliance.kaldi")
    elif torch.version.cuda is None:
        module = Path(__file__).parents[2] / "tts" / "engines" / "torchaudio_on_cpu.py"
        runpy.run_path(str(module))["allow_torchaudio"]()
    for name, attributes in (("librosa.filters", ("mel",)), ("soundfile", ()), ("sox", ()), ("onnxruntime", ())):
        if importlib.util.find_spec(name.partition(".")[0]) is None:
            _stand_in(name, attributes)
    with contextlib.redirect_stdout(io.StringIO()):  # it prints advice about flash-attn
        import qwen_tts  # noqa: F401 - only once its needs are met


def _stand_in(name: str, attributes: tuple[str, ...] = ()) -> None:
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        module = sys.modules.setdefault(".".join(parts[:end]), ModuleType(".".join(parts[:end])))
        module.__path__ = []
        module.__spec__ = importlib.util.spec_from_loader(module.__name__, None)
        if end > 1:
            setattr(sys.modules[".".join(parts[: end - 1])], parts[end - 1], module)
    for attribute in attributes:
        setattr(sys.modules[name], attribute, None)


def build(size: str, *, device: str, dtype: torch.dtype, attention: str, reduced: bool) -> tuple[Any, Any]:
    """Talker and codec with random weights on the device, in `dtype` like a loaded model."""
    from qwen_tts.core import Qwen3TTSTokenizerV2Config, Qwen3TTSTokenizerV2Model
    from qwen_tts.core.models import Qwen3TTSConfig, Qwen3TTSForConditionalGeneration

    torch.manual_seed(0)
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            config = Qwen3TTSConfig(**model_config(size, reduced=reduced))
            model = Qwen3TTSForConditionalGeneration._from_config(config, attn_implementation=attention)
            codec = Qwen3TTSTokenizerV2Model(Qwen3TTSTokenizerV2Config(**codec_config(reduced=reduced)))
    finally:
        torch.set_default_dtype(torch.float32)
    for name, tensor in codec.state_dict().items():
        if name.endswith(("embedding_sum", "embed_sum")):
            tensor.normal_()  # zeros as built: every code would be the same
    return model.eval(), codec.eval()


class Stages:
    """Seconds spent in named parts of a run, by waiting for the device at each part's ends."""

    def __init__(self, wait: Callable[[], None]) -> None:
        self._wait = wait
        self.seconds: dict[str, float] = defaultdict(float)
        self.calls: dict[str, int] = defaultdict(int)

    @contextlib.contextmanager
    def watching(self, owner: Any, method: str, name: Callable[[dict[str, Any]], str]) -> Iterator[None]:
        """Time each call of `owner.method` under the name that its keyword arguments tell."""
        original = getattr(owner, method)

        def timed(*args: Any, **kwargs: Any) -> Any:
            self._wait()
            started_s = time.perf_counter()
            result = original(*args, **kwargs)
            self._wait()
            stage = name(kwargs)
            self.seconds[stage] += time.perf_counter() - started_s
            self.calls[stage] += 1
            return result

        setattr(owner, method, timed)
        try:
            yield
        finally:
            delattr(owner, method)


class Bench:
    """One model at one size: runs of plain qwen-tts, whole and by stage."""

    def __init__(self, model: Any, codec: Any, *, device: str, frames: int) -> None:
        self.model = model
        self.codec = codec
        self.device = device
        self.frames = frames
        self.cuda = device.startswith("cuda")

    def wait(self) -> None:
        """Until the device has done what it was told."""
        if self.cuda:
            torch.cuda.synchronize()

    def generate(self, batch: int, *, frames: int | None = None) -> None:
        """Codes of `batch` sentences, each with its own speaker embedding, as `generate_voice_clone` wants them."""
        config = self.model.config
        width = config.talker_config.hidden_size
        ids = torch.randint(1000, 100_000, (batch, 3 + PROMPT_TOKENS + 5), device=self.device)
        embeddings = torch.randn(batch, width, device=self.device, dtype=self.model.dtype)
        voices = {
            "ref_code": [None] * batch,
            "ref_spk_embedding": list(embeddings),
            "x_vector_only_mode": [True] * batch,
            "icl_mode": [False] * batch,
        }
        self.model.generate(
            input_ids=[row[None] for row in ids],
            ref_ids=[None] * batch,
            voice_clone_prompt=voices,
            languages=["Portuguese"] * batch,
            non_streaming_mode=False,
            max_new_tokens=(frames or self.frames) + 1,
            eos_token_id=config.talker_config.vocab_size + NEVER_CHOSEN,
        )

    def decode(self, batch: int) -> None:
        """The samples of random codes of that length."""
        codes = torch.randint(0, 2048, (batch, self.frames, 16), device=self.device)
        with torch.inference_mode():
            for samples in self.codec.decode(codes, return_dict=True).audio_values:
                samples.to(torch.float32).cpu().numpy()

    def measure(self, batch: int, *, repeats: int) -> dict[str, Any]:
        """Times in seconds of the median whole run, milliseconds a frame by stage, memory in GiB."""
        with torch.no_grad():
            self.generate(batch, frames=4)
            self.decode(batch)
            if self.cuda:
                torch.cuda.reset_peak_memory_stats()
            talk_s = statistics.median(self._timed(self.generate, batch) for _ in range(repeats))
            talk_gib = torch.cuda.max_memory_allocated() / 2**30 if self.cuda else 0.0
            codec_s = statistics.median(self._timed(self.decode, batch) for _ in range(max(3, repeats)))
            peak_gib = torch.cuda.max_memory_allocated() / 2**30 if self.cuda else 0.0
            stages, whole_s = self._by_stage(batch)
            kernels, busy_ms = self._device_work(batch) if self.cuda else (0.0, 0.0)
        audio_s = batch * self.frames * FRAME_S
        return {
            "batch": batch,
            "frames": self.frames,
            "generate_s": talk_s,
            "codec_s": codec_s,
            "frame_ms": 1e3 * talk_s / self.frames,
            "frames_per_s": batch * self.frames / talk_s,
            "audio_s_per_s": audio_s / (talk_s + codec_s),
            "realtime_per_stream": self.frames * FRAME_S / (talk_s + codec_s),
            "peak_generate_gib": talk_gib,
            "peak_gib": peak_gib,
            "staged_generate_s": whole_s,
            "prefill_ms": 1e3 * stages.seconds["prefill"],
            "talker_step_ms": 1e3 * stages.seconds["talker_step"] / self.frames,
            "predictor_loop_ms": 1e3 * stages.seconds["predictor_loop"] / self.frames,
            "rest_ms": 1e3 * (whole_s - sum(stages.seconds.values())) / self.frames,
            "codec_ms_per_frame": 1e3 * codec_s / (batch * self.frames),
            "talker_steps": stages.calls["talker_step"],
            "kernels_per_frame": kernels,
            "device_busy_ms": busy_ms,
        }

    def _timed(self, run: Callable[[int], None], batch: int) -> float:
        self.wait()
        started_s = time.perf_counter()
        run(batch)
        self.wait()
        return time.perf_counter() - started_s

    def _by_stage(self, batch: int) -> tuple[Stages, float]:
        stages = Stages(self.wait)
        talker = self.model.talker

        def step(kwargs: dict[str, Any]) -> str:
            return "prefill" if kwargs["inputs_embeds"].shape[1] > 1 else "talker_step"

        with (
            stages.watching(talker.model, "forward", step),
            stages.watching(talker.code_predictor, "generate", lambda _: "predictor_loop"),
        ):
            whole_s = self._timed(self.generate, batch)
        return stages, whole_s

    def _device_work(self, batch: int) -> tuple[float, float]:
        """Kernels, and milliseconds the device was busy, both a frame: the rest is waiting for Python."""
        counts: list[tuple[int, float]] = []
        for frames in (2, 10):
            with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
                self.generate(batch, frames=frames)
                self.wait()
            events = [event for event in profile.key_averages() if event.self_device_time_total > 0]
            counts.append((sum(event.count for event in events), sum(event.self_device_time_total for event in events)))
        (few, short_us), (many, long_us) = counts
        return (many - few) / 8, (long_us - short_us) / 8e3


def machine(device: str) -> dict[str, Any]:
    """What it ran on."""
    import transformers

    facts = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "numpy": np.__version__,
        "device": platform.processor() or platform.machine(),
    }
    if device.startswith("cuda"):
        facts |= {"device": torch.cuda.get_device_name(device), "cuda": torch.version.cuda}
    return facts


def parameters(model: Any) -> int:
    """How many numbers a module holds."""
    return sum(parameter.numel() for parameter in model.parameters())


COLUMNS = {
    "batch": "{:.0f}",
    "frame_ms": "{:.2f}",
    "frames_per_s": "{:.0f}",
    "audio_s_per_s": "{:.2f}",
    "realtime_per_stream": "{:.2f}",
    "prefill_ms": "{:.1f}",
    "talker_step_ms": "{:.2f}",
    "predictor_loop_ms": "{:.2f}",
    "rest_ms": "{:.2f}",
    "device_busy_ms": "{:.2f}",
    "codec_s": "{:.3f}",
    "peak_gib": "{:.2f}",
}


def row(cells: list[str]) -> str:
    """A line of the table."""
    return " ".join(f"{cell:>{len(name)}}" for cell, name in zip(cells, COLUMNS, strict=True))


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """Measure every size and batch asked for; what was measured so far is in the file after each."""
    parser = argparse.ArgumentParser(description="Speed of plain qwen-tts at its true dimensions, without weights.")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--batches", default="1,4,8,16,32,64")
    parser.add_argument("--frames", type=int, default=100, help="frames of 80 ms that every item makes")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--sizes", default="1b7,0b6")
    parser.add_argument("--dtype", default=None, help="bfloat16 on a GPU, float32 on a CPU, unless told otherwise")
    parser.add_argument("--attention", default="sdpa")
    parser.add_argument("--reduced", action="store_true", help="narrow layers: does it run at all")
    parser.add_argument("--json", type=Path, default=None)
    parser.add_argument("--threads", type=int, default=None, help="of torch on the CPU")
    asked = parser.parse_args(arguments)
    if asked.threads:
        torch.set_num_threads(asked.threads)
    dtype = getattr(torch, asked.dtype or ("bfloat16" if asked.device.startswith("cuda") else "float32"))

    import_qwen()
    from transformers.utils import logging

    logging.set_verbosity_error()
    report: dict[str, Any] = {"machine": machine(asked.device), "asked": vars(asked) | {"json": None}, "sizes": {}}
    print(json.dumps(report["machine"]), flush=True)
    for size in asked.sizes.split(","):
        started_s = time.perf_counter()
        model, codec = build(size, device=asked.device, dtype=dtype, attention=asked.attention, reduced=asked.reduced)
        found: dict[str, Any] = {
            "talker_parameters": parameters(model),
            "codec_parameters": parameters(codec),
            "runs": [],
        }
        found["weights_gib"] = torch.cuda.memory_allocated() / 2**30 if asked.device.startswith("cuda") else 0.0
        report["sizes"][size] = found
        print(
            f"\n{size} {str(dtype).removeprefix('torch.')} {asked.attention}: {parameters(model) / 1e6:.0f} M + codec "
            f"{parameters(codec) / 1e6:.0f} M parameters, {found['weights_gib']:.2f} GiB, "
            f"built in {time.perf_counter() - started_s:.1f} s",
            flush=True,
        )
        print(row(list(COLUMNS)), flush=True)
        bench = Bench(model, codec, device=asked.device, frames=asked.frames)
        for batch in (int(part) for part in asked.batches.split(",")):
            try:
                run = bench.measure(batch, repeats=asked.repeats)
            except torch.cuda.OutOfMemoryError:
                torch.cuda.empty_cache()
                run = {"batch": batch, "out_of_memory": True}
                print(f"{batch:>5} out of memory", flush=True)
            else:
                print(row([shape.format(run[name]) for name, shape in COLUMNS.items()]), flush=True)
            found["runs"].append(run)
            if asked.json:
                asked.json.write_text(json.dumps(report, indent=1))
        del model, codec, bench
        if asked.device.startswith("cuda"):
            torch.cuda.empty_cache()
    return report


if __name__ == "__main__":
    main()
