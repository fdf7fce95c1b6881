import asyncio
import threading

import pytest

from tts.unattended import unattended


async def test_what_the_work_gives_or_raises_comes_back() -> None:
    def fails() -> None:
        raise ValueError("from the work")

    assert await unattended(lambda: 7, name="seven") == 7
    with pytest.raises(ValueError, match="from the work"):
        await unattended(fails, name="fails")


async def test_whoever_is_cancelled_leaves_it_running_on_a_thread_that_holds_up_no_process() -> None:
    begun, go_on, done = threading.Event(), threading.Event(), threading.Event()
    daemons: list[bool] = []

    def work() -> None:
        daemons.append(threading.current_thread().daemon)
        begun.set()
        assert go_on.wait(10)
        done.set()

    waiting = asyncio.create_task(unattended(work, name="long"))
    assert await asyncio.to_thread(begun.wait, 10)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    go_on.set()

    assert await asyncio.to_thread(done.wait, 10)
    assert daemons == [True]
