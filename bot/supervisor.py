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

log = structlog.get_logger()

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
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._keepers: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Start every child in order; from here on the dead are started again."""
        for spec in self._specs:
            first = asyncio.Event()
            self._keepers.append(asyncio.create_task(self._keep(spec, first), name=f"keep {spec.name}"))
            await first.wait()

    async def run(self) -> None:
        """Start, wait for SIGTERM or SIGINT, stop in reverse."""
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signum, self._stopping.set)
        await self.start()
        await self._stopping.wait()
        await self.stop()

    def pid(self, name: str) -> int | None:
        """The process id of a child; None while it is not running."""
        process = self._running.get(name)
        return process.pid if process else None

    async def stop(self) -> None:
        """Stop the children in reverse order, each with its own patience."""
        self._stopping.set()
        for spec in reversed(self._specs):
            if spec.name in self._running:
                await self._end(spec)
        await asyncio.gather(*self._keepers)

    async def _end(self, spec: ProcessSpec) -> None:
        process = self._running[spec.name]
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), spec.stop_s)
        except TimeoutError:
            log.warning("killing a child that did not stop", child=spec.name)
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _keep(self, spec: ProcessSpec, started: asyncio.Event) -> None:
        failures = 0
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
