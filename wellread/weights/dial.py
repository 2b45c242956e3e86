"""A tuned model and what it was tuned from in, any model between the two, or a little beyond, out: the dial.

W(α) = W₀ + α·ΔW (Wortsman et al. 2022, 2109.01903; Ilharco et al. 2023, 2212.04089): 0 is what it was tuned from, 1 the
tuned model.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Protocol

from wellread.errors import ModelError, UsageError
from wellread.recipe import DIAL_END
from wellread.weights.measured import open_to_measure
from wellread.weights.opening import find_weights, open_plain
from wellread.weights.saving import adapter_base, is_adapter


class Dial(Protocol):
    """A model that is open, and turns in place."""

    @property
    def model(self) -> Any:
        """The same module at every setting."""
        ...

    @property
    def tokenizer(self) -> Any: ...

    @property
    def note(self) -> str:
        """What its measurements are to say of it."""
        ...

    def turn(self, alpha: float) -> None:
        """Set the weights to W₀ + α·ΔW. Raises UsageError unless 0 <= alpha <= 1.2."""
        ...


def open_dial(tuned: str, origin: str, *, offline: bool = False) -> Dial:
    """The dial from `origin` to `tuned`, two MODELs, set to 1.

    Where `tuned` is an adapter on `origin` itself, the adapter's scale turns and nothing else is held, in the precision
    of `open_to_measure`; of a base that was rounded for it (qlora) 0 is the rounded one. Else the weights of both are
    held in float32, adapters merged, and interpolated. Raises ModelError where the two do not have the same weights by name and shape.
    """
    place = find_weights(tuned, offline=offline)
    if is_adapter(place) and _same(adapter_base(place), origin) and _scales(place):
        opened = open_to_measure(tuned, offline=offline)
        return AdapterDial(opened.model, opened.tokenizer, opened.note)
    start, end = open_plain(origin, offline=offline), open_plain(tuned, offline=offline)
    _refuse_different(start.model, end.model, origin, tuned)
    return WeightDial(end.model, end.tokenizer, start.model)


class AdapterDial:
    """Turns the scale of a low-rank adapter: nothing is copied, nothing is loaded."""

    def __init__(self, model: Any, tokenizer: Any, note: str = "") -> None:
        from peft.tuners.lora import LoraLayer

        self.model, self.tokenizer, self.note = model, tokenizer, note
        layers = [module for module in model.modules() if isinstance(module, LoraLayer)]
        self._scales = [(layer.scaling, dict(layer.scaling)) for layer in layers]

    def turn(self, alpha: float) -> None:
        check_setting(alpha)
        for scaling, trained in self._scales:
            scaling.update({name: alpha * scale for name, scale in trained.items()})


class WeightDial:
    """Interpolates every weight between two models; holds both in memory, beside the one that is read."""

    def __init__(self, model: Any, tokenizer: Any, origin: Any) -> None:
        self.model, self.tokenizer, self.note = model, tokenizer, ""
        start = dict(origin.named_parameters())
        self._ends = [(weight, start[name].data, weight.data) for name, weight in model.named_parameters()]

    def turn(self, alpha: float) -> None:
        import torch

        check_setting(alpha)
        for weight, start, end in self._ends:
            # exact at both ends, as W₀ + α·ΔW written out is not
            weight.data = torch.lerp(start, end, alpha).to(weight.device)


def check_setting(alpha: float) -> None:
    """Raises UsageError for a setting that no dial has."""
    if not 0 <= alpha <= DIAL_END:
        raise UsageError(f"a dial goes from 0 (as before tuning) over 1 (as tuned) to {DIAL_END}; found {alpha:g}.")


def _same(one: str, other: str) -> bool:
    """Whether two MODELs are one: by name, or the same place on this machine."""
    if one == other:
        return True
    return Path(one).exists() and Path(other).exists() and Path(one).resolve() == Path(other).resolve()


def _scales(folder: Path) -> bool:
    """Whether all that an adapter's folder changes is its low-rank difference, so that its scale is the whole dial."""
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    alone = config.get("bias", "none") == "none" and not config.get("modules_to_save")
    return config.get("peft_type") == "LORA" and alone and not config.get("use_dora")


def _refuse_different(start: Any, end: Any, origin: str, tuned: str) -> None:
    for model, name in ((start, origin), (end, tuned)):
        if getattr(model, "is_quantized", False):
            raise ModelError(f"{name}: its weights are stored quantised, and only plain ones can be blended.")
    shapes = [{name: tuple(weight.shape) for name, weight in model.named_parameters()} for model in (start, end)]
    if shapes[0] != shapes[1]:
        first = min(name for name in {*shapes[0], *shapes[1]} if shapes[0].get(name) != shapes[1].get(name))
        raise ModelError(f"{tuned}: cannot be blended with {origin}, whose weights are others (first {first}).")
