"""The templates of this room, and the words they may use."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from wellread.reports.wording import count, model_words, rule_words
from wellread.showing import visible

if TYPE_CHECKING:
    from jinja2 import Environment


@cache
def environment() -> Environment:
    """Jinja over this room's files; every text is escaped and `shown`, and a name that is missing is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    found = Environment(
        loader=PackageLoader("wellread.reports", "."), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, finalize=shown,
    )  # fmt: skip
    found.filters["tied"] = tied
    found.filters["count"] = count
    found.filters["rule"] = rule_words
    found.filters["model"] = model_words
    return found


def shown(value: Any) -> Any:
    """What a template is to write: of a text, what can be seen; what is markup already stays."""
    return visible(value) if type(value) is str else value


def tied(text: str) -> str:
    """Text whose numbers do not part from their signs at a line's end."""
    return text.replace(" %", "\N{NO-BREAK SPACE}%").replace("n = ", "n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}")
