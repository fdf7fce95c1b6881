"""What gets into a log line, and what never does."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Callable, Iterator

import pytest
import structlog
from aiohttp.http_exceptions import BadHttpMessage

from bot.logs import QuietAboutBadRequests, configure_logging, scrub

WAMID = "wamid.HBgNNTUxMTk4NzY1NDMyMRUCABIYFjNFQjA=="


def scrubbed(value: object) -> object:
    return scrub(None, "info", {"value": value})["value"]


@pytest.mark.parametrize(
    ("words", "masked"),
    [
        ("5511987654321", "<number>"),
        ("to +5511987654321 failed", "to <number> failed"),
        ("no answer from 5511987654321.", "no answer from <number>."),
        ("'5511987654321', then", "'<number>', then"),
        (f"quoting {WAMID}", "quoting <wamid>"),
    ],
)
def test_numbers_and_wamids_are_masked(words: str, masked: str) -> None:
    assert scrubbed(words) == masked


@pytest.mark.parametrize(
    "words",
    ["code 131053", "0-ca6c746ba863ef907f22-1", "took 12.3456789012 s", "1795258645487-0", "blob ab12345678901234cd"],
)
def test_what_is_no_number_of_a_person_stays(words: str) -> None:
    assert scrubbed(words) == words


@pytest.mark.parametrize(
    "wrapped", [["5511987654321"], ("5511987654321",), {"to": "5511987654321"}, [["5511987654321"]]]
)
def test_what_lies_inside_other_values_is_masked_too(wrapped: object) -> None:
    assert "5511987654321" not in str(scrubbed(wrapped))


@pytest.mark.parametrize("value", [3, 2.5, None, True])
def test_other_values_stay_as_they_are(value: object) -> None:
    assert scrubbed(value) == value


@contextlib.contextmanager
def configured() -> Iterator[structlog.stdlib.BoundLogger]:
    """A logger of its own, set up as the processes do it; everything is as it was afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure_logging(process="web", level="INFO", log_format="json")
    try:
        yield structlog.get_logger()
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.contextvars.clear_contextvars()
        structlog.reset_defaults()


Lines = Callable[[], list[dict[str, object]]]


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Lines:
    return lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_line_is_one_json_object_with_process_level_and_time(lines: Lines) -> None:
    with configured() as log:
        log.info("spoken", audio_s=1.5)
    (line,) = lines()
    assert (line["event"], line["level"], line["process"], line["audio_s"]) == ("spoken", "info", "web", 1.5)
    assert str(line["timestamp"]).endswith("Z")


def test_lines_carry_the_turn_they_belong_to(lines: Lines) -> None:
    with configured() as log, structlog.contextvars.bound_contextvars(turn="0-ab-1"):
        log.info("spoken")
    assert lines()[0]["turn"] == "0-ab-1"


def test_an_exceptions_words_are_scrubbed(lines: Lines) -> None:
    with configured() as log:
        log.error("failed", exc_info=ValueError(f"cannot quote {WAMID} to 5511987654321"))
    (line,) = lines()
    assert line["exception"] == "ValueError: cannot quote <wamid> to <number>"


def test_other_libraries_lines_are_scrubbed_json_as_well(lines: Lines) -> None:
    with configured():
        logging.getLogger("some.library").warning("lost %s", "5511987654321")
    (line,) = lines()
    assert (line["event"], line["level"], line["process"]) == ("lost <number>", "warning", "web")


def test_less_than_the_level_is_left_out(lines: Lines) -> None:
    with configured() as log:
        log.debug("no typing indicator")
    assert lines() == []


def test_every_request_of_the_http_client_is_not_news(lines: Lines) -> None:
    with configured():
        logging.getLogger("httpx").info("HTTP Request: POST https://graph.facebook.com/v26.0/100/messages")
    assert lines() == []


def test_a_request_that_is_no_http_is_one_warning_without_its_bytes() -> None:
    error = BadHttpMessage("Got more than 8190 bytes when reading: b'5511987654321'")
    record = logging.LogRecord("aiohttp.server", logging.ERROR, __file__, 1, "Error", (), (BadHttpMessage, error, None))
    assert QuietAboutBadRequests().filter(record)
    assert (record.levelname, record.getMessage(), record.exc_info) == (
        "WARNING",
        "bad request: BadHttpMessage",
        None,
    )
