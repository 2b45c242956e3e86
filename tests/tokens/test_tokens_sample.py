"""A bounded sample of a library: from all over it, of every kind of shard, and no more than was asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from wellread.errors import CorpusError
from wellread.tokens.bpe import fitting_vocabulary, train_tokenizer
from wellread.tokens.sample import sample


def test_a_sample_is_of_the_beginnings_of_shards_all_over_the_library(tmp_path: Path) -> None:
    for number in range(40):
        (tmp_path / f"{number:02}.txt").write_text(f"<{number}> " + "é" * 5000, encoding="utf-8")
    found = sample([tmp_path], most=16_000)
    numbers = [int(text.partition(">")[0][1:]) for text in found]
    assert numbers == sorted(numbers)
    assert (len(numbers), numbers[0]) == (16, 0)
    assert max(b - a for a, b in zip(numbers, [*numbers[1:], 40], strict=True)) == 3
    assert all(990 < len(text.encode()) <= 1000 for text in found)


def test_every_kind_of_shard_is_sampled(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet as pq

    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps({"said": f"row {n}"}) for n in range(3)), encoding="utf-8")
    pq.write_table(pa.table({"said": ["col 0", None, "col 2"]}), tmp_path / "b.parquet")
    assert sample([tmp_path], column="said") == ["row 0", "row 1", "row 2", "col 0", "col 2"]
    assert sample([tmp_path], column="said", most=14) == ["row 0", "ro", "col 0", "co"]
    with pytest.raises(CorpusError, match=r"no text to train a tokenizer on; look at its column 'text'"):
        sample([tmp_path / "a.jsonl"])


def test_the_vocabulary_follows_what_will_be_read_not_the_sample(tmp_path: Path) -> None:
    words = [
        f"{first}{second}{third} " for first in "abcdefghij" for second in "klmnopqrst" for third in "ABCDEFGHIJKLMNOP"
    ]
    from tokenizers import Tokenizer

    sizes = []
    for reads in (None, 30_000_000):
        folder = train_tokenizer(["".join(words) * 8], tmp_path / str(reads), vocabulary="auto", reads=reads)
        sizes.append(Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab_size())
    assert sizes[0] == fitting_vocabulary(1)
    assert sizes[0] < sizes[1] <= fitting_vocabulary(30_000_000)
