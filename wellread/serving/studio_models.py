"""A run's name in, its model, open and ready to write or to answer, out: one run at a time, one writer at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Any

from wellread.errors import UsageError
from wellread.gathering import with_matches
from wellread.models import answering_from, dial_origin
from wellread.replying import Told, reply
from wellread.runs import Run
from wellread.serving.shelf import Served, open_shelf
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
    models: Models, this: Run, prompt: str, sampling: Sampling, dial: float | None
) -> Iterator[dict[str, Any]]:
    """The text as it grows, as rows of prompt and completion; last the whole, with its matches in the run's book.

    `dial` is None for the model as it was trained. Closing it ends the writing.
    """
    if not prompt.strip():
        raise UsageError("the beginning is empty; write a few words to go on from.")
    with models.lock:
        served = models.served(this)
        if dial is not None:
            served.check_dial(dial)
        served.turn(dial)
        assert served.model is not None, "a run has a model"
        assert served.index is not None, "a run has a book"
        completion = ""
        for piece in texts(served.model, prompt, sampling):
            completion += piece
            yield {"prompt": prompt, "completion": completion}
        [row] = with_matches([Sample(prompt, completion, sampling, sampling.seed, served.id)], served.index)
        yield row


def ask_model(
    models: Models, this: Run | None, store: Path | None, question: str, sampling: Sampling, *, k: int = 5
) -> Told:
    """An answer by heart, or from a store; by the run's model, or the embedded base where no run is named."""
    if not question.strip():
        raise UsageError("the question is empty.")
    with models.lock:
        model: LanguageModel | None = models.plain() if this is None else _tuned(models, this)
        assert model is not None, "what is served as a model has one"
        if store is not None:
            model = answering_from(model, str(store), name=f"{model.name}+{store.name}", k=k)
        [told] = reply(model, question, sampling)
    return told


def _tuned(models: Models, this: Run) -> LanguageModel | None:
    served = models.served(this)
    served.turn(None)
    return served.model
