"""What operators can count, as Prometheus metrics on a registry of their own. Knows no turn logic."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from tts.breaker import BreakerState

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120)
_FAST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2)


class Metrics:
    """All counters of one process; handed to whoever counts."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.webhooks = self._counter("recado_webhooks", "Webhook requests by result.", "result")
        self.updates = self._counter("recado_updates", "Updates read from webhooks.", "event", "kind")
        self.ack_s = self._histogram("recado_webhook_ack_seconds", "Webhook receipt to answer.", _FAST_SECONDS)
        self.turns = self._counter("recado_turns", "Turns that ended, by outcome and reason.", "outcome", "reason")
        self.turn_s = self._histogram("recado_turn_seconds", "Newest message to last part sent.", _SECONDS)
        self.active = Gauge("recado_turns_active", "Turns in work.", registry=self.registry)
        self.stage_s = self._histogram("recado_stage_seconds", "Time in a stage of a turn.", _SECONDS, "stage")
        self.parts = self._counter("recado_parts", "Parts handed to the channel.", "kind", "result")
        self.fallbacks = self._counter("recado_voice_fallbacks", "Voice parts that became text.", "reason")
        self.engine_attempts = self._counter("recado_engine_attempts", "Tries of engines.", "engine", "outcome")
        self.attempt_s = self._histogram(
            "recado_engine_attempt_seconds", "Time an engine took to answer, whatever it said.", _SECONDS, "engine"
        )
        # The prompt goes by its mark and changes when somebody edits a voice, so the series stay few.
        self.notes = self._counter(
            "recado_notes",
            "Voice notes made, by what they were made of.",
            *("engine", "has_sample", "sample_count", "prompt", "profile"),
        )
        self.note_s = self._histogram(
            "recado_note_seconds",
            "Where a note's time went: queue, generate, gate, encode.",
            _SECONDS,
            "engine",
            "stage",
        )
        self.batch_fill = self._histogram("recado_batch_size", "Segments a batch.", (1, 2, 4, 8, 16, 32, 64), "engine")
        self.profile_cache = self._counter(
            "recado_profile_cache", "Look-ups of voice profiles, by cache and result.", "where", "result"
        )
        self.gpu_memory = Gauge("recado_gpu_memory_bytes", "GPU memory this process holds.", registry=self.registry)
        self.audio_s = self._counter("recado_audio_seconds", "Seconds of speech made.", "engine")
        self.note_bytes = self._histogram(
            "recado_note_bytes", "Size of voice notes.", (8e3, 16e3, 32e3, 64e3, 128e3, 256e3, 512e3)
        )
        self.heard = self._counter("recado_heard", "Incoming voice notes by result.", "result")
        self.receipts = self._counter("recado_receipts", "Receipts by status.", "status")
        self.failures = self._counter("recado_send_failures", "Failed receipts and refusals by code.", "code")
        self.alerts = self._counter("recado_alerts", "What a human should look at.", "kind")
        self.errors = self._counter("recado_errors", "Errors by category.", "category")
        self.queue = Gauge("recado_queue", "Depth of the mailbox.", ["what"], registry=self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(name, text, labels, buckets=buckets, registry=self.registry)

    def show_breakers(self, states: Callable[[], Mapping[str, BreakerState]]) -> None:
        """Tell with every reading where the breaker of each engine stands; time alone may have moved it."""
        self.registry.register(_Breakers(states))

    def render(self) -> tuple[bytes, str]:
        """The exposition text and its content type."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST


class _Breakers(Collector):
    """1 for the state each engine's breaker is in, 0 for the others."""

    def __init__(self, states: Callable[[], Mapping[str, BreakerState]]) -> None:
        self._states = states

    def collect(self) -> Iterator[GaugeMetricFamily]:
        family = GaugeMetricFamily(
            "recado_engine_breaker", "Whether an engine's breaker is in a state.", labels=["engine", "state"]
        )
        for engine, now in self._states().items():
            for state in BreakerState:
                family.add_metric([engine, state], float(state is now))
        yield family
