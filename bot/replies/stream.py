"""Reads what a chat endpoint streams: server-sent events, deltas, reasoning. Pure; fed line by line.

Format: https://platform.openai.com/docs/api-reference/chat-streaming; servers differ in what they leave out.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from bot.replies.contract import ReplyUnavailable

_REASONING = re.compile(r"<(think|thinking|reasoning)>.*?(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_LOST_OPENING = re.compile(r"\A.*</(?:think|thinking|reasoning)>", re.DOTALL | re.IGNORECASE)


class StreamReader:
    """Collects one answer. `done` says that the endpoint has finished."""

    def __init__(self) -> None:
        self.done = False
        self._parts: list[str] = []

    @property
    def text(self) -> str:
        """What is to be said so far, without reasoning."""
        return without_reasoning("".join(self._parts))

    def feed(self, line: str) -> None:
        """Take one line of the stream; raises ReplyUnavailable for an error event or nonsense."""
        if not line.startswith("data:"):  # comments, event names and blank lines carry no text
            return
        data = line.removeprefix("data:").strip()
        if data == "[DONE]":
            self.done = True
        elif data:
            self._take(loaded(data))

    def _take(self, event: dict[str, Any]) -> None:
        if event.get("error"):
            raise ReplyUnavailable("the endpoint reported an error in mid-stream")
        for choice in event.get("choices") or ():
            self._parts.append((choice.get("delta") or {}).get("content") or "")
            if choice.get("finish_reason"):
                self.done = True


def whole_answer(document: bytes) -> str:
    """The answer of an endpoint that does not stream, from its one JSON document."""
    for choice in loaded(document).get("choices") or ():
        return without_reasoning((choice.get("message") or {}).get("content") or "")
    return ""


def without_reasoning(text: str) -> str:
    """Without `<think>` passages, closed, unclosed or with a lost opening tag."""
    return _LOST_OPENING.sub("", _REASONING.sub("", text)).strip()


def loaded(data: bytes | str) -> dict[str, Any]:
    """A JSON object, or ReplyUnavailable."""
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise ReplyUnavailable("the endpoint sent something that is not JSON") from error
    if not isinstance(document, dict):
        raise ReplyUnavailable("the endpoint sent JSON that is no answer")
    return document
