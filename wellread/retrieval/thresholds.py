"""When to refuse where a store has no questions of its own to learn it from: weights by embedder, fitted to the handbook.

`fit_refusal` on the questions of the embedded handbook, all signs, and without those of meaning; docs/retrieval.md tells how
well they do. They were fitted to questions about one book of 137 passages: calibrate a store that matters.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from wellread.retrieval.refusing import Refusal

FITTED_ON = "library:handbook_questions"
DEFAULTS: Mapping[str, Refusal] = MappingProxyType({
    "minilm": Refusal({"covered": 1.0005, "fitting": 1.2012, "likest": 2.7375, "terms": 0.9883}, -4.0689, -0.5299, "minilm"),
    "": Refusal({"covered": 0.7894, "fitting": 3.6109, "terms": 2.1458}, -5.5487, -0.8278),
})  # fmt: skip
"""By the embedder's name; empty for any other, which goes by words alone."""
