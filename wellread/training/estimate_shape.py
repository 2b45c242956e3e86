"""The memory of a stage from a model's configuration alone: its training step, taken with tensors that have a shape and
no numbers. Nothing is opened, nothing computed: a model of 7 billion parameters takes a second or two. Loads torch.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from torch._subclasses import FakeTensor, FakeTensorMode

from wellread import weights
from wellread.errors import ModelError, first_line
from wellread.recipe import LowRank, Qlora, Scratch, Stage
from wellread.training.chunked import chunk_rows
from wellread.training.dropout import dropout
from wellread.training.estimate import disk_bytes, held_bytes
from wellread.training.estimate_live import Live
from wellread.training.foreseen import COPIES, Memory, Sizes, peak
from wellread.training.lean import MOST_COPIED, Copies, lean
from wellread.weights.held import SCALES_BLOCK, Product
from wellread.weights.quantising import NF4_BLOCK, linears

FEW = (2, 3)
"""Layers of the models that are counted in a deep one's place. The first layer differs from all others: below an
adapter, nothing is kept of what comes before it."""
SMALL = 4096
"""Weights with fewer values than this keep their optimizer state in 32 bits (bitsandbytes' own rule)."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Where a stage is to run."""

    kind: str
    """`cuda`, `mps` or `cpu`."""
    limit: int
    """Bytes of memory that a stage may take there."""
    process: int
    """Bytes that the process itself takes of them."""
    autocast: torch.dtype | None
    """What products are computed in; None for float32."""


class Shapes:
    """Foresees stages on a base of one configuration; what it has found once it knows."""

    def __init__(self, config: Any, machine: Machine, *, text_bytes: int) -> None:
        self._config, self._machine, self._text_bytes = config, machine, text_bytes
        self._models: dict[str, Any] = {}
        self._found: dict[tuple[str, int], Sizes] = {}

    def sizes(self, stage: Stage, processes: int = 1) -> Sizes:
        """Memory and disk of a stage, in each of `processes` that share its batch.

        With several, weights, gradients, optimizer state and copies are shared out (FSDP), and a layer is gathered
        whole. Gradient checkpointing is as the stage says, `auto` being off. Raises ModelError for a configuration that
        is no causal language model's.
        """
        asked = (stage.model_dump_json(), processes)
        if asked not in self._found:
            self._found[asked] = self._sizes(stage, processes)
        return self._found[asked]

    def _sizes(self, stage: Stage, processes: int) -> Sizes:
        key = stage.method.model_dump_json() + stage.attention
        if key not in self._models:
            self._models[key] = _model(self._config, stage, self._machine, self._text_bytes)
        model, machine, share = self._models[key], self._machine, 1 / processes
        found = self._step(model, stage, processes)
        trained = sum(weight.numel() * 4 for weight in model.parameters() if weight.requires_grad)
        stepping, comparing = COPIES[stage.keep]
        state = _state(model, stage, machine)
        held = int(held_bytes(model) * share) + (0 if processes == 1 else _gathered(model))
        held += _cast(model, machine)
        resting = Memory(process=machine.process, weights=held, optimizer=int(state * share))
        memory = peak(
            replace(resting, gradients=int(found["gradients"] * share), activations=found["activations"],
                    logits=found["logits"], copies=int(stepping * trained * share)),
            replace(resting, gradients=int(trained * share), copies=int(stepping * trained * share)),
            replace(resting, copies=int(comparing * trained * share)),
        )  # fmt: skip
        return Sizes(memory, *disk_bytes(model, stage, state))

    def _step(self, model: Any, stage: Stage, processes: int) -> dict[str, int]:
        """Bytes by part at the peak of a micro-batch. A deep model is counted with two layers and with three."""
        layers = self._config.get_text_config().num_hidden_layers
        if isinstance(stage.method, LowRank):
            rank = {"rank": model.active_peft_config.r}  # where it is fitted, it is to the whole depth
            stage = stage.model_copy(update={"method": stage.method.model_copy(update=rank)})
        few = FEW if layers > FEW[1] else (layers,)
        counts = [_step(_model(_shallow(self._config, n), stage, self._machine, 0), stage, self._machine, processes)
                  for n in few]  # fmt: skip
        first, last = counts[0], counts[-1]
        return {part: max(0, last[part] + (last[part] - first[part]) * (layers - few[-1])) for part in last}


def _shallow(config: Any, layers: int) -> Any:
    """The same configuration with fewer layers: those of a decoder are alike, as far as memory goes."""
    shallow = copy.deepcopy(config)
    text = shallow.get_text_config()
    text.num_hidden_layers = layers
    if getattr(text, "layer_types", None):
        text.layer_types = text.layer_types[:layers]
    return shallow


def _gathered(model: Any) -> int:
    """Bytes that every process holds whole for a while where weights are shared out: embeddings, output and two layers
    (the one that computes, and the next)."""
    ends = {
        id(weight): weight for weight in (model.get_input_embeddings().weight, model.get_output_embeddings().weight)
    }
    whole, layers = held_bytes(model), model.config.get_text_config().num_hidden_layers
    outside = sum(weight.numel() * weight.element_size() for weight in ends.values())
    return int(outside + 2 * (whole - outside) / layers)


@contextmanager
def _one_line(config: Any) -> Iterator[None]:
    """Whatever an architecture's own code raises where it cannot be built, or take a step without numbers, as ModelError.

    RuntimeError is torch's, also for a value that a tensor of no numbers does not have.
    """
    try:
        yield
    except (ValueError, TypeError, AttributeError, KeyError, RuntimeError) as error:
        name = getattr(config, "name_or_path", "") or config.model_type
        raise ModelError(f"{name}: cannot be foreseen from its configuration ({first_line(error)}).") from error


def _model(config: Any, stage: Stage, machine: Machine, text_bytes: int) -> Any:
    from transformers import AutoModelForCausalLM

    low_rank = isinstance(stage.method, LowRank)
    kernel = "eager" if stage.attention == "eager" else "sdpa"
    half = machine.autocast if machine.kind == "cuda" and machine.autocast else torch.float32
    dtype = half if low_rank else torch.float32
    with torch.device("meta"), weights.quiet():
        with _one_line(config):
            model = AutoModelForCausalLM.from_config(config, dtype=dtype, attn_implementation=kernel)
        if isinstance(stage.method, LowRank):
            model.requires_grad_(False)
            if isinstance(stage.method, Qlora):
                for name, module in list(linears(model)):
                    model.set_submodule(name, Packed(module, stage.method))
            model = weights.adapt(model, stage.method, seed=0, text_bytes=text_bytes)
    return model.train()


def _as_if_here(model: Any, mode: FakeTensorMode) -> None:
    """Move a model from the meta device to a CPU that stores nothing: there, products are taken in autocast's type."""
    moved: dict[int, torch.Tensor] = {}
    for module in model.modules():
        for held in (module._parameters, module._buffers):
            for name, tensor in held.items():
                if tensor is None:
                    continue
                if id(tensor) not in moved:
                    here = FakeTensor(mode, tensor.detach(), torch.device("cpu"))
                    trains = tensor.requires_grad
                    moved[id(tensor)] = nn.Parameter(here, trains) if isinstance(tensor, nn.Parameter) else here
                held[name] = moved[id(tensor)]


class Packed(nn.Linear):
    """As large as a matrix that is held in 4 or 8 bits, and as hungry; see weights.held."""

    def __init__(self, like: Any, method: Qlora) -> None:
        nn.Module.__init__(self)
        shape = like.weight.shape if hasattr(like, "in_features") else like.weight.shape[::-1]
        self.out_features, self.in_features = shape
        count = math.prod(shape)
        if method.quantization == "int8":
            size = count + 4 * self.out_features
        else:
            blocks = count / NF4_BLOCK
            size = math.ceil(
                count / 2 + (blocks + 4 * blocks / SCALES_BLOCK if method.double_quantization else 4 * blocks)
            )
        self.weight = nn.Parameter(torch.empty(size, dtype=torch.uint8), requires_grad=False)
        self.bias = like.bias

    def unpack(self, dtype: torch.dtype) -> torch.Tensor:
        return torch.empty(self.out_features, self.in_features, dtype=dtype)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype
        multiply: Any = Product.apply
        y: torch.Tensor = multiply(x, self, dtype)
        return y if self.bias is None else y + self.bias.to(dtype)


class Head(torch.autograd.Function):
    """What the chunked loss holds (see chunked.py), and no number of it."""

    @staticmethod
    def forward(ctx: Any, hidden: torch.Tensor, weight: torch.Tensor, kind: torch.dtype) -> torch.Tensor:
        wanted = [hidden, weight if weight.requires_grad else None]
        grads = [None if each is None else torch.zeros_like(each) for each in wanted]
        matrix = weight.to(kind)
        room = hidden.new_empty((2, min(chunk_rows(len(weight)), len(hidden)), len(weight)), dtype=torch.float32)
        narrow = room[1].to(kind)
        del matrix, room, narrow
        ctx.save_for_backward(*grads)
        return hidden.new_zeros((), dtype=torch.float32)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        return *ctx.saved_tensors, None


def _step(model: Any, stage: Stage, machine: Machine, processes: int) -> dict[str, int]:
    """Bytes by part at the peak of one micro-batch, forward and backward."""
    if stage.gradient_checkpointing == "on":
        weights.checkpoint_layers(model)
    mode = FakeTensorMode()
    _as_if_here(model, mode)
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    head = inner.get_output_embeddings()
    share = math.ceil(stage.optimizer.batch / processes)
    windows = min(share, stage.optimizer.micro_batch or share)
    rate = stage.method.dropout if isinstance(stage.method, Scratch) else 0.0
    with lean(model, Copies(0)), mode:
        if windows < share:
            for weight in model.parameters():
                weight.grad = torch.zeros_like(weight) if weight.requires_grad else None
        live = Live(model.parameters(), vocabulary=len(head.weight), known=model.buffers())
        with dropout(inner, rate), live, _autocast(machine.autocast):
            ids = torch.zeros(windows, stage.windows.length, dtype=torch.long)
            with _one_line(model.config):
                hidden = inner.base_model(input_ids=ids, use_cache=False)[0]
            lose: Any = Head.apply
            loss = lose(hidden.flatten(0, 1), head.weight, machine.autocast or head.weight.dtype)
            del hidden
            torch.autograd.backward(loss)
    return live.peak


def _cast(model: Any, machine: Machine) -> int:
    """Bytes of frozen weights below an adapter that are kept in the type of the products as well."""
    if machine.autocast is None or not hasattr(model, "peft_config"):
        return 0
    below = [layer.base_layer.weight for layer in model.modules() if hasattr(layer, "lora_A")]
    kind = machine.autocast
    cast: int = sum(
        weight.numel() * kind.itemsize for weight in below if weight.dtype.is_floating_point and weight.dtype != kind
    )
    return min(MOST_COPIED, cast)


@contextmanager
def _autocast(dtype: torch.dtype | None) -> Iterator[None]:
    """A shape has no device; as on a CPU, whose kernels keep what a GPU's keep."""
    with torch.autocast("cpu", dtype=dtype or torch.bfloat16, enabled=dtype is not None):
        yield


def _state(model: Any, stage: Stage, machine: Machine) -> int:
    """Bytes of the optimizer's state: AdamW's two moments, Muon's one for hidden matrices, or both in 8 bits."""
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    kind = stage.optimizer.kind
    small = kind == "paged_adamw_8bit" or (kind == "auto" and stage.method.kind == "qlora" and machine.kind == "cuda")
    if small:
        return int(sum(weight.numel() * (2 if weight.numel() >= SMALL else 8) for weight in trained))
    ends = {id(model.get_input_embeddings().weight), id(model.get_output_embeddings().weight)}
    muon = [weight for weight in trained if weight.dim() == 2 and id(weight) not in ends] if kind == "muon" else []
    return int(sum(weight.numel() * 8 for weight in trained) - sum(weight.numel() * 4 for weight in muon))
