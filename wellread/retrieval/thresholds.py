"""When to refuse where a store has no questions of its own to learn it from: weights by embedder, fitted to the handbook.

`fit_refusal` on the questions of the embedded handbook, all signs, and without those of meaning; docs/retrieval.md tells how
well they do. They were fitted to questions about one book of 137 passages: calibrate a store that matters.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from wellread.retrieval.refusing import Refusal

DEFAULTS: Mapping[str, Refusal] = MappingProxyType({
    "": Refusal({"covered": 1.5, "fitting": 2.5, "terms": 1.0}, -4.2, -1.0),
})  # fmt: skip
"""By the embedder's name; empty for any other, which goes by words alone."""
