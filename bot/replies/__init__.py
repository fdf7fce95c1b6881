"""Finds the words of an answer: a chat endpoint, a persona's script, and what to say when neither works."""

from __future__ import annotations

import httpx

from bot.replies.chain import FallbackReplies
from bot.replies.contract import ReplyGenerator
from bot.replies.llm import LlmEndpoint, LlmReplies
from bot.replies.meaning import SentenceEncoder
from bot.replies.script import ScriptReplies
from bot.settings import Settings


def build_replies(settings: Settings, http: httpx.AsyncClient) -> ReplyGenerator:
    """The chat endpoint where one is configured, then the persona's script, then an apology."""
    generators: list[ReplyGenerator] = []
    if settings.llm_base_url:
        endpoint = LlmEndpoint(
            base_url=settings.llm_base_url,
            model=settings.llm_model,
            api_key=settings.llm_api_key,
            total_s=settings.llm_timeout_s,
        )
        generators.append(LlmReplies(endpoint, http))
    return FallbackReplies([*generators, ScriptReplies(SentenceEncoder())])
