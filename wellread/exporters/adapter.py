"""A peft model in, its adapter alone out, scaled to where the dial stands."""

from __future__ import annotations

from pathlib import Path

from wellread import storage, weights
from wellread.errors import UsageError
from wellread.exporters import Leaving
from wellread.exporters.merged import tell_older_readers
from wellread.weights.saving import RECORD


def write_adapter(leaving: Leaving, folder: Path) -> Path:
    """The folder that `PeftModel.from_pretrained(base, folder)` opens. W₀ + α·BA is W₀ + (αB)A, so B is scaled.

    Raises UsageError where there is no adapter, or one that is more than a low-rank difference and α is not 1; StorageError.
    """
    model = leaving.model
    if not hasattr(model, "peft_config"):
        raise UsageError(f"{leaving.name}: its weights are whole, not an adapter on a base; --to merged writes them.")
    if leaving.alpha != 1:
        _scale(model, leaving)
    weights.save(model, leaving.tokenizer, folder, method="lora", base=leaving.base)
    tell_older_readers(folder)
    _name_base(folder, leaving.hub_base or Path(leaving.base or "").name)
    return folder


def _name_base(folder: Path, name: str) -> None:
    """Say what it belongs on as others know it: what is only here, or where it lies here, tells them nothing."""
    path = folder / "adapter_config.json"
    config = storage.read_json(path)
    storage.write_json(path, config | {"base_model_name_or_path": name})
    record = storage.read_json(folder / RECORD)
    if record["base"] != weights.EMBEDDED:
        storage.write_json(folder / RECORD, record | {"base": name})


def _scale(model: object, leaving: Leaving) -> None:
    import torch
    from peft.tuners.lora import LoraLayer

    for config in leaving.model.peft_config.values():
        if config.bias != "none" or config.modules_to_save or config.use_dora:
            raise UsageError(f"{leaving.name}: its adapter is more than a low-rank difference, which no scale makes smaller; "
                             "--to merged --dial writes whole weights.")  # fmt: skip
    with torch.no_grad():
        for module in leaving.model.modules():
            if isinstance(module, LoraLayer):
                for outputs in (*module.lora_B.values(), *module.lora_embedding_B.values()):
                    getattr(outputs, "weight", outputs).mul_(leaving.alpha)
