"""Gathers segments of different turns and personas into batches and runs them on a device's threads.

Which segments go together is chosen elsewhere (`batch_choice`); here is waiting, deadlines and cancellation. Must not
know what an engine does, only that it takes a batch and may be lost: a hung kernel cannot be cancelled, nor a failed
device be used again, so a batch over its deadline or on such a device is reported (`on_lost`) and its callers are told;
the process is expected to end.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import itertools
import math
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import structlog

from tts.batch_choice import BatchPolicy, Waiting, choose_batch
from tts.contract import Engine, PcmAudio, Utterance
from tts.errors import DeadlineExceeded, DeviceLost, EngineFailed, EngineOverloaded, EngineUnavailable, TtsError

_log = structlog.get_logger()

T = TypeVar("T")

_CLOSING = "the engine is closing"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchStats:
    """What one batch did: for metrics."""

    engine: str
    size: int
    max_batch: int
    queue_depth: int
    waited_s: float
    took_s: float
    audio_s: float


@dataclass(slots=True, kw_only=True, eq=False)
class _Job:
    waiting: Waiting
    utterance: Utterance
    done: asyncio.Future[Spoken] = field(repr=False)

    def fail(self, error: TtsError) -> None:
        """Tell the caller, unless it was told or has left."""
        if not self.done.done():
            self.done.set_exception(error.for_another())


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """A spoken segment, how many were spoken with it, and its times: waiting for its batch, and the batch's own."""

    audio: PcmAudio
    queue_s: float
    generate_s: float
    batch_size: int


class Device:
    """One thread that owns every model on a device; its batches run one after another, in the order they ask.

    With a `width`, that many threads and batches under way at once: for engines that only wait for others.
    """

    def __init__(self, name: str, *, width: int = 1) -> None:
        self.executor = ThreadPoolExecutor(max_workers=width, thread_name_prefix=name)
        # Held while a batch runs, so that no batch's deadline counts another's time.
        self.free = asyncio.Semaphore(width)
        self._errands = 0
        self._errand_ended_at_s = -math.inf

    def errand_begins(self) -> None:
        """Lone work begins: until it ends, no batch is spoken."""
        self._errands += 1

    def errand_ends(self, now_s: float) -> None:
        """Lone work ended."""
        self._errands -= 1
        self._errand_ended_at_s = now_s

    def busy_until_s(self) -> float:
        """When lone work ended last; infinity while there is some."""
        return math.inf if self._errands else self._errand_ended_at_s

    def close(self) -> None:
        """Let the threads end once they are idle; a hung one is left behind."""
        self.executor.shutdown(wait=False, cancel_futures=True)


class Batcher:
    """One engine's queue in front of its device."""

    def __init__(
        self,
        engine: Engine,
        *,
        device: Device,
        policy: BatchPolicy,
        on_lost: Callable[[str, Sequence[Utterance]], None],
        on_batch: Callable[[BatchStats], None] = lambda _stats: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._device = device
        self._policy = policy
        self._on_lost = on_lost
        self._on_batch = on_batch
        self._clock = clock
        self._orders = itertools.count()
        self._queue: dict[int, _Job] = {}
        self._arrived = asyncio.Event()
        self._lost = ""
        self._runner: asyncio.Task[None] | None = None
        self._context = contextvars.copy_context()  # batches are of many: what they log is not of the first who asked
        self._under_way: set[asyncio.Task[Any]] = set()

    @property
    def depth(self) -> int:
        """Segments waiting."""
        return len(self._queue)

    @property
    def lost(self) -> str:
        """Why the engine can never be asked again in this process; empty while it can."""
        return self._lost

    async def submit(self, utterance: Utterance, *, group: str) -> Spoken:
        """The segment, spoken. Cancelling the caller takes a waiting segment out of the queue.

        Raises what the engine said of this segment, EngineOverloaded when the queue is full, DeadlineExceeded when its
        batch hung, DeviceLost when the device failed under it, EngineUnavailable after either.
        """
        if self._lost:
            raise EngineUnavailable(self._lost)
        if len(self._queue) >= self._policy.queue_max:
            raise EngineOverloaded("the engine's queue is full", retry_after_s=5.0)
        waiting = Waiting(order=next(self._orders), group=group, expected_s=utterance.expected_s, since_s=self._clock())
        job = _Job(waiting=waiting, utterance=utterance, done=asyncio.get_running_loop().create_future())
        self._queue[waiting.order] = job
        self._arrived.set()
        if self._runner is None or self._runner.done():
            name = f"batcher-{self._engine.info.name}"
            self._runner = asyncio.create_task(self._run(), name=name, context=self._context)
        try:
            return await job.done
        finally:
            self._queue.pop(waiting.order, None)

    async def alone(self, work: Callable[[], T], *, deadline_s: float | None = None) -> T:
        """What `work` gives, run on a thread of the device between batches, under a batch's deadline or its own.

        A caller who leaves neither stops work that has begun nor frees it from its deadline. Raises what `work` raises;
        anything but a TtsError becomes EngineFailed. DeadlineExceeded when it hung.
        """
        await self._device.free.acquire()
        if self._lost:
            self._device.free.release()
            raise EngineUnavailable(self._lost)
        longest_s = self._policy.deadline_s if deadline_s is None else deadline_s
        return await asyncio.shield(self._begin(self._watched(work, longest_s)))

    async def close(self) -> None:
        """Stop; whoever still waits is told so."""
        tasks = [*self._under_way, *([self._runner] if self._runner else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._refuse_rest(EngineUnavailable(_CLOSING))

    def _begin(self, work: Coroutine[Any, Any, T], jobs: Sequence[_Job] = ()) -> asyncio.Task[T]:
        """`work` as a task that has the device, which its maker acquired, until it ends."""

        def ended(task: asyncio.Task[T]) -> None:
            self._under_way.discard(task)
            self._device.free.release()
            for job in jobs:
                job.fail(EngineUnavailable(_CLOSING))  # one that was stopped before it could tell them
            error = _seen(task)
            if error is not None and not isinstance(error, TtsError):
                _log.error("engine.failed", engine=self._engine.info.name, exc_info=error)

        task = asyncio.create_task(work, name=f"at-work-{self._engine.info.name}")
        self._under_way.add(task)
        task.add_done_callback(ended)
        return task

    async def _watched(self, work: Callable[[], T], longest_s: float) -> T:
        self._device.errand_begins()
        try:
            running = asyncio.get_running_loop().run_in_executor(self._device.executor, work)
            running.add_done_callback(_seen)
            done, _ = await asyncio.wait({running}, timeout=longest_s)
            if done:
                return running.result()
        except asyncio.CancelledError as error:
            raise EngineUnavailable(_CLOSING) from error
        except DeviceLost as error:
            self._give_up([], str(error))
            raise
        except TtsError:
            raise
        except Exception as error:
            _log.exception("engine.failed", engine=self._engine.info.name)
            raise EngineFailed(f"{self._engine.info.name} raised {type(error).__name__}") from error
        finally:
            self._device.errand_ends(self._clock())
        self._give_up([], _hangs(longest_s))
        raise DeadlineExceeded(f"it took longer than {longest_s:g} s")

    async def _run(self) -> None:
        while not self._lost:
            if not self._chosen():
                self._arrived.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._patience_s()):
                        await self._arrived.wait()
                continue
            await self._device.free.acquire()
            # Chosen again: while the device was busy others came, and some gave up.
            jobs = [self._queue.pop(order) for order in self._chosen()]
            if jobs:
                self._begin(self._speak(jobs), jobs)
            else:
                self._device.free.release()

    def _chosen(self) -> tuple[int, ...]:
        return choose_batch([job.waiting for job in self._queue.values()], now_s=self._clock(), policy=self._policy)

    def _patience_s(self) -> float | None:
        """How long until the oldest segment has waited enough; None with an empty queue."""
        if not self._queue:
            return None
        oldest = min(job.waiting.since_s for job in self._queue.values())
        return max(0.0, oldest + self._policy.max_wait_s - self._clock())

    async def _speak(self, jobs: list[_Job]) -> None:
        started_s = self._clock()
        utterances = [job.utterance for job in jobs]
        running = asyncio.get_running_loop().run_in_executor(self._device.executor, self._synthesize, utterances)
        done, _ = await asyncio.wait({running}, timeout=self._policy.deadline_s)
        if not done:
            for job in jobs:
                job.fail(DeadlineExceeded(f"a batch took longer than {self._policy.deadline_s:g} s"))
            self._give_up(jobs, _hangs(self._policy.deadline_s))
            return
        results = running.result()
        took_s = self._clock() - started_s
        for job, result in zip(jobs, results, strict=True):
            if isinstance(result, TtsError):
                job.fail(result)
            elif not job.done.done():
                queue_s = started_s - job.waiting.since_s
                job.done.set_result(Spoken(audio=result, queue_s=queue_s, generate_s=took_s, batch_size=len(jobs)))
        self._report(jobs, results, started_s=started_s, took_s=took_s)
        lost = [result for result in results if isinstance(result, DeviceLost)]
        if lost:
            self._give_up(jobs, str(lost[0]))

    def _report(
        self, jobs: Sequence[_Job], results: Sequence[PcmAudio | TtsError], *, started_s: float, took_s: float
    ) -> None:
        self._on_batch(
            BatchStats(
                engine=self._engine.info.name,
                size=len(jobs),
                max_batch=self._policy.max_batch,
                queue_depth=len(self._queue),
                waited_s=started_s - min(job.waiting.since_s for job in jobs),
                took_s=took_s,
                audio_s=sum(result.duration_s for result in results if isinstance(result, PcmAudio)),
            )
        )

    def _synthesize(self, utterances: Sequence[Utterance]) -> Sequence[PcmAudio | TtsError]:
        """On a thread of the device. A batch that finds no room is tried again in halves; errors become values."""
        try:
            results = self._engine.synthesize(utterances)
        except EngineOverloaded as error:
            if len(utterances) == 1:
                return [error]
            middle = len(utterances) // 2
            return [*self._synthesize(utterances[:middle]), *self._synthesize(utterances[middle:])]
        except TtsError as error:
            return [error] * len(utterances)
        except Exception as error:  # noqa: BLE001 - the boundary to foreign model code: logged, and a value from here on
            _log.exception("engine.failed", engine=self._engine.info.name, batch=len(utterances))
            failure = EngineFailed(f"{self._engine.info.name} raised {type(error).__name__}")
            failure.__cause__ = error
            return [failure] * len(utterances)
        if len(results) != len(utterances):
            return [EngineFailed(f"{len(results)} results for {len(utterances)} utterances")] * len(utterances)
        return results

    def _give_up(self, suspects: Sequence[_Job], reason: str) -> None:
        if self._lost:
            return  # another batch of a wide device was first
        self._lost = f"{reason}; its process has to be restarted"
        self._refuse_rest(EngineUnavailable(self._lost))
        self._arrived.set()  # the runner is to see that it is over
        _log.error("engine.lost", engine=self._engine.info.name, batch=len(suspects), reason=reason)
        self._on_lost(self._engine.info.name, [job.utterance for job in suspects])

    def _refuse_rest(self, error: TtsError) -> None:
        for job in self._queue.values():
            job.fail(error)
        self._queue.clear()


def _hangs(deadline_s: float) -> str:
    return f"the engine hangs: nothing came for {deadline_s:g} s"


def _seen(work: asyncio.Future[Any]) -> BaseException | None:
    """Its error, which counts as looked at from now on: whoever asked may have left."""
    return None if work.cancelled() else work.exception()
