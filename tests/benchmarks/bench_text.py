"""Planning's time for a character of hostile text, at 4096 characters against 1024, side by side in one run."""

from __future__ import annotations

import contextlib
import statistics
import time

from tts.errors import BadText
from tts.text import plan_utterance
from tts.text.plan import MAX_REPLY_CHARS

FRAGMENTS = (
    "½", "?!", ".!", "...", "!", ",", "a", "A.", "a.", "a@", "a/", "/a", "~1", "<1", ">1", "1", "1.", "1,", "1-",
    "1 - ", "1:1", "1/2 ", "1e", "x^2", "12/24 ", "1.1.1 ", "kk ", "ha", "rs ", "R$ 1", "$5M ", "₹1,00", "km/",
    "mg/dL ", "[1]",
    "a[1]", "#1", "#12345 ", "(s)", "a(a)", "S.A.", "Dr. ", "em SP ", "in TX ", "jan/", "5 nov ", "12A ", "2a ",
    "190 ", "ligue 190 ", "call 911 ", "*a*", "**", "`", "_a", "[a](", "![", "<a", "<think>", "- ", "> ", "|", "1. ",
    "⑩", "²",
    "⁵", "a\n", "http://a", "a.com/", "a.pdf", "a-", "'", "☺", "😀", "é", " ",
)  # fmt: skip
FULL, QUARTER, ROUNDS = MAX_REPLY_CHARS, MAX_REPLY_CHARS // 4, 3


def processor_s(text: str, language: str) -> float:
    """The least processor time of a few plans."""
    times = []
    for _ in range(ROUNDS):
        began = time.process_time()
        with contextlib.suppress(BadText):
            plan_utterance(text, language=language)
        times.append(time.process_time() - began)
    return min(times)


def test_time_per_character_stays_flat() -> None:
    """Prints the fragments whose character costs most more in a long text than in a short one."""
    found = []
    for language in ("pt-BR", "en"):
        for fragment in FRAGMENTS:
            short, long = (fragment * (size // len(fragment)) for size in (QUARTER, FULL))
            processor_s(fragment, language)
            long_s = processor_s(long, language)
            ratio = (long_s / len(long)) / (processor_s(short, language) / len(short))
            found.append((ratio, long_s, language, fragment))
    found.sort(reverse=True)
    print(f"\ntime per character at {FULL} characters against {QUARTER}; flat is 1.0")
    print(f"  median ratio {statistics.median(ratio for ratio, *_ in found):.2f}")
    for ratio, long_s, language, fragment in found[:8]:
        print(f"  ratio {ratio:.2f}   {long_s * 1000:6.0f} ms   {language:5} {fragment!r}")
    print(f"  longest {max(long_s for _, long_s, *_ in found) * 1000:.0f} ms")
