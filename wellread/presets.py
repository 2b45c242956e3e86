"""Named sampling settings: what `--preset NAME` stands for, where no flag says otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wellread.errors import UsageError
from wellread.registry import unknown

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "novel": {"max_tokens": 500, "temperature": 0.8, "repetition_penalty": 1.1, "top_p": 0.9},
}
"""Fields of Sampling. `novel`: a page of prose, on the q8_0 file that was exported beside a run where there is one."""
ROUNDED = {"novel": "q8_0"}
"""Which exported file a preset would rather write with."""


def settings(name: str) -> dict[str, Any]:
    """The fields of a preset; none for an empty name. Raises UsageError for one there is not."""
    if not name:
        return {}
    if name not in PRESETS:
        raise UsageError(unknown(f"preset {name!r}", name, PRESETS))
    return dict(PRESETS[name])
