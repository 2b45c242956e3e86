"""Embedders and cross-encoders by name: what is not there says so; what is there tells near from far."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from wellread.errors import MissingPackage, ModelError
from wellread.retrieval.reranking import open_cross_encoder
from wellread.similarity import open_embedder


def test_static_vectors_tell_near_from_far() -> None:
    if find_spec("wordllama") is None:
        with pytest.raises(MissingPackage, match="pip install"):
            open_embedder().embed(["a"])
        pytest.skip("needs wordllama")
    near, one, far = open_embedder().embed(
        ["A quota for sledges.", "the quota of a sledge", "Boil an egg for six minutes."]
    )
    cosine = [float(each @ one / np.linalg.norm(each) / np.linalg.norm(one)) for each in (near, far)]
    assert cosine[0] > cosine[1] + 0.2


def tiny_cross_encoder(folder: Path, labels: dict[str, int]) -> str:
    """A random BERT of one layer over single letters, with these labels."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"abcdefghijklmnopqrstuvwxyz"]
    tokenizer = Tokenizer(models.WordLevel({word: place for place, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", [("[CLS]", 2), ("[SEP]", 3)]
    )
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]",
                                   sep_token="[SEP]", model_max_length=64)  # fmt: skip
    fast.save_pretrained(folder)
    config = BertConfig(vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
                        max_position_embeddings=64, initializer_range=1.0, label2id=labels,
                        id2label={place: name for name, place in labels.items()})  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(folder)
    return str(folder)


@pytest.mark.slow
def test_a_cross_encoder_scores_every_pair_by_its_label_or_by_entailment(tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers")
    pairs = [("abc", "abd"), ("xyz", "a"), ("abc", "abd")]
    one = open_cross_encoder(tiny_cross_encoder(tmp_path / "one", {"LABEL_0": 0}), offline=True).score_pairs(pairs)
    assert len(one) == 3
    assert one[0] == pytest.approx(one[2])
    assert one[0] != pytest.approx(one[1])
    assert all(0 <= each <= 1 for each in one)
    several = {"contradiction": 0, "entailment": 1, "neutral": 2}
    three = open_cross_encoder(tiny_cross_encoder(tmp_path / "three", several), offline=True).score_pairs(pairs)
    assert all(0 <= each <= 1 for each in three)
    with pytest.raises(ModelError, match="entailment"):
        open_cross_encoder(tiny_cross_encoder(tmp_path / "odd", {"a": 0, "b": 1}), offline=True).score_pairs(pairs)


@pytest.mark.slow
def test_what_is_not_there_is_one_line(tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers")
    with pytest.raises(ModelError) as scored:
        open_cross_encoder(str(tmp_path / "none"), offline=True).score_pairs([("a", "b")])
    with pytest.raises(ModelError) as embedded:
        open_embedder(str(tmp_path / "none"), offline=True).embed(["a", "b"])
    assert not any("\n" in str(caught.value) for caught in (scored, embedded))
