from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tts.engines.qwen3.room import PATIENCE, Room


def test_before_memory_runs_out_there_is_no_limit() -> None:
    assert Room().most > 1000


def test_a_batch_without_memory_halves_those_that_follow() -> None:
    room = Room()

    room.ran_out(16)

    assert room.most == 8


def test_full_batches_that_fit_let_one_more_take_in() -> None:
    room = Room()
    room.ran_out(16)

    for _ in range(PATIENCE):
        room.held(8)

    assert room.most == 9


def test_small_batches_that_fit_tell_nothing_of_large_ones() -> None:
    room = Room()
    room.ran_out(16)

    for _ in range(10 * PATIENCE):
        room.held(7)

    assert room.most == 8


def test_one_take_too_many_falls_back_to_what_fitted() -> None:
    room = Room()
    room.ran_out(16)
    for _ in range(PATIENCE):
        room.held(8)

    room.ran_out(9)

    assert room.most == 8


def test_what_fitted_once_and_fits_no_more_is_halved() -> None:
    room = Room()
    room.held(16)

    room.ran_out(16)

    assert room.most == 8


@given(st.integers(1, 64), st.integers(1, 64))
def test_the_limit_is_found_within_the_halvings_of_a_batch_and_always_lets_one_take_in(wanted: int, fits: int) -> None:
    room, failures = Room(), 0
    for _ in range(wanted.bit_length()):
        size = min(wanted, room.most)
        if size > fits:
            room.ran_out(size)
            failures += 1
        else:
            room.held(size)

    assert room.most >= 1
    assert min(wanted, room.most) <= fits
    assert failures <= wanted.bit_length() - 1
