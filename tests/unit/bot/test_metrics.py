"""What a reading of the metrics tells beyond counters."""

from __future__ import annotations

from bot.metrics import Metrics
from tts.breaker import BreakerState


def test_each_reading_tells_where_every_breaker_stands_by_then() -> None:
    metrics, states = Metrics(), {"qwen3": BreakerState.CLOSED, "kokoro": BreakerState.CLOSED}
    metrics.show_breakers(lambda: states)

    def standing(engine: str) -> list[float | None]:
        return [
            metrics.registry.get_sample_value("recado_engine_breaker", {"engine": engine, "state": state})
            for state in BreakerState
        ]

    before = standing("qwen3")
    states["qwen3"] = BreakerState.OPEN
    assert [before, standing("qwen3"), standing("kokoro")] == [[1, 0, 0], [0, 1, 0], [1, 0, 0]]
