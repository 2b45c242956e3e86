"""Windows: what is covered, what counts, what may see what, and that epochs repeat and differ as they should."""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from wellread.errors import RecipeError
from wellread.tokens import Windows, prepare, train_tokenizer, validation_windows
from wellread.tokens.packing import pack
from wellread.tokens.rows import Rows
from wellread.types import Document

IGNORED = -100


@pytest.fixture
def make(tmp_path: Path):
    """Rows of documents of given lengths in tokens; every token of the corpus is a different letter's place."""
    folder = train_tokenizer(["ab"], tmp_path / "tokenizer", vocabulary=260)
    draw = random.Random(3)

    def rows(*lengths: int) -> Rows:
        texts = ["".join(draw.choices("abcdefghij", k=size - 2)) for size in lengths]
        documents = [Document(str(number), text) for number, text in enumerate(texts)]
        made = prepare(documents, folder, tmp_path / f"rows-{lengths}"[:80], start=1, end=2)
        assert made.lengths.tolist() == list(lengths)
        return made

    return rows


def counted(rows: Rows, windows, places) -> Counter[tuple[int, int]]:
    """How often each (document, position) is a label that counts, checked against the document's own ids."""
    seen: Counter[tuple[int, int]] = Counter()
    for item, (document, start, _) in zip(windows, places, strict=True):
        assert document >= 0
        ids = rows.document(document)[start : start + windows.length]
        assert item["input_ids"].tolist() == ids.tolist()
        assert item["input_ids"].dtype == item["labels"].dtype == np.int64
        where = np.flatnonzero(item["labels"] != IGNORED)
        assert item["labels"][where].tolist() == ids[where].tolist()
        assert 0 not in where
        seen.update((int(document), int(start + at)) for at in where)
    return seen


LENGTHS = (17, 18, 31, 32, 33, 47, 100, 901)


@pytest.mark.parametrize(("length", "stride"), [(16, None), (16, 16), (16, 8), (16, 5), (16, 1), (2, None), (3, 2)])
def test_every_token_is_foretold_in_every_epoch(make, length, stride):
    rows = make(*LENGTHS)
    windows = Windows(rows, length=length, stride=stride, seed=5)
    step = min(stride or length, length - 1)
    sizes = set()
    for epoch in range(3):
        windows.set_epoch(epoch)
        places = windows.order(epoch)
        sizes.add(len(windows))
        assert len({tuple(place) for place in places}) == len(places)
        seen = counted(rows, windows, places)
        assert set(seen) == {(d, at) for d, size in enumerate(LENGTHS) for at in range(1, size)}
        for document, size in enumerate(LENGTHS):
            starts = np.sort(places[places[:, 0] == document][:, 1])
            assert starts[0] == 0
            assert starts[-1] == size - length
            assert 1 <= np.diff(starts).min() <= np.diff(starts).max() <= step
    assert len(sizes) == 1


def test_stride_multiplies_the_windows(make):
    rows = make(20_000)
    plain, half, quarter = (len(Windows(rows, length=64, stride=stride)) for stride in (None, 32, 16))
    assert plain == pytest.approx(20_000 / 63, rel=0.02)
    assert half == pytest.approx(2 * plain, rel=0.03)
    assert quarter == pytest.approx(4 * plain, rel=0.03)


def test_2048_by_512_gives_four_pseudo_epochs(make):
    rows = make(200_000)
    windows = Windows(rows, length=2048, stride=512)
    assert len(windows) * 2048 == pytest.approx(4 * rows.tokens, rel=0.03)
    assert len(windows) == pytest.approx(4 * len(Windows(rows, length=2048)), rel=0.03)


def test_recutting_costs_little(make):
    """On chapters of seven windows, at most a fifth more tokens than the text has, overlaps at the end included."""
    sizes = [1700 + 13 * n for n in range(20)]
    windows = Windows(make(*sizes), length=256)
    assert len(windows) * windows.length < 1.2 * sum(sizes)


def test_offsets_are_new_in_every_epoch(make):
    rows = make(5000)
    windows = Windows(rows, length=64)
    second = [int(np.sort(windows.order(epoch)[:, 1])[1]) for epoch in range(60)]
    inner = [set(windows.order(epoch)[:, 1].tolist()) - {0, 5000 - 64} for epoch in range(5)]
    assert min(second) < 8
    assert max(second) > 56
    assert len(set(second)) > 30
    assert all(len(a & b) < len(a) / 2 for a, b in pairwise(inner))


def test_order_depends_on_seed_and_epoch_only(make):
    rows = make(900, 700)
    one, same, other = (Windows(rows, length=32, seed=seed) for seed in (1, 1, 2))
    for epoch in (3, 1):
        one.set_epoch(epoch)
    same.set_epoch(1)
    assert all(np.array_equal(a["input_ids"], b["input_ids"]) for a, b in zip(one, same, strict=True))
    assert not np.array_equal(one.order(1), other.order(1))
    assert not np.array_equal(one.order(1), one.order(2))
    assert Counter(one.order(1)[:, 0]) == Counter(one.order(2)[:, 0])
    assert not np.array_equal(np.sort(one.order(1)[:, 0]), one.order(1)[:, 0])
    with pytest.raises(IndexError):
        one[len(one)]


def test_short_documents_share_windows_and_keep_apart(make):
    lengths = (16, 7, 5, 4, 9, 2, 40)
    rows = make(*lengths)
    windows = Windows(rows, length=16, pad=3)
    shared = [item for item, place in zip(windows, windows.order(0), strict=True) if place[0] < 0]
    assert len(shared) == 3
    found = []
    for item in shared:
        begins = np.append(np.flatnonzero(item["position_ids"] == 0), 16)
        for begin, end in pairwise(begins):
            ids, labels = item["input_ids"][begin:end], item["labels"][begin:end]
            assert item["position_ids"][begin:end].tolist() == list(range(end - begin))
            assert labels[0] == IGNORED
            if ids[0] == 3:
                assert set(ids) == {3}
                assert set(labels) == {IGNORED}
            else:
                assert labels[1:].tolist() == ids[1:].tolist()
                found.append(ids.tolist())
    assert sorted(found) == sorted(rows.document(n).tolist() for n in range(6))
    assert all(item["position_ids"].shape == (16,) for item in windows)


def test_a_window_inside_a_document_opens_as_the_document_does_where_that_is_wanted(make):
    rows = make(100, 40, 9, 5)
    for plain, opening in (
        (Windows(rows, length=16, seed=1), Windows(rows, length=16, seed=1, opening=1)),
        (validation_windows(rows, 16), validation_windows(rows, 16, opening=1)),
    ):
        pairs = list(zip(plain, opening, strict=True))
        assert all(other["input_ids"][0] == 1 for _, other in pairs)
        assert any(one["input_ids"][0] != 1 for one, _ in pairs)
        for one, other in pairs:
            assert one["input_ids"][1:].tolist() == other["input_ids"][1:].tolist()
            assert one["labels"].tolist() == other["labels"].tolist()


def test_no_position_ids_where_nothing_is_shared(make):
    for lengths in ((40, 90), (16,), (40, 10), (12, 13)):
        assert set(Windows(make(*lengths), length=16)[0]) == {"input_ids", "labels"}
    assert "position_ids" in Windows(make(40, 6, 7), length=16)[0]


def test_packing_fills_windows():
    assert sorted(map(sorted, pack([6, 4, 5, 5, 10], 10))) == [[0, 1], [2, 3], [4]]
    draw = random.Random(1)
    lengths = [draw.randint(2, 128) for _ in range(5000)]
    groups = pack(lengths, 128)
    assert sorted(index for group in groups for index in group) == list(range(5000))
    assert max(sum(lengths[index] for index in group) for group in groups) <= 128
    assert sum(lengths) / (128 * len(groups)) > 0.98


def test_validation_counts_every_token_once(make):
    rows = make(17, 32, 31, 46, 500)
    windows = validation_windows(rows, 16)
    seen = counted(rows, windows, windows._places)
    assert set(seen.values()) == {1}
    assert len(seen) == rows.tokens - len(rows)
    assert len(windows) == sum(-(-(size - 1) // 15) for size in rows.lengths)


def test_validation_of_packed_documents_counts_every_token_once(make):
    rows = make(5, 6, 16, 30, 3)
    counting = sum(int((item["labels"] != IGNORED).sum()) for item in validation_windows(rows, 16, pad=3))
    assert counting == rows.tokens - len(rows)


def test_validation_cap_is_spread_evenly(make):
    rows = make(1000, 2000)
    every, few = validation_windows(rows, 16), validation_windows(rows, 16, most=10)
    chosen = [[tuple(place) for place in every._places].index(tuple(place)) for place in few._places]
    assert len(few) == len(chosen) == 10
    assert max(np.diff(chosen)) - min(np.diff(chosen)) <= 1
    assert abs(chosen[0] - (len(every) - 1 - chosen[-1])) <= 1
    assert len(validation_windows(rows, 16, most=10_000)) == len(every)


def test_impossible_windows_are_refused(make):
    rows = make(100)
    for stride in (0, 17):
        with pytest.raises(RecipeError, match="from 1 to 16"):
            Windows(rows, length=16, stride=stride)
    with pytest.raises(RecipeError, match="2 or more"):
        Windows(rows, length=1)


@pytest.fixture(scope="module")
def tiny():
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=260,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        use_cache=False,
    )
    return LlamaForCausalLM(config).eval()


def test_a_packed_document_is_read_as_if_alone(make, tiny):
    """Same logits, same loss: attention does not cross, and no document foretells the next one's beginning."""
    import torch

    rows = make(7, 5, 4, 9, 30)
    windows = validation_windows(rows, 16, pad=3)
    batch = {name: torch.from_numpy(np.stack([item[name] for item in windows])) for name in windows[0]}
    with torch.no_grad():
        packed = tiny(**batch)
        alone = {tuple(ids := rows.document(n).tolist()): tiny(torch.tensor([ids])).logits[0] for n in range(4)}
        losses = []
        for ids, positions, logits in zip(batch["input_ids"], batch["position_ids"], packed.logits, strict=True):
            begins = [*torch.where(positions == 0)[0].tolist(), 16]
            for begin, end in pairwise(begins):
                if (key := tuple(ids[begin:end].tolist())) in alone:
                    torch.testing.assert_close(logits[begin:end], alone.pop(key), atol=1e-5, rtol=1e-5)
        assert not alone
        for n in range(4):
            ids = torch.tensor([rows.document(n).tolist()])
            losses.append((tiny(ids, labels=ids).loss * (ids.shape[1] - 1), ids.shape[1] - 1))
        long = [item for item, place in zip(windows, windows._places, strict=True) if place[0] >= 0]
        for item in long:
            ids, labels = (torch.from_numpy(item[name])[None] for name in ("input_ids", "labels"))
            count = int((labels != IGNORED).sum())
            losses.append((tiny(ids, labels=labels).loss * count, count))
    expected = sum(float(loss) for loss, _ in losses) / sum(count for _, count in losses)
    assert float(packed.loss) == pytest.approx(expected, rel=1e-5)


def test_no_gradient_crosses_a_boundary(make, tiny):
    import torch

    item = validation_windows(make(7, 9), 16)[0]
    ids = torch.from_numpy(item["input_ids"])[None]
    embedded = tiny.get_input_embeddings()(ids).detach().requires_grad_()
    logits = tiny(inputs_embeds=embedded, position_ids=torch.from_numpy(item["position_ids"])[None]).logits
    boundary = int(np.flatnonzero(item["position_ids"] == 0)[1])
    logits[0, boundary:].square().sum().backward()
    assert embedded.grad[0, :boundary].abs().max() == 0
    assert embedded.grad[0, boundary:].abs().max() > 0
