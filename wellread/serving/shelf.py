"""MODEL names in, the models that are served out: each under a short name, its dial opened when it is first turned."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from wellread.errors import ModelError, UsageError
from wellread.generation.endpoint import is_endpoint
from wellread.matching import Index
from wellread.models import Named, corpus_index, dial_origin, open_model, read_name, split_store
from wellread.retrieval.embedders import NONE
from wellread.retrieval.rag import RetrievalModel
from wellread.runs import open_run
from wellread.streaming import StreamingModel, Token
from wellread.types import Embedder, LanguageModel, Prompt, Sample, Sampling, StructuredModel

Step = Sequence[Token | Sample | None]


@dataclass(slots=True)
class Served:
    """One model, or one embedder, under the name that clients give."""

    id: str
    model: LanguageModel | None = None
    embedder: Embedder | None = None
    named: Named | None = None
    """What its MODEL says; None where it is nobody's run, and has no dial."""
    index: Index | None = None
    offline: bool = False
    hidden: Mapping[str, str] = field(default_factory=dict)
    """Where it lies on this machine, with what clients are told instead."""
    _dial: Any = None

    @property
    def retrieval(self) -> RetrievalModel | None:
        """The model with its store, if it has one."""
        return self.model if isinstance(self.model, RetrievalModel) else None

    @property
    def streaming(self) -> StreamingModel | None:
        """What writes, if it gives its tokens one by one; of a model with a store that is the model within."""
        writer = self.retrieval.model if self.retrieval else self.model
        return writer if isinstance(writer, StreamingModel) else None

    @property
    def at_once(self) -> int:
        """Texts that it writes at the same time."""
        return self.streaming.at_once if self.streaming else 1

    @property
    def turns_at_once(self) -> bool:
        """Whether the dial is open, and turning it costs nothing: texts can be written at several settings by turns."""
        return self._dial is not None and bool(self._dial.light)

    def check_dial(self, alpha: float) -> None:
        """Raises UsageError where there is no dial, or it does not go so far; opens nothing."""
        from wellread.weights import check_setting

        check_setting(alpha)
        if self.named is None or self.named.run is None or self.streaming is None:
            raise UsageError(f"{self.id} is no run, so it has no dial: leave `dial` away.")
        if self.named.alpha is not None:
            raise UsageError(f"{self.id} is served at one setting of its dial: leave `dial` away.")
        dial_origin(self.named.run, self.named.place)

    def turn(self, alpha: float | None) -> None:
        """Set the dial; None is as tuned. What was open is let go once the dial is open. Not while it writes."""
        from wellread.generation.hf import TransformersModel
        from wellread.weights import open_dial

        if self._dial is None and alpha is not None and self.named and self.named.run and self.streaming:
            window, answers = self.streaming.window, self.retrieval
            origin = dial_origin(self.named.run, self.named.place)
            # what is open stays until the dial is: one that cannot be opened takes no model away
            dial = self._dial = open_dial(self.named.place, origin, offline=self.offline)
            writer = TransformersModel(
                dial.model, dial.tokenizer, self.id, window=window, note=dial.note, index=self.index
            )
            if answers:
                answers.model = writer
            else:
                self.model = writer
        if self._dial is not None:
            self._dial.turn(1.0 if alpha is None else alpha)

    def write(
        self,
        asked: Sequence[tuple[Prompt, Sampling]],
        schema: Mapping[str, Any] | None,
        likeliest: int | None,
        wanted: Callable[[int], bool],
    ) -> Iterator[Step]:
        """Step by step what each text is added; of a model that does not stream, its whole samples, one after another."""
        if self.model is None:
            raise UsageError(f"{self.id} makes embeddings and writes nothing.")
        if self.streaming:
            yield from self.streaming.stream(asked, schema=schema, likeliest=likeliest, wanted=wanted)
            return
        if likeliest is not None:
            raise ModelError(f"{self.id}: it tells no probabilities; leave `logprobs` away.")
        for place, (prompt, sampling) in enumerate(asked):
            if not wanted(place):
                continue
            if schema is None:
                [sample] = self.model.generate([prompt], replace(sampling, n=1))
            elif isinstance(self.model, StructuredModel):
                [sample] = self.model.generate_json([prompt], replace(sampling, n=1), schema)
            else:
                raise ModelError(f"{self.id}: its answers cannot be held to a schema; leave `response_format` away.")
            yield [sample if each == place else None for each in range(len(asked))]


@dataclass(frozen=True, slots=True)
class Shelf:
    """Everything that is served, by its name."""

    served: Mapping[str, Served] = field(default_factory=dict)

    def find(self, name: str) -> Served:
        """Raises UsageError where nothing has this name; an empty one is the only model's, where there is one."""
        if not name and len(self.served) == 1:
            return next(iter(self.served.values()))
        if name not in self.served:
            raise UsageError(f"there is no model {name[:200]!r} here; there are: {', '.join(self.served)}.")
        return self.served[name]


def open_shelf(
    names: Sequence[str],
    *,
    window: int | None = None,
    reads_passages: bool = False,
    run_folder: Path | None = None,
    key: Callable[[str], str] = lambda name: "",
    offline: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> Shelf:
    """Every MODEL, open and ready to write; a run's corpus is read, so that it can be guarded.

    `run_folder` is the run whose corpus the others guard; for `window` and `reads_passages` see `open_model`. Raises
    ModelError or UsageError where a name is no MODEL, or two would be served under one name.
    """
    guarded = corpus_index(open_run(run_folder)) if run_folder else None
    served: dict[str, Served] = {}
    for name in names:
        say(f"opening {name}")
        for each in _opened(name, guarded, offline, window=window, reads_passages=reads_passages, key=key(name)):
            if each.id in served and each.model is None:
                continue  # two stores by one embedder
            if each.id in served:
                raise UsageError(f"two models would be served as {each.id!r}: rename one's folder or file.")
            served[each.id] = each
    return Shelf(served)


def _opened(name: str, guarded: Index | None, offline: bool, **how: Any) -> list[Served]:
    """The model of a name; of one with a store also the store's embedder, under that one's own name."""
    model_name, store = split_store(name)
    named = None if is_endpoint(model_name) else read_name(model_name)
    index = corpus_index(named.run) if named and named.run else guarded
    model = open_model(name, offline=offline, index=index, to_write=True, **how)
    embedder = embedder_of(model)
    short = short_name(model_name) + (f"+{Path(store).name}" if store else "")
    found = [Served(short, model, embedder, named, index, offline, _hidden(name, model_name, store, short, named))]
    return [*found, Served(embedder.name, embedder=embedder)] if embedder else found


def _hidden(name: str, model: str, store: str, short: str, named: Named | None) -> dict[str, str]:
    """What a MODEL and its parts are called here, beside what clients call them; names that say no more stay."""
    told = {name: short, model: short_name(model)}
    if store:
        told[store] = Path(store).name
    if named and named.run:
        told |= {str(named.run.path): named.run.path.name, str(named.place): named.run.path.name}
    return {each: shown for each, shown in told.items() if each != shown and re.search(r"[/\\]|\.gguf$", each)}


def embedder_of(model: LanguageModel) -> Embedder | None:
    """The embedder of the store that a model answers from, if it has one and that has vectors."""
    store = model.retriever if isinstance(model, RetrievalModel) else None
    if store is None or getattr(store, "embedder_name", NONE) == NONE:
        return None
    embedder = getattr(store, "embedder", None)
    return embedder if embedder is not None and hasattr(embedder, "embed") else None


def short_name(name: str) -> str:
    """What clients call a MODEL: a run's or folder's own name with its stage or setting, a file's without its ending, a
    hub id as it is; never a path of this machine."""
    if is_endpoint(name):
        return name.partition("#")[2]
    path = Path(name)
    local = path.exists() or path.is_absolute() or name.startswith((".", "runs/")) or len(path.parts) > 2
    return (path.resolve().name if local else name).removesuffix(".gguf")
