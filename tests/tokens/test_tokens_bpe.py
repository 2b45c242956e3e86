"""The tokenizer of a model from scratch: lossless, fixed special ids, sized for its text."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from wellread.errors import CorpusError, RecipeError, StorageError
from wellread.tokens import fitting_vocabulary, train_tokenizer
from wellread.tokens.pieces import pieces, safe_cut

TALE = "\n\n".join(
    f"The lamplighter counted {n} lamps along the quay; « l’été », she said, wasn't over.\nMarch {n * 37} came."
    for n in range(300)
)
HARD = [
    "",
    " ",
    "a\r\nb\r\n\r\n\tc  d   ",
    "🙂👩‍👩‍👧 naïve e\u0301 \ufeff",
    "« Bonjour\u00a0! »\u202f– l’été…",
    "<s> literal </s><pad><unk>",
    "\n\n\n  trailing \n",
    "日本語とカナ ١٢٣ 12345 x²",
    "\x00\x07\u2028\u0085",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_tokenizer([TALE], tmp_path_factory.mktemp("bpe") / "tokenizer", vocabulary=400)


@pytest.fixture(scope="module")
def fast(folder: Path):
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(folder / "tokenizer.json"))


@pytest.fixture(scope="module")
def auto(folder: Path):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


def test_special_ids_are_those_that_llama2c_expects(auto):
    assert [auto.unk_token_id, auto.bos_token_id, auto.eos_token_id, auto.pad_token_id] == [0, 1, 2, 3]
    assert len(auto) == 400


def test_adds_nothing_by_itself_and_reads_special_names_as_text(auto):
    assert auto("The lamps")["input_ids"] == auto("The lamps", add_special_tokens=False)["input_ids"]
    assert min(auto("a <s> b</s><unk><pad>")["input_ids"]) > 3


def random_strings(count: int) -> list[str]:
    draw = random.Random(7)
    alphabet = "ab Zé’'.,\n\n\r\t  \u00a0\u202f0123—«»🙂字е́<s>|"
    anything = [chr(c) for c in (*range(0x250), *range(0x2000, 0x2070), *range(0x1F600, 0x1F610))]
    mixed = ([*alphabet, *draw.choices(anything, k=9)] for _ in range(count))
    return ["".join(draw.choices(letters, k=draw.randint(1, 60))) for letters in mixed]


@pytest.mark.parametrize("text", [*HARD, TALE[:3000]])
def test_every_string_comes_back(auto, text):
    assert auto.decode(auto(text)["input_ids"]) == text


def test_random_strings_come_back(auto, fast):
    fast.encode_special_tokens = True
    for text in random_strings(200):
        ids = auto(text)["input_ids"]
        assert auto.decode(ids) == text
        assert fast.encode(text).ids == ids


def test_splits_words_as_gpt2_does(fast):
    """Known answers of GPT-2's splitting rule, which llama.cpp reproduces under the name gpt-2."""
    words = [word for word, _ in fast.pre_tokenizer.pre_tokenize_str("I'm 12 yrs  old!!\n\nOk")]
    assert words == ["I", "'m", "Ġ12", "Ġyrs", "Ġ", "Ġold", "!!", "Ċ", "Ċ", "Ok"]


def test_training_again_gives_the_same_file(folder, tmp_path):
    again = train_tokenizer(iter([TALE]), tmp_path / "again", vocabulary=400)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        assert (again / name).read_bytes() == (folder / name).read_bytes()


def test_a_tokenizer_of_the_same_texts_is_left_as_it_is(tmp_path):
    place = tmp_path / "t"

    def stamp(texts, vocabulary=300) -> int:
        train_tokenizer(texts, place, vocabulary=vocabulary)
        return (place / "tokenizer.json").stat().st_ino

    first = stamp([TALE])
    assert stamp([TALE]) == first
    assert stamp((TALE,), "auto") != first
    second = stamp([TALE, "more"])
    assert stamp([TALE + "m", "ore"]) != second
    (place / "trained.json").unlink()
    third = stamp([TALE])
    assert stamp(iter([TALE])) != third
    (place / "diary.txt").write_text("x")
    with pytest.raises(StorageError, match=r"it holds diary\.txt"):
        train_tokenizer(["other"], place, vocabulary="auto")
    assert [path.name for path in tmp_path.iterdir()] == ["t"]


def test_learns_from_these_texts_only(tmp_path):
    from tokenizers import Tokenizer

    folder = train_tokenizer(["zyx zyx zyx"] * 3, tmp_path / "t", vocabulary=263)
    learned = Tokenizer.from_file(str(folder / "tokenizer.json"))
    assert [learned.id_to_token(index) for index in (260, 261, 262)] == ["yx", "zyx", "Ġzyx"]


@pytest.mark.parametrize(
    ("size", "least", "most"),
    [
        (30_000, 1024, 1024),
        (120_000, 1024, 1024),
        (3_200_000, 1500, 4096),
        (10**9, 16_384, 32_768),
        (10**12, 32_768, 32_768),
    ],
)
def test_auto_follows_the_text(size, least, most):
    assert least <= fitting_vocabulary(size) <= most
    assert fitting_vocabulary(size) % 64 == 0


def test_auto_takes_what_a_small_text_has(tmp_path):
    from tokenizers import Tokenizer

    folder = train_tokenizer(["one lamp, one quay"], tmp_path / "t", vocabulary="auto")
    assert 260 <= Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab_size() < 300


def test_too_small_a_text_says_what_it_gives(tmp_path):
    with pytest.raises(CorpusError, match=r"gives a vocabulary of \d+ tokens at most; .* asks for 5000"):
        train_tokenizer([TALE], tmp_path / "t", vocabulary=5000)
    with pytest.raises(RecipeError, match="260 or more"):
        train_tokenizer([TALE], tmp_path / "t", vocabulary=100)


def test_unwritable_folder_is_one_line(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="cannot write the tokenizer"):
        train_tokenizer([TALE], tmp_path / "file" / "t", vocabulary=300)


def splitting(pattern: str):
    """A byte-level tokenizer with another splitting rule."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    rule = pre_tokenizers.Split(Regex(pattern), "isolated")
    as_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([rule, as_bytes])
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([TALE], trainer)
    return tokenizer


LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def test_cuts_where_the_tokenizer_would(fast):
    assert safe_cut(fast) == "before"
    assert safe_cut(splitting(LLAMA3)) == "after"
    assert safe_cut(splitting(r"[^.]+\.|.")) is None


@pytest.mark.parametrize("other", [None, LLAMA3])
def test_tokens_of_the_pieces_are_those_of_the_whole(fast, other):
    tokenizer = splitting(other) if other else fast
    tokenizer.encode_special_tokens = True
    lines = random_strings(800)
    text = TALE + "\n".join(lines) + "\n\n\n".join(lines[::-1])
    cut = list(pieces(text, safe_cut(tokenizer)))
    assert "".join(cut) == text
    assert len(cut) > 20
    assert [token for piece in cut for token in tokenizer.encode(piece).ids] == tokenizer.encode(text).ids


def test_text_without_line_breaks_is_cut_at_a_space():
    text = "lamp " * 500_000
    cut = list(pieces(text, "before"))
    assert "".join(cut) == text
    assert max(map(len, cut)) <= 1_000_000
    assert all(piece.startswith(" ") for piece in cut[1:])
    assert [len(piece) for piece in pieces("x" * 2_500_000, None)] == [1_000_000, 1_000_000, 500_000]
