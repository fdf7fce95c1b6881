"""YAML that others wrote: read fast, within bounds of size, depth and aliases. Knows no form.

With aliases in what aliases name a small file stands for one without end, and deep nesting ends the reader; both are
refused before anything is built.
"""

from __future__ import annotations

from typing import Any

import yaml

DOCUMENT_MAX_BYTES = 256 * 1024
DEPTH_MAX = 64

# libyaml's reader, where PyYAML was built with it: some ten times as fast as the one in Python.
_Loader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class BadYaml(Exception):
    """A document that is not read; the message says why, and where."""

    retryable = False


def load_yaml(document: bytes | str, *, aliases_max: int = 0) -> Any:
    """What a YAML document holds: mappings, lists, text, numbers, times. Raises BadYaml.

    At most `aliases_max` aliases are followed, and none within what has a name itself.
    """
    if len(document) > DOCUMENT_MAX_BYTES:
        raise BadYaml(f"larger than {DOCUMENT_MAX_BYTES // 1024} KB")
    try:
        _check(document, aliases_max)
        return yaml.load(document, _Loader)  # noqa: S506 - a safe loader
    except (yaml.YAMLError, ValueError) as error:  # ValueError: bytes that are no text, a 45th of March
        raise BadYaml(f"not readable as YAML: {error}") from error


def _check(document: bytes | str, aliases_max: int) -> None:
    open_collections: list[bool] = []  # whether each has a name or lies within one that has
    aliases = 0
    for event in yaml.parse(document, _Loader):
        within_named = bool(open_collections) and open_collections[-1]
        if isinstance(event, yaml.AliasEvent):
            aliases += 1
            if aliases > aliases_max or within_named:
                raise BadYaml(f"not readable as YAML: write out what stands for an alias (*{event.anchor})")
        elif isinstance(event, yaml.CollectionStartEvent):
            open_collections.append(within_named or event.anchor is not None)
            if len(open_collections) > DEPTH_MAX:
                raise BadYaml(f"not readable as YAML: too deeply nested, more than {DEPTH_MAX} levels")
        elif isinstance(event, yaml.CollectionEndEvent):
            open_collections.pop()
