"""Names of embedders to what answers are compared by: those that search documents, with another default."""

from __future__ import annotations

from wellread.errors import ModelError
from wellread.retrieval import embedders
from wellread.types import Embedder


def open_embedder(name: str = "auto", *, offline: bool = False) -> Embedder:
    """The embedder of that name in `retrieval.embedders`; `auto` is wordllama, as certificates have it from the first.

    It raises ModelError or MissingPackage when first asked; ModelError at once for `none`.
    """
    opened = embedders.open_embedder(embedders.STATIC if name == "auto" else name, offline=offline)
    if opened is None:
        raise ModelError(
            "answers are compared by an embedder, found 'none': name one, or leave out `recall_embedding`."
        )
    return opened
