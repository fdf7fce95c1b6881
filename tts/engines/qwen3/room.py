"""How many takes a batch may hold after memory ran out, so that it does not run out again each time. Pure."""

from __future__ import annotations

import sys

PATIENCE = 8


class Room:
    """Starts without a limit. A batch that finds no memory halves it, but not below what fitted before.

    After `PATIENCE` full batches in a row one more take is tried: what took the memory may be gone.
    """

    def __init__(self) -> None:
        self._most = sys.maxsize
        self._fitted = 0
        self._full_in_a_row = 0

    @property
    def most(self) -> int:
        """The most takes that the next batch should hold."""
        return self._most

    def held(self, size: int) -> None:
        """A batch of `size` takes fitted."""
        self._fitted = max(self._fitted, size)
        if size < self._most:
            return  # tells nothing of one that is larger
        self._full_in_a_row += 1
        if self._full_in_a_row == PATIENCE:
            self._most += 1
            self._full_in_a_row = 0

    def ran_out(self, size: int) -> None:
        """A batch of `size` takes found no memory."""
        if size <= self._fitted:
            self._fitted = 0  # there is less memory than there was, or the texts are longer
        self._most = max(size // 2, self._fitted, 1)
        self._full_in_a_row = 0
