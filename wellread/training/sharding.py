"""Weights shared out among processes, each holding a part of every matrix (FSDP), and gathered again.

torch's `fully_shard` turns parameters into DTensors, in place: a decoder layer's are gathered while it computes, the
rest (embeddings, output) while the model does. Arithmetic is that of one process; gradients are averaged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wellread.errors import RecipeError
from wellread.recipe import Stage

if TYPE_CHECKING:
    import torch


def shard(model: Any, stage: Stage, device: torch.device, world: int) -> None:
    """Share the weights of a model, still on the CPU, out among `world` processes, on their devices.

    Raises RecipeError for what cannot be shared out.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    if stage.optimizer.kind in ("muon", "paged_adamw_8bit"):
        raise RecipeError(f"stage {stage.name}: shard works with AdamW; found optimizer.kind {stage.optimizer.kind}.")
    if stage.method.kind == "qlora":
        raise RecipeError(f"stage {stage.name}: quantised weights are not shared out: remove `shard`, or take lora.")
    mesh = init_device_mesh(device.type, (world,))
    whole = model.get_base_model() if hasattr(model, "get_base_model") else model
    names = set(whole._no_split_modules or ())
    for module in whole.modules():
        if type(module).__name__ in names:
            fully_shard(module, mesh=mesh)
    fully_shard(model, mesh=mesh)


def let_go(model: Any) -> None:
    """Let each process hold its share alone again. Evaluation leaves what is not a layer's gathered, and a change of
    the weights would pass it by."""
    from torch.distributed.fsdp import FSDPModule

    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.reshard()


def gathered(tensor: torch.Tensor) -> torch.Tensor:
    """All of a tensor that may be shared out, on the CPU if it was. Every process must ask."""
    from torch.distributed.tensor import DTensor

    if not isinstance(tensor, DTensor):
        return tensor
    whole: torch.Tensor = tensor.full_tensor().cpu()
    return whole


def shared_out_like(tensor: torch.Tensor, parameter: torch.Tensor) -> torch.Tensor:
    """A tensor of a parameter's shape, shared out as the parameter is; any other, and any where it is not, as it is."""
    from torch.distributed.tensor import DTensor, distribute_tensor

    if not isinstance(parameter, DTensor) or tensor.shape != parameter.shape:
        return tensor
    return distribute_tensor(tensor, parameter.device_mesh, parameter.placements)


def gather(model: Any, *, keep: bool) -> None:
    """Give the model back its whole parameters, on the CPU, to be saved; the processes that do not `keep` them get none.

    The model does not run any more after this.
    """
    import torch

    let_go(model)
    made: dict[int, torch.nn.Parameter] = {}
    for module in model.modules():
        for name, parameter in list(module._parameters.items()):
            if parameter is None:
                continue
            if id(parameter) not in made:
                whole = gathered(parameter.detach())
                made[id(parameter)] = torch.nn.Parameter(
                    whole if keep else whole.new_empty(0), requires_grad=parameter.requires_grad
                )
            module._parameters[name] = made[id(parameter)]
