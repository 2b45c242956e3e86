"""A Checkpoint in, a LanguageModel out: what it writes and what it foresees. One backend per file."""

from __future__ import annotations

BACKENDS = {
    "transformers": "wellread.generation.hf:TransformersModel",
}
"""Name of a backend -> the class that makes a LanguageModel of what it opened."""
