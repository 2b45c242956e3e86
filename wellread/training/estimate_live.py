"""How many bytes of tensors are alive, by part, while some computation runs; the most there ever were. Loads torch."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Live(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Within `with`, sees every tensor that is made, by whatever made it (autograd, checkpointing, a loss of our own),
    and when its storage goes. Works on tensors that hold numbers and on fake ones, which only have a shape.

    What a kernel allocates for itself and gives back is not seen.
    """

    def __init__(self, parameters: Iterable[Any], *, vocabulary: int, known: Iterable[torch.Tensor] = ()) -> None:
        """`parameters` train or stand still; a gradient of theirs counts as one even where it exists already.

        `known` tensors (optimizer state, buffers) exist and do not count. A tensor with a side of `vocabulary` is the
        loss's.
        """
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = {"gradients": 0, "logits": 0, "activations": 0}
        self.peak = dict(self.now)
        self._vocabulary = vocabulary
        self._alive: dict[int, tuple[Any, str, int]] = {}
        parameters = list(parameters)
        self._ignored = {_key(tensor) for tensor in (*parameters, *known)}
        for parameter in parameters:
            if parameter.grad is not None:
                self._see(parameter.grad, "gradients")
        self._hooks = [
            parameter.register_post_accumulate_grad_hook(self._gradient)
            for parameter in parameters
            if parameter.requires_grad
        ]

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call]
        for hook in self._hooks:
            hook.remove()

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        made = operation(*args, **(kwargs or {}))
        for leaf in tree_leaves(made):
            if isinstance(leaf, torch.Tensor):
                self._see(leaf, "logits" if self._vocabulary in leaf.shape else "activations")
        return made

    def _see(self, tensor: torch.Tensor, part: str) -> None:
        storage, key = tensor.untyped_storage(), _key(tensor)
        if key in self._alive or key in self._ignored:
            return
        size = storage.nbytes()
        self._alive[key] = (weakref.ref(storage, lambda _: self._gone(key)), part, size)
        self._count(part, size)

    def _gone(self, key: int) -> None:
        _, part, size = self._alive.pop(key)
        self.now[part] -= size

    def _gradient(self, parameter: Any) -> None:
        """A gradient has become its parameter's: from now on it is one of those that last."""
        held = self._alive.get(_key(parameter.grad))
        if held is not None and held[1] != "gradients":
            reference, part, size = held
            self.now[part] -= size
            self._alive[_key(parameter.grad)] = (reference, "gradients", size)
            self._count("gradients", size)

    def _count(self, part: str, size: int) -> None:
        self.now[part] += size
        if sum(self.now.values()) > sum(self.peak.values()):
            self.peak = dict(self.now)


def _key(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)
