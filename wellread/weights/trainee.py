"""A stage's method and a starting point in, a model in which exactly that trains which the method trains out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from wellread.errors import ModelError, RecipeError
from wellread.recipe import Full, LowRank, Qlora, Stage
from wellread.weights.adapting import adapt, go_on, merge
from wellread.weights.machine import fit_to_machine, frozen_dtype
from wellread.weights.opening import (
    Opened,
    adapter_tokenizer,
    find_weights,
    load_checkpoint,
    open_base,
    open_plain,
    stored_dtype,
)
from wellread.weights.quantising import Quantization, hold, quantization_of, requantise
from wellread.weights.saving import adapter_base, adapter_quantization, fill_once, is_adapter, quiet

MERGED = "base"
"""The folder, in a stage's own, of a base that was merged for it."""


@dataclass(frozen=True, slots=True)
class Trainee:
    """A model on the CPU, ready to train."""

    model: Any
    """A transformers model, or a peft model around one."""
    tokenizer: Any
    base: str | None
    """The MODEL that the finished checkpoint names as its base."""
    notes: tuple[str, ...] = ()
    """What was chosen and why, in sentences for a person."""


def open_to_train(
    stage: Stage, start: str, *, folder: Path, text_bytes: int, seed: int, offline: bool = False
) -> Trainee:
    """The weights of `start` (a MODEL or a checkpoint, perhaps an adapter's) opened the way a stage's method trains.

    `full`: every weight trains; an adapter is merged first. `lora`, `qlora`: an adapter goes on where `start` is one,
    else one of a rank for `text_bytes` of text begins, the same for the same `seed`; with `adapter: merge`, `start` is
    merged into `folder/base`, whole or absent, and that is the new one's base. Called again after a kill, it gives the
    same weights.

    Raises RecipeError (an adapter that does not fit the recipe, a stage from scratch), ModelError, StorageError and
    MissingPackage (bitsandbytes), each in one line.
    """
    method = stage.method
    if isinstance(method, Full):
        trainee = _full(start, offline=offline)
    elif isinstance(method, LowRank):
        place = find_weights(start, offline=offline)
        if not is_adapter(place):
            trainee = _begun(stage, method, start, seed=seed, text_bytes=text_bytes, offline=offline)
        elif method.adapter == "continue":
            trainee = _continued(stage, method, place, offline=offline)
        else:
            base = str(_merged(place, folder / MERGED, offline=offline))
            begun = _begun(stage, method, base, seed=seed, text_bytes=text_bytes, offline=offline)
            note = f"the adapter of {start} was merged into its base, and a new one begins."
            trainee = replace(begun, notes=(note, *begun.notes))
    else:
        raise RecipeError(f"stage {stage.name}: method {method.kind} creates its weights, it does not open any.")
    return replace(trainee, notes=(*trainee.notes, *fit_to_machine(trainee.model, stage)))


def _full(start: str, *, offline: bool) -> Trainee:
    opened = open_base(start, offline=offline)
    _refuse_packed(opened)
    note = f"the adapter of {start} was merged into its base, and every weight trains."
    notes = (note,) if hasattr(opened.model, "peft_config") else ()
    return Trainee(merge(opened.model).requires_grad_(True), opened.tokenizer, start, notes)


def _begun(stage: Stage, method: LowRank, base: str, *, seed: int, text_bytes: int, offline: bool) -> Trainee:
    """A new adapter on a base."""
    opened, notes = _frozen(stage, method, base, None, offline=offline)
    model = adapt(opened.model, method, seed=seed, text_bytes=text_bytes)
    trained = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    rank = model.active_peft_config.r
    sized = f", sized to {text_bytes:,} bytes of text" if method.rank == "auto" else ""
    notes.append(f"an adapter of rank {rank}{sized}: {trained:,} weights train.")
    return Trainee(model, opened.tokenizer, base, tuple(notes))


def _continued(stage: Stage, method: LowRank, adapter: Path, *, offline: bool) -> Trainee:
    """The adapter of a folder, going on."""
    base, before = adapter_base(adapter), adapter_quantization(adapter)
    opened, notes = _frozen(stage, method, base, before, offline=offline)
    model = go_on(opened.model, adapter, method)
    notes.append(f"the adapter of {adapter} goes on: rank {model.active_peft_config.r}.")
    now = quantization_of(model)
    if now != before:
        notes.append(f"it was trained against the base {_in(before)}, and goes on against the base {_in(now)}.")
    return Trainee(model, adapter_tokenizer(adapter, opened.tokenizer), base, tuple(notes))


def _frozen(
    stage: Stage, method: LowRank, name: str, before: Quantization | None, *, offline: bool
) -> tuple[Opened, list[str]]:
    """The base below an adapter as it is kept here: packed for qlora, else rounded as it was `before`, if it was."""
    rest = frozen_dtype(stage)
    place = find_weights(name, offline=offline)
    if not isinstance(method, Qlora):
        opened = open_plain(name, offline=offline, dtype=None if before else rest)
        _refuse_packed(opened)
        if before:
            requantise(opened.model, before)
        for weight in opened.model.parameters():  # not the model: the frequencies of rotary positions stay float32
            weight.data = weight.data.to(rest)
        return opened, []
    opened = open_plain(name, offline=offline, dtype=stored_dtype(place))
    _refuse_packed(opened)
    quantization = Quantization(method.quantization, double=method.double_quantization or method.quantization == "int8")
    whole = sum(weight.numel() * 4 for weight in opened.model.parameters())
    hold(opened.model, quantization, rest=rest)
    packed = sum(weight.numel() * weight.element_size() for weight in opened.model.parameters())
    notes = [f"the base's linear layers are held in {quantization}: {packed / 1e6:,.0f} MB of weights, "
             f"{whole / 1e6:,.0f} MB in float32."]  # fmt: skip
    if place.suffix == ".gguf":
        notes.append(f"the base comes from a GGUF file, quantised before: {quantization.kind} rounds it a second time.")
    return opened, notes


def _merged(adapter: Path, folder: Path, *, offline: bool) -> Path:
    """The folder of an adapter's base with the adapter merged into it."""

    def write(unfinished: Path) -> None:
        opened = load_checkpoint(adapter, offline=offline)
        with quiet():
            merge(opened.model).save_pretrained(unfinished)
            opened.tokenizer.save_pretrained(unfinished)

    fill_once(folder, write)
    return folder


def _refuse_packed(opened: Opened) -> None:
    """A folder whose weights are stored in 4 or 8 bits generates, but has nothing that could train or be merged."""
    if getattr(opened.model, "is_quantized", False):
        raise ModelError(f"{opened.name}: its weights are stored quantised and cannot train; name the model it was made "
                         "from (qlora packs it by itself).")  # fmt: skip


def _in(quantization: Quantization | None) -> str:
    return f"in {quantization}" if quantization else "as it is"
