"""A run's name in, its model, open and ready to write or to answer, out: one run at a time, one writer at a time."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

from wellread.errors import UsageError
from wellread.gathering import with_matches
from wellread.models import answering_from, dial_origin
from wellread.replying import Told, reply
from wellread.retrieval.store import Mode
from wellread.runs import Run
from wellread.serving.shelf import Served, open_shelf
from wellread.serving.studio_runs import opening_of
from wellread.streaming import texts
from wellread.types import LanguageModel, Sample, Sampling


class Models:
    """What is open: the model of the run that was asked for last. The lock keeps a dial from turning under another tab."""

    def __init__(self, *, offline: bool = False) -> None:
        self.lock = Lock()
        self._offline = offline
        self._open: dict[tuple[str, str], Served] = {}

    def served(self, this: Run) -> Served:
        """The run's last finished stage; what was open before is let go. Raises UsageError where no stage is finished."""
        key = (str(this.path), str(this.last_checkpoint()))
        if key not in self._open:
            self._open.clear()
            [served] = open_shelf([str(this.path)], offline=self._offline, reads_passages=True).served.values()
            self._open[key] = served
        return self._open[key]

    def plain(self) -> LanguageModel:
        """The embedded base, for questions without a run."""
        key = ("embedded", "")
        if key not in self._open:
            self._open.clear()
            [served] = open_shelf(["embedded"], offline=self._offline, reads_passages=True).served.values()
            self._open[key] = served
        model = self._open[key].model
        assert model is not None, "a shelf that was given a model holds one"
        return model


def has_dial(this: Run) -> bool:
    """Whether the run's last stage was tuned from anything: else its dial has one end."""
    try:
        dial_origin(this, str(this.last_checkpoint()))
    except UsageError:
        return False
    return True


def write_on(
    models: Models, this: Run, prompt: str, sampling: Sampling, dials: Sequence[float | None]
) -> Generator[list[dict[str, Any]], None, None]:
    """Texts as they grow, one for each setting of the dial (None: the model as it was trained): rows of prompt and completion;
    of a text that is whole, with its matches in the run's book.

    Without a prompt they go on from what the run's own samples go on from. They grow by turns, or one after the other where
    turning the dial means computing all weights anew. Nobody else writes meanwhile. Closing it ends the writing.
    """
    prompt = prompt if prompt.strip() else opening_of(this)
    with models.lock:
        served = models.served(this)
        for dial in dials:
            if dial is not None:
                served.check_dial(dial)
        rows: list[dict[str, Any]] = [{"prompt": prompt, "completion": ""} for _ in dials]
        served.turn(dials[0])
        places = range(len(dials))
        for together in [places] if served.turns_at_once else [[place] for place in places]:
            yield from _by_turns(served, dials, together, sampling, rows)


def _by_turns(
    served: Served, dials: Sequence[float | None], places: Sequence[int], sampling: Sampling, rows: list[dict[str, Any]]
) -> Iterator[list[dict[str, Any]]]:
    """All rows after each step in which every text of `places` has grown by what the model gave at once."""
    assert served.model is not None, "a run has a model"
    assert served.index is not None, "a run has a book"
    growing: dict[int, Iterator[str]] = {}
    for place in places:
        served.turn(dials[place])
        growing[place] = texts(served.model, rows[place]["prompt"], sampling)
    while growing:
        for place in list(growing):
            served.turn(dials[place])
            piece, said = next(growing[place], None), rows[place]
            if piece is None:
                del growing[place]
                sample = Sample(said["prompt"], said["completion"], sampling, sampling.seed, served.id)
                [rows[place]] = with_matches([sample], served.index)
            else:
                rows[place] = {**said, "completion": said["completion"] + piece}
        yield list(rows)


def ask_model(
    models: Models, this: Run | None, store: Path | None, question: str, sampling: Sampling, *, k: int = 5,
    mode: Mode | None = None,
) -> Told:  # fmt: skip
    """An answer by heart, or from a store, searched in its own way or as `mode` says; by the run's model, or the embedded base
    where no run is named."""
    if not question.strip():
        raise UsageError("the question is empty.")
    with models.lock:
        model: LanguageModel | None = models.plain() if this is None else _tuned(models, this)
        assert model is not None, "what is served as a model has one"
        if store is not None:
            model = answering_from(model, str(store), name=f"{model.name}+{store.name}", k=k, mode=mode)
        [told] = reply(model, question, sampling)
    return told


def _tuned(models: Models, this: Run) -> LanguageModel | None:
    served = models.served(this)
    served.turn(None)
    return served.model
