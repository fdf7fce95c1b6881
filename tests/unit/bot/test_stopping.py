"""Real processes that are told to stop, whatever they are at."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.stopping import all_done

WAIT_S = 30
PROGRAM = """
import asyncio, contextlib, sys, threading
from bot.commandline.processes import run
from bot.stopping import Stopping, all_done

def say(word):
    print(word, flush=True)

def hang():
    say("begun")
    threading.Event().wait()

async def loads():
    await asyncio.to_thread(hang)

async def serves():
    say("begun")
    await asyncio.Event().wait()

async def swallows():
    say("begun")
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.Event().wait()
    await asyncio.Event().wait()

async def fails():
    asyncio.ensure_future(asyncio.to_thread(hang))
    await asyncio.sleep(0)
    raise RuntimeError("broken")

async def finish(hurry):
    say("finishing")
    await all_done({asyncio.ensure_future(asyncio.sleep(1000))}, within_s=1000, hurry=hurry)
    say("finished")

async def never_finish(hurry):
    say("finishing")
    await asyncio.Event().wait()

async def close():
    say("closed")

async def main():
    async with Stopping() as stopping, contextlib.AsyncExitStack() as opened:
        opened.push_async_callback(close)
        if len(sys.argv) > 2:
            opened.push_async_callback(globals()[sys.argv[2]], stopping.hurry)
        await stopping.until_told(globals()[sys.argv[1]]())

run(main())
"""


@contextlib.asynccontextmanager
async def running(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, *arguments, stdout=-1, stderr=asyncio.subprocess.DEVNULL, cwd=Path.cwd()
    )
    try:
        async with asyncio.timeout(WAIT_S):
            yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    while not (words := (await process.stdout.readline()).decode().strip()).isalpha():  # the log is in between
        assert words
    return words


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
async def test_a_process_ends_in_order_although_a_thread_of_it_never_does(signum: signal.Signals) -> None:
    async with running("loads") as process:
        assert await line(process) == "begun"
        process.send_signal(signum)
        assert await line(process) == "closed"
        assert await process.wait() == 0


async def test_a_process_ends_although_its_work_swallows_the_cancellation() -> None:
    async with running("swallows") as process:
        assert await line(process) == "begun"
        process.terminate()
        assert [await line(process), await process.wait()] == ["closed", 0]


async def test_a_process_that_fails_ends_although_a_thread_of_it_never_does() -> None:
    async with running("fails") as process:
        assert await process.wait() == 1


async def test_a_second_signal_cuts_short_what_is_being_finished() -> None:
    async with running("serves", "finish") as process:
        assert await line(process) == "begun"
        process.terminate()
        assert await line(process) == "finishing"
        process.terminate()
        assert [await line(process), await line(process), await process.wait()] == ["finished", "closed", 0]


async def test_a_second_signal_ends_a_process_that_cannot_finish() -> None:
    async with running("serves", "never_finish") as process:
        assert await line(process) == "begun"
        process.terminate()
        assert await line(process) == "finishing"
        process.terminate()
        assert await process.wait() == 0


async def test_what_is_waited_for_is_never_cancelled() -> None:
    slow = asyncio.ensure_future(asyncio.Event().wait())
    await all_done({slow}, within_s=0, hurry=asyncio.Event())
    assert not slow.done()
    slow.cancel()
