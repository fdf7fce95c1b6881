"""What operators can count, as Prometheus metrics on a registry of their own. Knows no turn logic."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import Enum

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from tts.breaker import BreakerState

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120)
_FAST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2)


class Process(Enum):
    """Whose metrics these are; BOTH where one process does the work of both."""

    WEB = "web"
    WORKER = "worker"
    BOTH = "both"


class Metrics:
    """All counters of one process; handed to whoever counts.

    Both processes have every counter, so that shared code counts in either, and show only what they can count.
    """

    def __init__(self, process: Process = Process.BOTH) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # when a counter began is of no use to anybody
        self.registry = shown = CollectorRegistry()
        hidden = CollectorRegistry()
        self._of_web(hidden if process is Process.WORKER else shown)
        self._of_worker(hidden if process is Process.WEB else shown)
        self._of_both(shown)

    def _of_web(self, to: CollectorRegistry) -> None:
        self.webhooks = _counter(to, "recado_webhooks", "Webhook requests by result.", "result")
        self.updates = _counter(to, "recado_updates", "Updates read from webhooks.", "event", "kind")
        self.ack_s = _histogram(to, "recado_webhook_ack_seconds", "Webhook receipt to answer.", _FAST_SECONDS)
        self.receipts = _counter(to, "recado_receipts", "Receipts by status.", "status")

    def _of_both(self, to: CollectorRegistry) -> None:
        self.failures = _counter(to, "recado_send_failures", "Failed receipts and refusals by code.", "code")
        self.alerts = _counter(to, "recado_alerts", "What a human should look at.", "kind")
        self.errors = _counter(to, "recado_errors", "Errors by category.", "category")
        self.queue = Gauge("recado_queue", "Depth of the mailbox.", ["what"], registry=to)
        self.background_failures = _counter(to, "recado_background_failures", "Failed rounds of periodic work.", "work")
        self.background_failing = Gauge(
            "recado_background_failing", "1 while the last round of a periodic work failed.", ["work"], registry=to
        )

    def _of_worker(self, to: CollectorRegistry) -> None:
        self.turns = _counter(to, "recado_turns", "Turns that ended, by outcome and reason.", "outcome", "reason")
        self.turn_s = _histogram(to, "recado_turn_seconds", "Newest message to last part sent.", _SECONDS)
        self.active = Gauge("recado_turns_active", "Turns in work.", registry=to)
        self.stage_s = _histogram(to, "recado_stage_seconds", "Time in a stage of a turn.", _SECONDS, "stage")
        self.parts = _counter(to, "recado_parts", "Parts handed to the channel.", "kind", "result")
        self.fallbacks = _counter(to, "recado_voice_fallbacks", "Voice parts that became text.", "reason")
        self.engine_attempts = _counter(to, "recado_engine_attempts", "Tries of engines.", "engine", "outcome")
        self.attempt_s = _histogram(
            to, "recado_engine_attempt_seconds", "Time an engine took to answer, whatever it said.", _SECONDS, "engine"
        )
        # The prompt goes by its mark and changes when somebody edits a voice, so the series stay few.
        self.notes = _counter(
            to,
            "recado_notes",
            "Voice notes made, by what they were made of.",
            *("engine", "has_sample", "sample_count", "prompt", "profile"),
        )
        self.note_s = _histogram(
            to,
            "recado_note_seconds",
            "Where a note's time went: queue, generate, gate, encode.",
            _SECONDS,
            *("engine", "stage"),
        )
        self.batch_fill = _histogram(to, "recado_batch_size", "Segments a batch.", (1, 2, 4, 8, 16, 32, 64), "engine")
        self.profile_cache = _counter(
            to, "recado_profile_cache", "Look-ups of voice profiles, by cache and result.", "where", "result"
        )
        self.gpu_memory = Gauge("recado_gpu_memory_bytes", "GPU memory this process holds.", registry=to)
        self.audio_s = _counter(to, "recado_audio_seconds", "Seconds of speech made.", "engine")
        self.note_bytes = _histogram(
            to, "recado_note_bytes", "Size of voice notes.", (8e3, 16e3, 32e3, 64e3, 128e3, 256e3, 512e3)
        )
        self.heard = _counter(to, "recado_heard", "Incoming voice notes by result.", "result")

    def show_breakers(self, states: Callable[[], Mapping[str, BreakerState]]) -> None:
        """Tell with every reading where the breaker of each engine stands; time alone may have moved it."""
        self.registry.register(_Breakers(states))

    def render(self) -> tuple[bytes, str]:
        """The exposition text and its content type."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST


def _counter(to: CollectorRegistry, name: str, text: str, *labels: str) -> Counter:
    return Counter(name, text, labels, registry=to)


def _histogram(to: CollectorRegistry, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
    return Histogram(name, text, labels, buckets=buckets, registry=to)


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
