"""A tuned model and what it was tuned from in, any model between the two, or a little beyond, out: the dial.

W(α) = W₀ + α·ΔW (Wortsman et al. 2022, 2109.01903; Ilharco et al. 2023, 2212.04089): 0 is what it was tuned from, 1 the
tuned model.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
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

    @property
    def light(self) -> bool:
        """Whether turning neither computes nor reads weights: two texts can be written at two settings by turns."""
        ...

    def turn(self, alpha: float) -> None:
        """Set the weights to W₀ + α·ΔW. Raises UsageError unless 0 <= alpha <= 1.2."""
        ...


def open_dial(tuned: str, origin: str, *, offline: bool = False) -> Dial:
    """The dial from `origin` to `tuned`, two MODELs, set to 1.

    Where `tuned` is an adapter on `origin` itself, the adapter's scale turns and nothing else is held, in the precision
    of `open_to_measure`; of a base that was rounded for it (qlora) 0 is the rounded one. Else the weights of both, adapters
    merged, are interpolated in float32, in twice the memory of one. Raises ModelError where the two do not have the same
    weights by name and shape.
    """
    place = find_weights(tuned, offline=offline)
    if is_adapter(place) and _same(adapter_base(place), origin) and _scales(place):
        opened = open_to_measure(tuned, offline=offline)
        return AdapterDial(opened.model, opened.tokenizer, opened.note)
    start, end = open_plain(origin, offline=offline), open_plain(tuned, offline=offline)
    _refuse_different(start.model, end.model, origin, tuned)
    return WeightDial(end.model, end.tokenizer, start.model, lambda: open_plain(tuned, offline=offline).model)


class AdapterDial:
    """Turns the scale of a low-rank adapter: nothing is copied, nothing is loaded."""

    light = True

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
    """Interpolates every weight between two models; holds two of the three in memory, where it starts and what is read.

    Between the ends what is read is computed in the place of the tuned weights, which are opened anew when they are
    needed again: so both ends are exact, to the last bit, whatever was turned to before.
    """

    light = False

    def __init__(self, model: Any, tokenizer: Any, origin: Any, reopen: Callable[[], Any]) -> None:
        self.model, self.tokenizer, self.note = model, tokenizer, ""
        self._start = {name: weight.data for name, weight in origin.named_parameters()}
        self._reopen, self._setting = reopen, 1.0

    def turn(self, alpha: float) -> None:
        import torch

        check_setting(alpha)
        if alpha == self._setting:
            return
        weights = dict(self.model.named_parameters())
        if alpha != 0 and self._setting != 1:
            self._restore(weights)
        for name, weight in weights.items():
            start = self._start[name].to(weight.device)
            # exact at both ends, as W₀ + α·ΔW written out is not
            weight.data = start if alpha == 0 else torch.lerp(start, weight.data, alpha, out=weight.data)
        self._setting = alpha

    def _restore(self, weights: Mapping[str, Any]) -> None:
        """The tuned weights again; what is read is let go before they are opened."""
        for weight in weights.values():
            weight.data = weight.data.new_empty(0)
        for name, tuned in self._reopen().named_parameters():
            weights[name].data = tuned.data.to(weights[name].device)
        self._setting = 1.0


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
