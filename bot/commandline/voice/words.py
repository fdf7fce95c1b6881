"""What several commands of `recado voice` say, ask and read in the same words."""

from __future__ import annotations

from collections.abc import Sequence

import click

from bot.voice_uses import Use
from tts.contract import SourceKind, VoiceSource

VOICE = click.argument("voice_id", metavar="VOICE")
YES = click.option("--yes", is_flag=True, help="Do not ask.")


def weight_of(text: str) -> tuple[str, float]:
    """`NAME=0.7` as name and weight; a name alone weighs 1."""
    name, equals, number = text.rpartition("=")
    if not equals:
        return text, 1.0
    try:
        return name, float(number)
    except ValueError as error:
        raise click.BadParameter(f"{text!r}: write NAME=WEIGHT, such as 3fa1b2=0.7") from error


def styles_of(texts: Sequence[str]) -> tuple[VoiceSource, ...]:
    """`STYLE=WEIGHT`s as a voice's stand-in."""
    return tuple(VoiceSource(kind=SourceKind.STYLE, ref=name, weight=weight) for name, weight in map(weight_of, texts))


def mix_words(sources: Sequence[VoiceSource]) -> str:
    """A mix as its parts with weight, in per cent."""
    total = sum(source.weight for source in sources) or 1.0
    return " + ".join(
        f"{source.ref[:12]} {100 * source.weight / total:.0f} %" for source in sources if source.weight > 0
    )


def left_of(use: Use) -> str:
    """What becomes of a voice whose recording may not be used any more."""
    if use.voice is None or not use.voice.stand_in or use.voice.must_resemble:
        return "not spoken any more; it is answered in text"
    return "spoken by its stand-in only"


def names_of(uses: Sequence[Use]) -> str:
    """Users of a recording in one line."""
    return ", ".join(use.name for use in uses)
