"""What is read of YAML, and what is refused before it can do harm."""

from __future__ import annotations

import pytest

from bot.bounded_yaml import DEPTH_MAX, DOCUMENT_MAX_BYTES, BadYaml, load_yaml


def test_a_plain_document_is_read() -> None:
    assert load_yaml("name: Nina\nwords: [oi, olá]\n") == {"name": "Nina", "words": ["oi", "olá"]}


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ("a" * (DOCUMENT_MAX_BYTES + 1), "larger than 256 KB"),
        ("[" * (DEPTH_MAX + 1) + "]" * (DEPTH_MAX + 1), "too deeply nested"),
        ("[" * 100_000, "too deeply nested"),
        ("a: &x [1]\nb: *x\n", "write out what stands for an alias"),
        ("a: [1", "not readable as YAML"),
        ("!!python/object:os.system {}", "not readable as YAML"),
        (b"\xff\xfe\x00", "not readable as YAML"),
        ("when: 2026-03-45", "not readable as YAML"),
    ],
)
def test_what_is_out_of_bounds_is_refused_in_words(document: bytes | str, says: str) -> None:
    with pytest.raises(BadYaml, match=says):
        load_yaml(document)


def test_a_few_aliases_are_followed_where_that_is_allowed() -> None:
    assert load_yaml("a: &x [1]\nb: *x\n", aliases_max=1) == {"a": [1], "b": [1]}


def test_aliases_within_what_has_a_name_are_refused_always() -> None:
    laughs = "a: &a [1]\n" + "".join(
        f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdef", "bcdefg", strict=True)
    )
    with pytest.raises(BadYaml, match="write out"):
        load_yaml(laughs, aliases_max=10_000)
