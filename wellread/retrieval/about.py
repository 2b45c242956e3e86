"""How a store was made, as its table's schema says it; and the columns of that table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from wellread.errors import StorageError
from wellread.retrieval.chunking import Chunking
from wellread.retrieval.embedders import NONE

ABOUT = b"wellread"
"""Where the table's schema says how the store was made."""
TABLE = "chunks"
OVERLEAF = "overleaf"
"""The column of the further pages of a chunk, which stores of before it lack."""


@dataclass(frozen=True, slots=True)
class About:
    """What a store was made with; it takes no chunks made otherwise."""

    embedder: str = NONE
    """Its name; `none` where there are no vectors, and search is by words alone."""
    width: int = 0
    """Numbers in a vector."""
    chunking: Chunking = field(default_factory=Chunking)
    language: str = "en"
    """Whose words the keywords are taken for, in documents and questions of which it cannot be told."""
    probe: tuple[float, ...] = field(default=(), compare=False)
    """By which the embedder is known again (`embedders.probe_of`)."""

    @property
    def has_vectors(self) -> bool:
        return self.width > 0

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> About:
        return cls(**{**row, "chunking": Chunking(**row["chunking"]), "probe": tuple(row.get("probe", ()))})


def about_of(table: Any, name: str) -> About:
    """How a store was made. Raises StorageError for a table that is none of ours."""
    told = (table.schema.metadata or {}).get(ABOUT)
    try:
        return About.from_json(json.loads(told or ""))
    except (TypeError, ValueError, KeyError):
        raise StorageError(
            f"{name}: holds a table {TABLE!r} that wellread did not make; choose another --store."
        ) from None


def schema_of(about: About) -> Any:
    """The table's columns, and how the store is made."""
    import pyarrow as pa

    text, number = pa.string(), pa.int32()
    columns = [
        ("file", text), ("content", text), ("parts", number), ("document", text), ("number", number), ("window", number),
        ("source", text), ("start", number), ("end", number), ("section", text), ("page", number), ("before", text),
        ("text", text), ("terms", text), (OVERLEAF, pa.list_(number)),
    ]  # fmt: skip
    if about.has_vectors:
        columns.append(("vector", pa.list_(pa.float32(), about.width)))
    return pa.schema(columns, metadata={ABOUT: json.dumps(asdict(about)).encode()})
