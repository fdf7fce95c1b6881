"""Which waiting segments are spoken together now. Pure: knows no engine, no clock, no task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_LOOK_AHEAD = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One segment in the queue as the choice sees it. `group` is the note it belongs to; `order` grows with arrival."""

    order: int
    group: str
    expected_s: float
    since_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPolicy:
    """Sizes and times of batches, in segments and seconds. `load_deadline_s` is for work that may load a model."""

    max_batch: int
    max_wait_s: float
    deadline_s: float
    load_deadline_s: float = 1800.0
    queue_max: int = 512


def choose_batch(waiting: Sequence[Waiting], *, now_s: float, policy: BatchPolicy) -> tuple[int, ...]:
    """The `order`s to run now, shortest first; empty while it is better to wait for more.

    The oldest segment always goes (nothing starves). Every note gets one place before any gets two, and among equals
    those closest in length to the oldest come first, because a batch takes as long as its longest segment.
    """
    if not waiting:
        return ()
    by_age = sorted(waiting, key=lambda item: item.order)
    oldest = by_age[0]
    if len(by_age) < policy.max_batch and now_s - oldest.since_s < policy.max_wait_s:
        return ()
    turns: dict[str, int] = {}
    ranked: list[tuple[int, float, int, Waiting]] = []
    for item in by_age[: policy.max_batch * _LOOK_AHEAD]:
        rank = turns.get(item.group, 0)
        turns[item.group] = rank + 1
        ranked.append((rank, abs(item.expected_s - oldest.expected_s), item.order, item))
    chosen = [item for *_, item in sorted(ranked, key=lambda entry: entry[:3])[: policy.max_batch]]
    if oldest not in chosen:
        chosen[-1] = oldest
    return tuple(item.order for item in sorted(chosen, key=lambda item: (item.expected_s, item.order)))
