"""What a card says of the text: known of the embedded ones, and of nothing else."""

from __future__ import annotations

import pytest

from wellread.licences import text_license
from wellread.recipe import load_recipe
from wellread.types import Document


@pytest.mark.parametrize(
    ("source", "changed", "identifier"),
    [
        ("runs/any/synthesis/examples.jsonl", {}, "cc0-1.0"),
        ("anywhere/glossary.json", {}, "cc0-1.0"),
        ("runs/any/synthesis/examples.jsonl", {"synthesis": None}, ""),
        ("mine.txt", {}, ""),
    ],
)
def test_what_templates_make_of_an_embedded_glossary_is_free_as_well(
    source: str, changed: dict[str, None], identifier: str
) -> None:
    recipe = load_recipe("glossary").model_copy(update=changed)
    assert text_license(recipe, [Document("a", "x", source=source)]).identifier == identifier
