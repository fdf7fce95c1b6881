"""Logging: one JSON object a line with the turn's id, and never what people wrote or who they are.

The scrubber is a safety net behind the rule that no call logs text, numbers or wamids: it masks what slips into an
error's words (a wamid holds the phone number in base64).
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping
from typing import Any

import structlog
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web import RequestPayloadError
from structlog.types import EventDict, WrappedLogger

_WAMID = re.compile(r"wamid\.[\w=+/-]+")
_NUMBER = re.compile(r"(?<![\w.-])\+?\d{8,}(?![\w-]|\.\d)")


def scrub(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Mask wamids and long digit runs in every string of the event, however deep it lies."""
    return {key: _scrubbed(value) for key, value in event.items()}


def _scrubbed(value: Any) -> Any:
    if isinstance(value, str):
        return _NUMBER.sub("<number>", _WAMID.sub("<wamid>", value))
    if isinstance(value, Mapping):
        return {key: _scrubbed(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_scrubbed(item) for item in value]
    return value


class QuietAboutBadRequests(logging.Filter):
    """Says in one line, as a warning, that a request was not HTTP: no traceback, and no word of what it held."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Lower what aiohttp logs of a request that it could not read; everything passes."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError | RequestPayloadError):
            record.levelno, record.levelname = logging.WARNING, "WARNING"
            record.msg, record.args = "bad request: %s", (type(error).__name__,)
            record.exc_info = record.exc_text = None
        return True


def configure_logging(*, process: str, level: str, log_format: str) -> None:
    """Send structlog and the standard library's loggers to standard error; `process` names the writer."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        scrub,
    ]
    renderer: structlog.types.Processor = (
        structlog.dev.ConsoleRenderer() if log_format == "console" else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for chatty in ("httpx", "httpcore", "faster_whisper", "aiohttp.access"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    logging.getLogger("aiohttp.server").addFilter(QuietAboutBadRequests())
    structlog.contextvars.bind_contextvars(process=process)
