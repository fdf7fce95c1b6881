"""Compares language tags (BCP 47). Must not know engines or texts."""

from __future__ import annotations

from collections.abc import Iterable


def match_language(wanted: str, available: Iterable[str]) -> str | None:
    """The available tag for `wanted`: the same tag, else one of the same primary language, else None.

    `en-GB` finds `en`, `pt` finds `pt-BR`; letter case and `_` for `-` make no difference.
    """
    tags = sorted(available)
    exact, primary = _parts(wanted)
    same = [tag for tag in tags if _parts(tag)[0] == exact]
    related = [tag for tag in tags if _parts(tag)[1] == primary]
    return next(iter(same + related), None)


def _parts(tag: str) -> tuple[str, str]:
    lowered = tag.replace("_", "-").lower()
    return lowered, lowered.partition("-")[0]
