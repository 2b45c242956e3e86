"""All of a session's state, to keep and to return to: what the next step depends on, and nothing else.

Random numbers are not among it: every step begins them anew, from the seed, its number and the process's.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from wellread.errors import StorageError
from wellread.training.checkpoints import State
from wellread.training.fitting import Fewer
from wellread.training.kept import put
from wellread.training.sharding import gathered, shared_out_like

if TYPE_CHECKING:
    from wellread.training.session import Session


def snapshot(session: Session) -> State:
    """The state after a step. Every process must ask; where weights are shared out, only the first gets the tensors."""
    import torch

    tensors: dict[str, torch.Tensor] = {}

    def keep(name: str, tensor: torch.Tensor) -> None:
        whole = gathered(tensor.detach())
        if session.together.first:
            tensors[name] = whole

    for name, weight in session.parameters.items():
        keep(f"weights/{name}", weight)
    for name, copy in session.kept.tensors().items():
        keep(name, copy)
    numbers: dict[str, dict[str, Any]] = {}
    for index, entries in session.optimizer.state_dict()["state"].items():
        for key, value in _flat(entries):
            if isinstance(value, torch.Tensor):
                keep(f"optimizer/{index}/{key}", value)
            else:
                numbers.setdefault(str(index), {})[key] = value
    facts = {
        "seconds": session.course.seconds,
        "reserve": session.course.reserve,
        "epoch": session.batches.epoch,
        "place": session.batches.place,
        "tokens": session.batches.tokens,
        "lines": session.log.lines,
        "evaluated": session.evaluated,
        "validation_windows": len(session.validation),
        "validation_loss": session.latest,
        "kept": session.kept.facts(),
        "brakes": session.brakes.facts(),
        "optimizer": numbers,
    }
    return State(session.course.step, session.fingerprint, tensors, facts)


def _flat(entries: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """An optimizer's entries of one parameter, those within others too: bitsandbytes' 8-bit ones wrap what they have packed
    when they are asked for their state, and take it back unwrapped."""
    for key, value in entries.items():
        yield from value.items() if isinstance(value, Mapping) else ((key, value),)


def restore(session: Session, state: State, seconds: float) -> None:
    """Return to a state, `seconds` into the budget. Raises StorageError where it does not fit this model.

    Its batches and its log begin where the state says: they are made so.
    """
    facts, parameters = state.facts, session.parameters
    weights = {name.removeprefix("weights/"): t for name, t in state.tensors.items() if name.startswith("weights/")}
    shapes = {name: weight.shape for name, weight in parameters.items()}
    if {name: weight.shape for name, weight in weights.items()} != shapes:
        raise StorageError(f"{session.folder}: the checkpoint of a model of another shape; remove it and run again.")
    # in one order: what is shared out, the processes share out together
    tensors = {name: _placed(session, name, state.tensors[name]) for name in sorted(state.tensors)}
    put(parameters, {name: tensors[f"weights/{name}"] for name in parameters})
    entries: dict[int, dict[str, Any]] = {int(index): dict(values) for index, values in facts["optimizer"].items()}
    for name, tensor in tensors.items():
        if name.startswith("optimizer/"):
            _, index, key = name.split("/")
            entries.setdefault(int(index), {})[key] = tensor
    groups = session.optimizer.state_dict()["param_groups"]
    session.optimizer.load_state_dict({"state": entries, "param_groups": groups})
    session.kept.restore(tensors, facts["kept"])
    session.brakes.restore(facts["brakes"])
    session.evaluated, session.latest = facts["evaluated"], facts["validation_loss"]
    session.course.reserve = facts["reserve"]
    if facts.get("validation_windows", math.inf) < len(
        session.validation
    ):  # cut to a budget in minutes at the beginning
        session.validate_on(Fewer(session.validation, facts["validation_windows"]))
    session.course.resume(state.step, seconds)
    session.start_clocks()


def _placed(session: Session, name: str, tensor: Any) -> Any:
    """A tensor of a state on the session's device, shared out as its parameter is."""
    kind, rest = name.split("/", 1)
    if kind == "optimizer":
        trained = [weight for group in session.optimizer.param_groups for weight in group["params"]]
        parameter = trained[int(rest.split("/")[0])]
    else:
        parameter = session.parameters[rest]
    return shared_out_like(tensor.to(session.model.device, copy=True), parameter)
