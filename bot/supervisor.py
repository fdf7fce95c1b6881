"""Runs the processes of one machine: starts them in order, restarts what dies, stops in reverse. Knows no turn.

For one machine and for the demo; in production systemd, supervisord or a cluster does the same with more care.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from bot.stopping import Stopping

log = structlog.get_logger()

HURRIED_S = 1.0
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """One child. It is stopped with SIGTERM and killed when it has not ended `stop_s` seconds later."""

    name: str
    argv: Sequence[str]
    stop_s: float = 10.0


def backoff_s(failures: int) -> float:
    """Seconds to wait before the next start after `failures` quick deaths: 0.5, 1, 2 … at most 30."""
    return float(min(30.0, 0.5 * 2 ** max(0, failures - 1)))


def _end_with_parent() -> Callable[[], None] | None:
    """What a child does first: ask the kernel for a SIGTERM when its parent dies, however that happens.

    Linux only (prctl, PR_SET_PDEATHSIG); elsewhere children outlive a parent that is killed with -9.
    """
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)  # loaded before the fork: little is safe after it
    return lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM) and None


class Supervisor:
    """Keeps `specs` running until told to stop. Children share our environment, changed by `environment`."""

    def __init__(
        self,
        specs: Sequence[ProcessSpec],
        *,
        environment: Mapping[str, str],
        folder: Path,
        log_folder: Path | None = None,
        steady_after_s: float = 10.0,
        clock: Callable[[], float],
    ) -> None:
        self._specs = specs
        self._environment = dict(environment)
        self._folder = folder
        self._log_folder = log_folder
        self._steady_after_s = steady_after_s
        self._clock = clock
        self._stopping = asyncio.Event()
        self._hurry = asyncio.Event()
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._keepers: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Start every child in order; from here on the dead are started again."""
        for spec in self._specs:
            first = asyncio.Event()
            self._keepers.append(asyncio.create_task(self._keep(spec, first), name=f"keep {spec.name}"))
            await first.wait()

    async def run(self) -> None:
        """Start, wait for SIGTERM or SIGINT, stop in reverse; at once with a second signal."""
        async with Stopping() as stopping:
            try:
                await stopping.until_told(self._start_and_wait())
            finally:
                await self.stop(hurry=stopping.hurry)

    async def _start_and_wait(self) -> None:
        await self.start()
        await asyncio.Event().wait()

    def pid(self, name: str) -> int | None:
        """The process id of a child; None while it is not running."""
        process = self._running.get(name)
        return process.pid if process else None

    async def stop(self, *, hurry: asyncio.Event | None = None) -> None:
        """Stop the children in reverse order, each with its own patience; with `hurry` set, in a moment.

        Children that were told twice end at once, as far as they can.
        """
        self._hurry = hurry or self._hurry
        self._stopping.set()
        for spec in reversed(self._specs):
            if spec.name in self._running:
                await self._end(spec)
        await asyncio.gather(*self._keepers)

    async def _end(self, spec: ProcessSpec) -> None:
        process = self._running[spec.name]
        ended = asyncio.create_task(process.wait())
        hurried = asyncio.create_task(self._hurry.wait())
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await asyncio.wait({ended, hurried}, timeout=spec.stop_s, return_when=asyncio.FIRST_COMPLETED)
        if hurried.done() and not ended.done():
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await asyncio.wait({ended}, timeout=HURRIED_S)
        hurried.cancel()
        if not ended.done():
            log.warning("killing a child that did not stop", child=spec.name)
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await ended

    async def _keep(self, spec: ProcessSpec, started: asyncio.Event) -> None:
        failures = 0
        if self._stopping.is_set():
            started.set()  # nobody is to wait for a start that is not to be
        while not self._stopping.is_set():
            began = self._clock()
            code = await self._run_once(spec, started)
            if self._stopping.is_set():
                return
            failures = 1 if self._clock() - began > self._steady_after_s else failures + 1
            pause_s = backoff_s(failures)
            log.warning("a child ended, starting it again", child=spec.name, exit_code=code, pause_s=pause_s)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause_s)

    async def _run_once(self, spec: ProcessSpec, started: asyncio.Event) -> int | None:
        """Start the child and wait for its end: its exit code, or None when it cannot even be started."""
        try:
            process = self._running[spec.name] = await self._spawn(spec)
        except OSError as error:
            log.error("a child cannot be started", child=spec.name, error=str(error))
            return None
        finally:
            started.set()
        if self._stopping.is_set():  # told to stop while the child was being started
            await self._end(spec)
        code = await process.wait()
        del self._running[spec.name]
        return code

    async def _spawn(self, spec: ProcessSpec) -> asyncio.subprocess.Process:
        # A session of its own: Ctrl-C in the terminal reaches only us, and we stop the children in order.
        output = None
        if self._log_folder is not None:
            output = os.open(self._log_folder / f"{spec.name}.log", os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        try:
            return await asyncio.create_subprocess_exec(
                *spec.argv,
                cwd=self._folder,
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=_end_with_parent(),
            )
        finally:
            if output is not None:
                os.close(output)
