"""A MODEL as people write it in, a LanguageModel out: a run, a checkpoint, a .gguf file, a hub id, `embedded`, an endpoint;
each alone, or with a store that it answers from, as MODEL+STORE."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wellread import runs
from wellread.errors import UsageError
from wellread.matching import Index
from wellread.recipe import lineage, parse_recipe
from wellread.runs import Run
from wellread.types import LanguageModel

if TYPE_CHECKING:
    from wellread.retrieval.rag import RetrievalModel
    from wellread.retrieval.store import Mode

REMOTE = ("s3://", "gs://", "az://", "db://")
"""Stores that are no folder here."""


@dataclass(frozen=True, slots=True)
class Named:
    """What a MODEL's name says."""

    place: str
    """Of the weights: the checkpoint that a run means, or the name as it is."""
    run: Run | None = None
    alpha: float | None = None
    """The dial setting, where the name gives one."""
    store: str = ""
    """The store that it answers from, where the name gives one."""


def open_model(
    name: str,
    *,
    offline: bool = False,
    window: int | None = None,
    key: str = "",
    index: Index | None = None,
    to_write: bool = False,
    reads_passages: bool = False,
    rerank: str = "",
) -> LanguageModel:
    """The model that `name` stands for, ready to generate and score; `window` is how many tokens it sees at once, by default
    up to 1,024 (a .gguf file 2,048), and where it is to answer from passages (`reads_passages`, every MODEL+STORE) up to
    4,096; what is scored is scored as ever.

    Its weights are float32 where they fit into memory that way (weights/measured.py). `key` is for an endpoint, and goes
    nowhere else. `index` is the corpus that it can be kept from reciting (`Sampling.no_recite`). One opened only
    `to_write` need not score: a .gguf file then runs in llama.cpp where that is installed, else, as for scoring, its
    weights are unpacked for transformers. `rerank` is for MODEL+STORE, see `answering_from`. Raises ModelError or UsageError
    where there is no such model.
    """
    from wellread.generation.endpoint import EndpointModel, is_endpoint

    model, store = split_store(name)
    if store:
        inner = open_model(model, offline=offline, window=window, key=key, index=index, to_write=to_write,
                           reads_passages=True)  # fmt: skip
        return answering_from(inner, store, name=name, window=window, rerank=rerank, offline=offline)
    if is_endpoint(name):
        return EndpointModel(name, key=key)
    from wellread import weights
    from wellread.generation import gguf
    from wellread.generation.hf import READING, TransformersModel

    named = read_name(name)
    if to_write and Path(named.place).suffix == ".gguf" and gguf.available():
        seen = window or (READING if reads_passages else None)
        return gguf.GgufModel(weights.find_weights(named.place), name, window=seen, index=index)
    how: dict[str, Any] = {"window": window, "index": index, "reads_passages": reads_passages}
    if named.alpha is None or named.run is None:
        opened = weights.folded(weights.open_to_measure(named.place, offline=offline))
        return TransformersModel(opened.model, opened.tokenizer, name, note=opened.note, **how)
    dial = weights.open_dial(named.place, dial_origin(named.run, named.place), offline=offline)
    dial.turn(named.alpha)
    return TransformersModel(dial.model, dial.tokenizer, name, note=dial.note, **how)


def answering_from(
    model: LanguageModel,
    store: str,
    *,
    name: str = "",
    k: int | None = None,
    window: int | None = None,
    anyway: bool = False,
    rerank: str = "",
    mode: Mode | None = None,
    offline: bool = False,
) -> RetrievalModel:
    """The model with a store: it is asked with up to `k` passages, unless these seem not to answer. The cross-encoder `rerank`
    reads the first that are found again, and puts them in its own order. `window` is for a model that does not say its own;
    `mode` is how the store is searched (`open_store`).

    When they do is learnt from questions for this store (`wellread index --calibrate`), else from those of the embedded texts;
    `anyway` asks the model whatever was found. Raises UsageError where there is no store.
    """
    from wellread.retrieval.rag import FOUND, WINDOW, with_retrieval
    from wellread.retrieval.refusing import refusal_for
    from wellread.retrieval.reranking import Reranked, open_cross_encoder
    from wellread.retrieval.store import open_store

    opened = open_store(store, offline=offline, mode=mode)
    refuses = None if anyway else refusal_for(store, opened.embedder_name)
    retriever = Reranked(opened, open_cross_encoder(rerank, offline=offline)) if rerank else opened
    return with_retrieval(model, retriever, name=name, k=k or FOUND, refuses=refuses, window=window or WINDOW)


def split_store(name: str) -> tuple[str, str]:
    """MODEL and STORE of `MODEL+STORE`; STORE is empty where the name has none, as where it is a path that exists as a whole.

    Raises UsageError where MODEL is there and STORE is not.
    """
    if "+" not in name or os.path.exists(name):
        return name, ""
    places = [place for place, sign in enumerate(name) if sign == "+" and name[:place] and name[place + 1 :]]
    for place in reversed(places):
        if name[place + 1 :].startswith(REMOTE) or runs.is_store(Path(name[place + 1 :])):
            return name[:place], name[place + 1 :]
    for place in places:
        if name[:place] == "embedded" or any(_is_here(part) for part in _shortened(name[:place])):
            store = name[place + 1 :]
            raise UsageError(f"{store}: there is no store; `wellread index TEXT… --store {store}` makes one.")
    return name, ""


def _shortened(model: str) -> tuple[str, ...]:
    """A MODEL without its stage, or its dial setting, or both."""
    path = model.rpartition("@")[0]
    return model, path, model.rpartition(":")[0], path.rpartition(":")[0]


def _is_here(path: str) -> bool:
    return bool(path) and os.path.exists(path)


def locate(name: str) -> str | Path:
    """The checkpoint that a run folder or RUN:stage means; any other name as it is."""
    named = read_name(name)
    if named.store:
        raise UsageError(
            f"{name}: a store is no part of a checkpoint; name {name.removesuffix(f'+{named.store}')} alone."
        )
    if named.alpha is not None:
        raise UsageError(f"{name}: a dial setting is no checkpoint of its own; name a stage, as RUN:stage.")
    return Path(named.place) if named.run else named.place


def read_name(name: str) -> Named:
    """What `name` says: RUN, RUN:stage, either with @alpha, or any other MODEL; each with +STORE. Raises UsageError for a
    dial that is no run's, or a stage that the run has not finished."""
    from wellread import weights
    from wellread.generation.endpoint import is_endpoint

    name, store = split_store(name)
    if store:
        return replace(read_name(name), store=store)
    if is_endpoint(name):
        return Named(name)
    model, at, setting = name.rpartition("@")
    alpha = _number(setting) if at and not Path(name).exists() else None
    if alpha is None:
        model = name
    else:
        weights.check_setting(alpha)
    path, colon, stage = model.rpartition(":")
    if runs.is_run(Path(model)):
        this = runs.open_run(model)
        return Named(str(this.last_checkpoint()), this, alpha)
    if colon and runs.is_run(Path(path)):
        this = runs.open_run(path)
        return Named(str(this.last_checkpoint(stage)), this, alpha)
    if alpha is not None:
        raise UsageError(f"{name}: a dial setting belongs to a run, which knows its base; {model} is no run.")
    if not Path(name).exists() and (name.startswith((".", "/", "runs/")) or len(Path(name).parts) > 2):
        raise UsageError(f"{name}: there is no such run, folder or file; `wellread list runs` shows your runs.")
    if name != "embedded" and not Path(name).exists() and get_close_matches(name, ["embedded"], cutoff=0.8):
        raise UsageError(f"no model {name!r}; did you mean 'embedded'?")
    return Named(name)


def dial_origin(this: Run, checkpoint: str) -> str:
    """The MODEL that a stage's checkpoint is blended with: the recipe's base, or the stage of `dial.from`.

    Raises UsageError where the stage does not come from it, or began from scratch.
    """
    recipe = parse_recipe(this.recipe.read_text(encoding="utf-8"), source=str(this.recipe))
    stage = Path(checkpoint).parent.name.partition("-")[2]
    before = lineage(recipe.stages)[stage]
    wanted = recipe.dial.origin
    if wanted is not None:
        if wanted not in before:
            raise UsageError(f"{this.path}: stage {stage} was not tuned from {wanted!r}, so no dial goes between them.")
        return str(this.last_checkpoint(wanted))
    if "base" not in before:
        earlier = " or ".join(before) if before else "a stage before it"
        raise UsageError(f"{this.path}: stage {stage} began from scratch, so there is no base to blend it with; "
                         f"`dial: {{from: STAGE}}` in a recipe names {earlier} instead.")  # fmt: skip
    return str(locate(str(recipe.base)))


def corpus_index(this: Run) -> Index:
    """Every document of a run's corpus, ready for the guard."""
    from wellread.corpus.ingest import read_corpus

    return Index(read_corpus(this.corpus).documents)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
