"""How long a frame of Qwen3-TTS takes when talker and predictor are one CUDA graph.

    python tests/benchmarks/gpu_graphs.py [--sizes 1b7,0b6] [--batches 1,16,64] [--check]

The models are those of gpu.py beside this: true dimensions, random weights, so speed is real and the sound is noise.
A frame is one talker step and the predictor's 15 codes, sampling included, as tensor functions with no host in between;
it is captured as it is and with its layers compiled. `--check` compares the functions with qwen-tts on narrow layers
on the CPU instead: greedy codes must be equal.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import torch
from torch.nn import functional

CODEBOOKS = 16
AUDIO_CODES = 2048  # the rest of the talker's vocabulary are signs that this measurement never lets it choose
FRAME_MS = 80.0
SLOT_POSITIONS = 512
TEMPERATURE, TOP_K = 0.9, 50


def _plain() -> ModuleType:
    """gpu.py beside this script, which is no package."""
    spec = importlib.util.spec_from_file_location("gpu", Path(__file__).with_name("gpu.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Weights(NamedTuple):
    """One decoder layer's weights; what is multiplied with the same input is one matrix."""

    norm_in: torch.Tensor
    qkv: torch.Tensor
    norm_q: torch.Tensor
    norm_k: torch.Tensor
    out: torch.Tensor
    norm_mlp: torch.Tensor
    gate_up: torch.Tensor
    down: torch.Tensor


def weights_of(layer: Any) -> Weights:
    """The weights of a qwen-tts decoder layer."""
    attention, mlp = layer.self_attn, layer.mlp
    return Weights(
        norm_in=layer.input_layernorm.weight,
        qkv=torch.cat([attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight]),
        norm_q=attention.q_norm.weight,
        norm_k=attention.k_norm.weight,
        out=attention.o_proj.weight,
        norm_mlp=layer.post_attention_layernorm.weight,
        gate_up=torch.cat([mlp.gate_proj.weight, mlp.up_proj.weight]),
        down=mlp.down_proj.weight,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """The layers of one transformer and its static caches, (slots, heads, positions, width) each."""

    layers: tuple[Weights, ...]
    keys: tuple[torch.Tensor, ...]
    values: tuple[torch.Tensor, ...]
    cosines: torch.Tensor  # (positions, width)
    sines: torch.Tensor
    heads: int


def rms_norm(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """As qwen-tts does it: the mean in float32, the weight in the model's type."""
    wide = x.float()
    return weight * (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + 1e-6)).to(x.dtype)


def _rotated(x: torch.Tensor, cosine: torch.Tensor, sine: torch.Tensor) -> torch.Tensor:
    half = x.shape[-1] // 2
    return x * cosine + torch.cat((-x[..., half:], x[..., :half]), -1) * sine


def layer_step(
    x: torch.Tensor,
    weights: Weights,
    keys: torch.Tensor,
    values: torch.Tensor,
    *,
    turn: tuple[torch.Tensor, torch.Tensor],
    seen: torch.Tensor,
    slots: torch.Tensor,
    positions: torch.Tensor,
    heads: int,
) -> torch.Tensor:
    """One layer, one position of every slot: x (slots, hidden) → (slots, hidden); the caches gain that position."""
    width = weights.norm_q.shape[0]
    groups = keys.shape[1]
    mixed = functional.linear(rms_norm(x, weights.norm_in), weights.qkv).view(len(x), heads + 2 * groups, width)
    query = _rotated(rms_norm(mixed[:, :heads], weights.norm_q), *turn)
    keys[slots, :, positions] = _rotated(rms_norm(mixed[:, heads : heads + groups], weights.norm_k), *turn)
    values[slots, :, positions] = mixed[:, heads + groups :]
    heard = functional.scaled_dot_product_attention(query[:, :, None], keys, values, attn_mask=seen, enable_gqa=True)
    x = x + functional.linear(heard.reshape(len(x), heads * width), weights.out)
    gate, up = functional.linear(rms_norm(x, weights.norm_mlp), weights.gate_up).chunk(2, -1)
    return x + functional.linear(functional.silu(gate) * up, weights.down)


def sampled(logits: torch.Tensor) -> torch.Tensor:
    """(slots, codes) → (slots,): top-k sampling by the exponential race, which needs no host."""
    best = torch.topk(logits.float() / TEMPERATURE, TOP_K, dim=-1)
    chances = torch.softmax(best.values, -1)
    first = (chances / torch.empty_like(chances).exponential_()).argmax(-1, keepdim=True)
    return best.indices.gather(-1, first)[:, 0]


class Frames:
    """One frame of every slot, again and again, each from what the one before chose."""

    def __init__(self, model: Any, slots: int, *, positions: int, compiled: bool, greedy: bool = False) -> None:
        self.talker = model.talker
        self.code_predictor = self.talker.code_predictor
        head = self.talker.codec_head.weight
        self._speaking = self._stack(self.talker.model.layers, self.talker.config, slots, positions)
        self._finishing = self._stack(self.code_predictor.model.layers, self.code_predictor.config, slots, CODEBOOKS)
        self._slots = torch.arange(slots, device=head.device)
        self.positions = torch.full((slots,), positions // 2, device=head.device)
        self.inputs = torch.randn(slots, head.shape[1], device=head.device, dtype=head.dtype)
        self._text = torch.randn_like(self.inputs) / 50
        self.codes = torch.zeros(slots, CODEBOOKS, dtype=torch.long, device=head.device)
        made: Callable[..., Any] = (
            (lambda function: torch.compile(function, dynamic=False)) if compiled else (lambda f: f)
        )
        self._layer, self._norm = made(layer_step), made(rms_norm)
        self._chosen = (lambda logits: logits.argmax(-1)) if greedy else made(sampled)

    @staticmethod
    def _stack(layers: Any, config: Any, slots: int, positions: int) -> Stack:
        like = layers[0].self_attn.q_proj.weight
        shape = (slots, config.num_key_value_heads, positions, config.head_dim)
        pace = config.rope_theta ** -(torch.arange(0, config.head_dim, 2, device=like.device).float() / config.head_dim)
        angles = (torch.arange(positions, device=like.device).float()[:, None] * pace).repeat(1, 2)
        return Stack(
            layers=tuple(weights_of(layer) for layer in layers),
            keys=tuple(like.new_zeros(shape) for _ in layers),
            values=tuple(like.new_zeros(shape) for _ in layers),
            cosines=angles.cos().to(like.dtype),
            sines=angles.sin().to(like.dtype),
            heads=config.num_attention_heads,
        )

    def _through(self, stack: Stack, x: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        turn = (stack.cosines[positions][:, None], stack.sines[positions][:, None])
        span = torch.arange(stack.cosines.shape[0], device=x.device)
        seen = (span[None] <= positions[:, None])[:, None, None]
        for weights, keys, values in zip(stack.layers, stack.keys, stack.values, strict=True):
            x = self._layer(
                x,
                weights,
                keys,
                values,
                turn=turn,
                seen=seen,
                slots=self._slots,
                positions=positions,
                heads=stack.heads,
            )
        return x

    def talk(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The talker's hidden state and the logits of the first code, of x (slots, hidden) at `positions`."""
        hidden = self._norm(self._through(self._speaking, x, self.positions), self.talker.model.norm.weight)
        return hidden, functional.linear(hidden, self.talker.codec_head.weight)

    def predict(self, hidden: torch.Tensor, first: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The other 15 codes (slots, 15) of a frame, and the sum of all 16 codes' embeddings (slots, hidden)."""
        total = functional.embedding(first, self.talker.get_input_embeddings().weight)
        x, codes = hidden, []
        for step in range(CODEBOOKS):
            inner = self.code_predictor.small_to_mtp_projection(x)
            inner = self._through(self._finishing, inner, torch.full_like(self._slots, step))
            if step == 0:
                x = total
                continue
            inner = self._norm(inner, self.code_predictor.model.norm.weight)
            chosen = self._chosen(self.code_predictor.lm_head[step - 1](inner))
            codes.append(chosen)
            x = self.code_predictor.get_input_embeddings()[step - 1](chosen)
            total = total + x
        return torch.stack(codes, 1), total

    def step(self) -> None:
        """The next frame: `codes` hold it afterwards, `inputs` what the frame after it starts from."""
        hidden, logits = self.talk(self.inputs)
        first = self._chosen(logits[:, :AUDIO_CODES])
        rest, total = self.predict(hidden, first)
        self.codes.copy_(torch.cat((first[:, None], rest), 1))
        self.inputs.copy_(total + self._text)
        self.positions.add_(1).clamp_(max=SLOT_POSITIONS - 1)


def replay_ms(step: Callable[[], object], *, replays: int = 60) -> float:
    """Milliseconds of one replay of `step`, captured: the median of three rounds."""
    beside = torch.cuda.Stream()
    beside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(beside):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(beside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    rounds = []
    for _ in range(4):  # the first warms up
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        for _ in range(replays):
            graph.replay()
        end.record()
        torch.cuda.synchronize()
        rounds.append(begin.elapsed_time(end) / replays)
    return statistics.median(rounds[1:])


def measure(gpu: ModuleType, size: str, batches: list[int]) -> None:
    """Print a line for each batch, as it is and compiled, and for the codec of notes of 8 s."""
    model, codec = gpu.build(size, device="cuda", dtype=torch.bfloat16, attention="sdpa", reduced=False)
    for compiled in (False, True):
        for batch in batches:
            started_s = time.perf_counter()
            frames = Frames(model, batch, positions=SLOT_POSITIONS, compiled=compiled)
            whole_ms = replay_ms(frames.step)
            talker_ms = replay_ms(lambda frames=frames: frames.talk(frames.inputs))
            report(
                size=size,
                compiled=compiled,
                batch=batch,
                frame_ms=whole_ms,
                talker_ms=talker_ms,
                audio_s_per_s=batch * FRAME_MS / whole_ms,
                set_up_s=time.perf_counter() - started_s,
            )
    for batch in batches:
        codes = torch.randint(0, AUDIO_CODES, (batch, 100, CODEBOOKS), device="cuda")
        codec.decode(codes, return_dict=True)
        torch.cuda.synchronize()
        started_s = time.perf_counter()
        codec.decode(codes, return_dict=True)
        torch.cuda.synchronize()
        report(size=size, batch=batch, codec_ms_per_frame=(time.perf_counter() - started_s) * 10)


def report(**facts: Any) -> None:
    """One JSON line."""
    print(
        json.dumps({name: round(fact, 3) if isinstance(fact, float) else fact for name, fact in facts.items()}),
        flush=True,
    )


def check(gpu: ModuleType) -> None:
    """Compare both functions with qwen-tts on narrow layers; AssertionError where they differ."""
    model, _ = gpu.build("0b6", device="cpu", dtype=torch.float32, attention="sdpa", reduced=True)
    talker = model.talker
    frames = Frames(model, 3, positions=32, compiled=False, greedy=True)
    width = talker.codec_head.weight.shape[1]
    hidden, first = torch.randn(3, width), torch.tensor([5, 9, 1999])
    prompt = torch.stack((hidden, talker.get_input_embeddings()(first)), 1)
    theirs = talker.code_predictor.generate(inputs_embeds=prompt, max_new_tokens=CODEBOOKS - 1, do_sample=False)
    codes, _ = frames.predict(hidden, first)
    assert torch.equal(codes, theirs[:, 1 - CODEBOOKS :])
    steps = torch.randn(3, 6, width)
    frames.positions.zero_()
    for at in range(6):
        mine, _ = frames.talk(steps[:, at])
        frames.positions.add_(1)
        whole = talker.model(inputs_embeds=steps[:, : at + 1]).last_hidden_state[:, -1]
        torch.testing.assert_close(mine, whole, rtol=1e-4, atol=1e-4)
    report(equal=True)


def main() -> None:
    """Measure on the GPU, or check on the CPU."""
    parser = argparse.ArgumentParser(description="Speed of a frame of Qwen3-TTS as one CUDA graph, without weights.")
    parser.add_argument("--sizes", default="1b7")
    parser.add_argument("--batches", default="1,16,64")
    parser.add_argument("--check", action="store_true")
    asked = parser.parse_args()
    gpu = _plain()
    gpu.import_qwen()
    with torch.no_grad():
        if asked.check:
            check(gpu)
            return
        for size in asked.sizes.split(","):
            measure(gpu, size, [int(part) for part in asked.batches.split(",")])
            torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
