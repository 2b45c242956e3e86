"""A name in, a measure of likeness of texts out: static or sentence embeddings, and cross-encoders. Opened when first asked."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from wellread.errors import MissingPackage, ModelError, first_line
from wellread.types import Embedder, PairScorer

STATIC = "wordllama"
SENTENCES = "sentence-transformers is not installed: pip install 'wellread[similarity]'"


def open_embedder(name: str = "auto", *, offline: bool = False) -> Embedder:
    """The embedder that a name stands for: `wordllama` (static; its weights are in its wheel), or a folder or name of
    sentence-transformers or model2vec. `auto` is wordllama. It raises ModelError or MissingPackage when first asked."""
    return WordVectors() if name in ("auto", STATIC) else SentenceVectors(name, offline=offline)


def open_cross_encoder(name: str, *, offline: bool = False) -> PairScorer:
    """The sentence-transformers cross-encoder of that name or folder. It raises ModelError or MissingPackage when first asked."""
    return CrossEncoder(name, offline=offline)


class WordVectors:
    """WordLlama: the mean of static vectors of a text's tokens. Fast, without a network; English above all."""

    name = STATIC

    def embed(self, texts: Sequence[str]) -> Any:
        return np.asarray(self._model.embed(list(texts)), np.float32)

    @cached_property
    def _model(self) -> Any:
        try:
            import wordllama
        except ImportError:
            raise MissingPackage("static embeddings need wordllama: pip install 'wellread[similarity]'") from None
        folder = Path(str(wordllama.__file__)).parent
        try:
            # its weights and its tokenizer lie in the package: told so, it asks no hub
            return wordllama.WordLlama.load(cache_dir=folder, disable_download=True)
        except (OSError, ValueError) as error:
            raise ModelError(f"wordllama cannot be opened: {first_line(error)}.") from None


class SentenceVectors:
    """A model of sentence-transformers, or a static one of model2vec, by name or folder."""

    def __init__(self, name: str, *, offline: bool = False) -> None:
        self.name, self._offline = name, offline

    def embed(self, texts: Sequence[str]) -> Any:
        encode = self._model.encode
        return np.asarray(encode(list(texts), show_progress_bar=False), np.float32)

    @cached_property
    def _model(self) -> Any:
        folder = Path(self.name)
        if folder.is_dir() and not (folder / "modules.json").is_file() and find_spec("model2vec"):
            from model2vec import StaticModel

            return _opened(self.name, lambda: StaticModel.from_pretrained(self.name))
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError:
            raise MissingPackage(SENTENCES) from None
        return _opened(self.name, lambda: SentenceTransformer(self.name, local_files_only=self._offline))


class CrossEncoder:
    """A cross-encoder of sentence-transformers: one score a pair, or of several labels the one called entailment."""

    def __init__(self, name: str, *, offline: bool = False) -> None:
        self.name, self._offline = name, offline

    def score_pairs(self, pairs: Sequence[tuple[str, str]]) -> Sequence[float]:
        import torch

        several = self._model.num_labels > 1
        how = {"activation_fn": torch.nn.Softmax(dim=-1)} if several else {}
        found = np.asarray(
            self._model.predict([list(pair) for pair in pairs], show_progress_bar=False, **how), np.float64
        )
        return [float(each) for each in (found[:, self._entailment()] if several else found)]

    def _entailment(self) -> int:
        labels = {str(name).casefold(): int(place) for name, place in self._model.model.config.label2id.items()}
        if "entailment" not in labels:
            raise ModelError(
                f"{self.name}: of its {len(labels)} labels none is called entailment; name a model of similarity."
            )
        return labels["entailment"]

    @cached_property
    def _model(self) -> Any:
        try:
            from sentence_transformers import CrossEncoder as Opened
        except ImportError:
            raise MissingPackage(SENTENCES) from None
        return _opened(self.name, lambda: Opened(self.name, local_files_only=self._offline))


def _opened(name: str, opens: Any) -> Any:
    try:
        return opens()
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{name}: cannot be opened to compare texts with: {first_line(error)}.") from None
