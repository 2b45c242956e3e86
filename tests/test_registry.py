from __future__ import annotations

import pytest

from wellread.errors import UnknownName
from wellread.registry import names, resolve, unknown

TABLE = {"plain": "wellread.errors:RunError"}


def test_a_name_becomes_an_object() -> None:
    from wellread.errors import RunError

    assert resolve("loaders", TABLE, "plain") is RunError
    assert "plain" in names("loaders", TABLE)


def test_an_unknown_name_is_met_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="did you mean 'plain'"):
        resolve("loaders", TABLE, "plian")
    assert unknown("loader 'x'", "x", []) == "no loader 'x'; there are: none."
