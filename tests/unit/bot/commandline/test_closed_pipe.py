from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bot.outbox import Part, PartKind
from bot.record import TurnRecord, dump_record
from bot.turn import Turn
from tests.unit.bot.commandline.test_operate import make_dead_letter

ROOT = Path(__file__).parents[4]
PIPE_BYTES = 1 << 16
CLOSED_PIPE = 141


def start(*arguments: str, stdout: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "bot", *arguments],
        stdout=stdout,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


@pytest.mark.usefixtures("recado")
def test_a_reader_that_has_enough_ends_a_long_output_without_a_word(store_url: str) -> None:
    said = "\n".join(["Abrimos às nove."] * PIPE_BYTES)
    turn = Turn(id="t", created_at_ms=0, newest_at_ms=0, parts=(Part(kind=PartKind.TEXT, text=said),))
    letter = make_dead_letter(store_url, record=dump_record(TurnRecord(turn=turn)))
    with start("turn", "show", letter.turn_id, "--text", stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert letter.turn_id.encode() in process.stdout.readline()
        process.stdout.close()
        told = process.stderr.read()
    assert b"Traceback" not in told
    assert b"pipe" not in told
    assert process.returncode == CLOSED_PIPE


@pytest.mark.usefixtures("recado")
@pytest.mark.parametrize(
    "arguments",
    [("turns",), ("dead", "list"), ("sending", "show"), ("persona", "list"), ("doctor", "--json"), ("voice", "list")],
)
def test_a_pipe_that_nobody_reads_ends_any_command_without_a_word(arguments: tuple[str, ...]) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    with start(*arguments, stdout=write_end) as process:
        os.close(write_end)
        assert process.stderr is not None
        told = process.stderr.read()
    assert told == b""
    assert process.returncode == CLOSED_PIPE
