"""Real, tiny children: how they are started, started again and stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.supervisor import ProcessSpec, Supervisor, backoff_s

WAIT_S = 20
FOREVER = "import time; time.sleep(1000)"
# Says on SIGTERM that it was told, in a file that all children share.
TELLS = """
import signal, sys, time
def told(*_):
    open("told", "a").write(sys.argv[1] + "\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, told)
open("ready-" + sys.argv[1], "w").close()
time.sleep(1000)
"""
DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open("ready-deaf", "w").close()
time.sleep(1000)
"""
COUNTS = """
open("starts", "a").write("x")
"""


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not happened():  # noqa: ASYNC110 - what is waited for happens in other processes
            await asyncio.sleep(0.005)


def child(name: str, program: str, *arguments: str, **changes: Any) -> ProcessSpec:
    return ProcessSpec(name=name, argv=(sys.executable, "-S", "-c", program, *arguments), **changes)


class Nursery:
    """Supervisors in one folder, all stopped at the end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._supervisors: list[Supervisor] = []

    def supervisor(self, *specs: ProcessSpec, **changes: Any) -> Supervisor:
        fields: dict[str, Any] = {
            "environment": {**os.environ, "GREETING": "hello"},
            "folder": self.folder,
            "clock": time.monotonic,
        }
        supervisor = Supervisor(specs, **fields | changes)
        self._supervisors.append(supervisor)
        return supervisor

    def read(self, name: str) -> str:
        path = self.folder / name
        return path.read_text() if path.exists() else ""

    def ready(self, *names: str) -> bool:
        return all((self.folder / f"ready-{name}").exists() for name in names)

    async def stop(self) -> None:
        for supervisor in self._supervisors:
            await supervisor.stop()


@pytest.fixture
async def nursery(tmp_path: Path) -> AsyncIterator[Nursery]:
    nursery = Nursery(tmp_path)
    yield nursery
    await nursery.stop()


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_every_child_runs(nursery: Nursery) -> None:
    supervisor = nursery.supervisor(child("one", FOREVER), child("two", FOREVER))
    await supervisor.start()
    pids = {supervisor.pid("one"), supervisor.pid("two")}
    assert len(pids) == 2
    assert all(pid is not None and is_running(pid) for pid in pids)


async def test_a_child_gets_the_environment_and_the_folder(nursery: Nursery) -> None:
    program = "import os, pathlib; pathlib.Path('heard').write_text(os.environ['GREETING'])"
    await nursery.supervisor(child("one", program)).start()
    await until(lambda: nursery.read("heard") == "hello")


async def test_a_childs_words_go_to_its_own_log(nursery: Nursery) -> None:
    program = "import sys; print('out', flush=True); print('err', file=sys.stderr)"
    await nursery.supervisor(child("one", program), log_folder=nursery.folder).start()
    await until(lambda: set(nursery.read("one.log").split()) >= {"out", "err"})


async def test_a_child_that_dies_is_started_again(nursery: Nursery) -> None:
    supervisor = nursery.supervisor(child("one", FOREVER))
    await supervisor.start()
    first = supervisor.pid("one")
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await until(lambda: supervisor.pid("one") not in {None, first})


async def test_quick_deaths_are_followed_by_longer_and_longer_pauses(nursery: Nursery) -> None:
    with capture_logs() as logs:
        await nursery.supervisor(child("one", COUNTS)).start()
        await until(lambda: nursery.read("starts") == "xxx")
        await nursery.stop()
    pauses = [line["pause_s"] for line in logs if "pause_s" in line]
    assert pauses[:2] == [0.5, 1.0]


async def test_a_child_that_ran_for_long_is_started_again_quickly(nursery: Nursery) -> None:
    with capture_logs() as logs:
        await nursery.supervisor(child("one", COUNTS), steady_after_s=-1).start()
        await until(lambda: nursery.read("starts") == "xxx")
        await nursery.stop()
    pauses = [line["pause_s"] for line in logs if "pause_s" in line]
    assert pauses[:2] == [0.5, 0.5]


def test_pauses_double_up_to_half_a_minute() -> None:
    assert [backoff_s(failures) for failures in (1, 2, 3, 7, 50)] == [0.5, 1.0, 2.0, 30.0, 30.0]


async def test_children_are_stopped_in_reverse_order(nursery: Nursery) -> None:
    names = ("store", "web", "worker")
    supervisor = nursery.supervisor(*(child(name, TELLS, name) for name in names))
    await supervisor.start()
    await until(lambda: nursery.ready(*names))
    await supervisor.stop()
    assert nursery.read("told").split() == ["worker", "web", "store"]


async def test_a_child_that_does_not_listen_is_killed(nursery: Nursery) -> None:
    supervisor = nursery.supervisor(child("deaf", DEAF, stop_s=0.05))
    await supervisor.start()
    pid = supervisor.pid("deaf")
    assert pid is not None
    await until(lambda: nursery.ready("deaf"))
    await supervisor.stop()
    assert not is_running(pid)


async def test_stopping_does_not_wait_for_a_pause_to_end(nursery: Nursery) -> None:
    with capture_logs() as logs:
        supervisor = nursery.supervisor(child("one", COUNTS))
        await supervisor.start()
        await until(lambda: any("pause_s" in line for line in logs))
        await supervisor.stop()
    assert supervisor.pid("one") is None


async def test_what_was_stopped_is_not_started_again(nursery: Nursery) -> None:
    supervisor = nursery.supervisor(child("one", TELLS, "one"))
    await supervisor.start()
    await until(lambda: nursery.ready("one"))
    await supervisor.stop()
    assert (supervisor.pid("one"), supervisor._keepers[0].done()) == (None, True)


async def test_a_program_that_does_not_exist_keeps_nobody_else_from_starting(nursery: Nursery) -> None:
    missing = ProcessSpec(name="missing", argv=("/does/not/exist",))
    supervisor = nursery.supervisor(missing, child("one", FOREVER))
    async with asyncio.timeout(WAIT_S):
        await supervisor.start()
    assert (supervisor.pid("missing"), supervisor.pid("one") is None) == (None, False)


async def test_a_program_that_appears_later_is_started(nursery: Nursery) -> None:
    program = nursery.folder / "late"
    supervisor = nursery.supervisor(ProcessSpec(name="late", argv=(str(program),)))
    await supervisor.start()
    program.write_text("#!/bin/sh\nexec sleep 1000\n")
    program.chmod(0o700)
    await until(lambda: supervisor.pid("late") is not None)


async def test_ctrl_c_reaches_the_children_through_us_alone(nursery: Nursery) -> None:
    supervisor = nursery.supervisor(child("one", FOREVER))
    await supervisor.start()
    pid = supervisor.pid("one")
    assert pid is not None
    assert os.getsid(pid) != os.getsid(0)


async def test_run_ends_on_a_signal_with_its_children(nursery: Nursery) -> None:
    supervisor = nursery.supervisor(child("one", TELLS, "one"))
    running = asyncio.create_task(supervisor.run())
    await until(lambda: nursery.ready("one"))
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(running, WAIT_S)
    assert nursery.read("told").split() == ["one"]


async def test_run_ends_at_once_on_a_second_signal_although_a_child_is_deaf(nursery: Nursery) -> None:
    running = asyncio.create_task(
        nursery.supervisor(child("one", TELLS, "one"), child("deaf", DEAF, stop_s=1000.0)).run()
    )
    await until(lambda: nursery.ready("one", "deaf"))
    with capture_logs() as logs, pytest.MonkeyPatch.context() as patched:
        patched.setattr("bot.stopping.end_within", lambda _seconds: None)  # it would end the tests
        os.kill(os.getpid(), signal.SIGTERM)
        await until(lambda: any(line["event"] == "told to stop" for line in logs))
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(running, WAIT_S)
    assert nursery.read("told").split() == ["one"]


async def test_a_supervisor_that_is_told_to_stop_while_it_starts_its_children_ends(nursery: Nursery) -> None:
    supervisor = nursery.supervisor(*(child(str(number), FOREVER) for number in range(3)))
    starting = asyncio.create_task(supervisor.start())
    await until(lambda: supervisor.pid("0") is not None)
    await asyncio.wait_for(supervisor.stop(), WAIT_S)
    await asyncio.wait_for(starting, WAIT_S)
    assert [supervisor.pid(str(number)) for number in range(3)] == [None] * 3
