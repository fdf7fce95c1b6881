"""Faults on demand: which misbehaviour comes next, how often, and on which operation.

Pure data and a counter: it decides, the edges act. Knows no HTTP, no clock and no messages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType


class Operation(StrEnum):
    """What a fault can strike."""

    SEND = "send"
    RECEIPT = "receipt"
    UPLOAD = "upload"
    LOOKUP = "lookup"
    DOWNLOAD = "download"
    DELETE = "delete"
    OTHER = "other"
    WEBHOOK = "webhook"


class Fault(StrEnum):
    """Every misbehaviour the emulator can show."""

    DUPLICATE = "duplicate"
    REORDER = "reorder"
    BATCH = "batch"
    RATE_LIMIT = "rate_limit"
    PAIR_LIMIT = "pair_limit"
    LATE_MEDIA_ERROR = "late_media_error"
    EXPIRED_MEDIA = "expired_media"
    SLOW = "slow"
    DOWN = "down"
    RESET = "reset"
    AMBIGUOUS = "ambiguous"


GRAPH_OPERATIONS = frozenset(Operation) - {Operation.WEBHOOK}

STRIKES: Mapping[Fault, frozenset[Operation]] = MappingProxyType(
    {
        Fault.DUPLICATE: frozenset({Operation.WEBHOOK}),
        Fault.REORDER: frozenset({Operation.WEBHOOK}),
        Fault.BATCH: frozenset({Operation.WEBHOOK}),
        Fault.RATE_LIMIT: frozenset({Operation.SEND}),
        Fault.PAIR_LIMIT: frozenset({Operation.SEND}),
        Fault.LATE_MEDIA_ERROR: frozenset({Operation.SEND}),
        Fault.EXPIRED_MEDIA: frozenset({Operation.SEND, Operation.LOOKUP}),
        Fault.SLOW: GRAPH_OPERATIONS,
        Fault.DOWN: GRAPH_OPERATIONS,
        Fault.RESET: GRAPH_OPERATIONS,
        Fault.AMBIGUOUS: frozenset({Operation.SEND}),
    }
)
"""Where each fault strikes unless `Setting.on` narrows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """The next `count` chances of `fault`; an empty `on` means everywhere it can strike."""

    fault: Fault
    count: int
    on: frozenset[Operation] = frozenset()
    delay_ms: int = 2000
    retry_after_s: int = 1

    def strikes(self, operation: Operation) -> bool:
        """Whether this setting applies to `operation`."""
        return operation in (self.on or STRIKES[self.fault])


class FaultDesk:
    """Holds the armed faults. `take` is the only way one is used up."""

    def __init__(self) -> None:
        self._armed: dict[Fault, Setting] = {}

    def arm(self, setting: Setting) -> None:
        """Replace what was armed for this fault; a count of 0 disarms it. Refuses operations it cannot strike."""
        if stray := setting.on - STRIKES[setting.fault]:
            raise ValueError(f"{setting.fault} cannot strike {', '.join(sorted(stray))}")
        if setting.count <= 0:
            self._armed.pop(setting.fault, None)
        else:
            self._armed[setting.fault] = setting

    def clear(self) -> None:
        """Disarm everything."""
        self._armed.clear()

    def take(self, fault: Fault, operation: Operation) -> Setting | None:
        """Use up one count of `fault` if it is armed for `operation`."""
        setting = self._armed.get(fault)
        if setting is None or not setting.strikes(operation):
            return None
        self.arm(replace(setting, count=setting.count - 1))
        return setting

    def armed(self) -> tuple[Setting, ...]:
        """What is still to come, in the order of `Fault`."""
        return tuple(self._armed[fault] for fault in Fault if fault in self._armed)
