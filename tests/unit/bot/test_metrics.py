"""What a reading of the metrics tells beyond counters."""

from __future__ import annotations

import pytest

from bot.metrics import Metrics, Process
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


@pytest.mark.parametrize(
    ("process", "own", "others"),
    [
        (Process.WEB, "recado_webhook_ack_seconds", "recado_turn_seconds"),
        (Process.WORKER, "recado_turn_seconds", "recado_webhook_ack_seconds"),
    ],
)
def test_a_process_shows_what_it_can_count_and_not_the_others_zeros(process: Process, own: str, others: str) -> None:
    text = Metrics(process).render()[0].decode()
    assert (f"{own}_count 0.0" in text, others in text) == (True, False)
    assert "recado_errors" in text


def test_nothing_tells_when_a_counter_began() -> None:
    metrics = Metrics()
    metrics.turns.labels("answered", "").inc()
    assert "_created" not in metrics.render()[0].decode()
