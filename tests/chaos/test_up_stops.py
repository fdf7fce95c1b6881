"""`recado up` told to stop while one of its processes loads a model that never comes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from tests.chaos.house import House

pytestmark = pytest.mark.chaos

WAIT_S = 120


@pytest.fixture
def never_read(tmp_path: Path) -> Path:
    """A Whisper model whose weights are a pipe that nobody writes to."""
    folder = tmp_path / "whisper"
    folder.mkdir()
    os.mkfifo(folder / "model.bin")
    return folder


async def until_somebody_reads(pipe: Path) -> int:
    """A writer's end of the pipe, once it has a reader."""
    async with asyncio.timeout(WAIT_S):
        while True:
            try:
                return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
            except OSError:  # nobody reads yet
                await asyncio.sleep(0.05)


async def test_up_ends_in_order_with_all_its_processes_although_a_load_never_does(
    tmp_path: Path, never_read: Path
) -> None:
    house = House(tmp_path, {"STT_BASE_URL": "", "WHISPER_MODEL": str(never_read)})
    with (tmp_path / "up.log").open("wb") as log:
        up = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", "up", env=house.environment, stdout=log, stderr=log
        )
    writer = await until_somebody_reads(never_read / "model.bin")
    try:
        children = psutil.Process(up.pid).children(recursive=True)
        assert len(children) >= 3
        assert len(list((tmp_path / "workers").iterdir())) == 1
        up.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(up.wait(), WAIT_S) == 0
        assert [child for child in children if child.is_running()] == []
        assert list((tmp_path / "workers").iterdir()) == []  # the worker was not killed: it left
        assert "killing a child" not in (tmp_path / "up.log").read_text()
    finally:
        os.close(writer)
        await house.http.aclose()
