"""The speed measurement runs as it will on a GPU: narrow layers here, true widths there."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
SCRIPT = BENCHMARKS / "gpu.py"


@pytest.mark.skipif(find_spec("qwen_tts") is None, reason="needs the extra gpu")
def test_the_measurement_counts_every_stage_of_every_frame(tmp_path: Path) -> None:
    out = tmp_path / "gpu.json"
    narrow = ["--reduced", "--device", "cpu", "--threads", "1", "--batches", "1,2", "--frames", "4", "--sizes", "0b6"]

    subprocess.run([sys.executable, SCRIPT, *narrow, "--json", out], check=True, capture_output=True, timeout=120)

    runs = json.loads(out.read_text())["sizes"]["0b6"]["runs"]
    assert [run["batch"] for run in runs] == [1, 2]
    for run in runs:
        assert run["talker_steps"] == run["frames"] == 4
        for stage in ("prefill_ms", "talker_step_ms", "predictor_loop_ms", "rest_ms", "codec_s"):
            assert run[stage] > 0, stage


@pytest.mark.skipif(find_spec("qwen_tts") is None, reason="needs the extra gpu")
def test_the_frame_that_is_captured_as_a_graph_is_that_of_qwen_tts() -> None:
    checked = subprocess.run(
        [sys.executable, BENCHMARKS / "gpu_graphs.py", "--check"], check=True, capture_output=True, timeout=120
    )

    assert b'{"equal": true}' in checked.stdout
