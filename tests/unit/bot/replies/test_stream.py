from __future__ import annotations

import pytest

from bot.replies.contract import ReplyUnavailable
from bot.replies.stream import StreamReader, whole_answer, without_reasoning


def read(*lines: str) -> StreamReader:
    reader = StreamReader()
    for line in lines:
        reader.feed(line)
    return reader


def test_pieces_are_joined_until_the_end_mark() -> None:
    reader = read('data: {"choices":[{"delta":{"content":"Oi"}}]}', 'data: {"choices":[{"delta":{"content":"!"}}]}')
    assert (reader.text, reader.done) == ("Oi!", False)
    reader.feed("data: [DONE]")
    assert reader.done


def test_a_finish_reason_ends_the_answer_as_well() -> None:
    assert read('data: {"choices":[{"delta":{},"finish_reason":"stop"}]}').done


@pytest.mark.parametrize(
    "line",
    ["", ": ping", "event: delta", "data:", 'data: {"choices":[]}', 'data: {"choices":[{"delta":{"content":null}}]}'],
)
def test_lines_without_text_change_nothing(line: str) -> None:
    reader = read(line)
    assert (reader.text, reader.done) == ("", False)


@pytest.mark.parametrize("line", ["data: {", "data: [1]", 'data: {"error":{"message":"overloaded"}}'])
def test_nonsense_and_errors_in_mid_stream_are_typed(line: str) -> None:
    with pytest.raises(ReplyUnavailable):
        read(line)


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("<think>hm\nhm</think>Oi", "Oi"),
        ("<THINKING>x</THINKING> Oi", "Oi"),
        ("hm hm</think>Oi", "Oi"),
        ("<think>never ends", ""),
        ("Oi <think>x</think>você", "Oi você"),
        ("I think so", "I think so"),
    ],
)
def test_reasoning_is_not_spoken(text: str, spoken: str) -> None:
    assert without_reasoning(text) == spoken


def test_an_endpoint_that_does_not_stream_is_read_whole() -> None:
    assert whole_answer(b'{"choices":[{"message":{"content":" Oi "}}]}') == "Oi"
    assert whole_answer(b'{"choices":[]}') == ""
