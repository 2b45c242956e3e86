from __future__ import annotations

import pytest

from wellread.parsing import json_in


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a": 1}', {"a": 1}),
        ('Here you are:\n```json\n{"a": [1, 2]}\n```\nI hope it helps {or not}.', {"a": [1, 2]}),
        ('<think>{"a": 0} is wrong</think>{"a": 1}', {"a": 1}),
        ('[{"a": 1,}, {"b": 2},]', [{"a": 1}, {"b": 2}]),
        ('{"a": "two\nlines"}', {"a": "two\nlines"}),
        ('An [aside] and {"verdict": "right", "because": "it is"} and [1]', {"verdict": "right", "because": "it is"}),
    ],
)
def test_json_is_found_in_what_models_write(text: str, found: object) -> None:
    assert json_in(text) == found


@pytest.mark.parametrize(
    "text",
    ["", "no braces", '{"pairs": [{"q": "a", "a": "b"}, {"q": "c', '{"a": {"b": 1}, "c"', "[" * 5000, "{ " * 5000],
)
def test_half_a_value_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"JSON|empty"):
        json_in(text)
