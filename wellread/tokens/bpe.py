"""Texts in, a byte-level BPE tokenizer out: what a model from scratch reads with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from wellread.errors import CorpusError, RecipeError, StorageError
from wellread.storage import new_folder, storage_errors
from wellread.tokens.pieces import pieces
from wellread.tokens.rows import MEND, write_json

SPECIAL = ("<unk>", "<s>", "</s>", "<pad>")
"""In the order of their ids: llama2.c begins a text with id 1 and ends it with id 2."""
FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
TRAINED = "trained.json"
"""Stands in a tokenizer's folder: the hash of what it was trained on."""
LEAST = len(SPECIAL) + 256
"""The special tokens and every byte."""


def train_tokenizer(
    texts: Iterable[str], folder: Path, *, vocabulary: int | Literal["auto"], reads: int | None = None
) -> Path:
    """Train on these texts only, and write a folder that `AutoTokenizer.from_pretrained` loads; returns the folder.

    Words are split as GPT-2 does (llama.cpp's pre-tokenizer "gpt-2"), nothing is normalised, and every string comes
    back from its tokens unchanged. The tokenizer adds no special token by itself, and reads "<s>" in a text as three
    characters. With "auto" the size follows the text (`fitting_vocabulary`), or, where `texts` are but a sample, the
    bytes that will be read (`reads`), and may end lower where the text has no
    more pairs that occur twice. The folder appears whole or not at all; one that was trained on the same texts is
    left as it is (unless `texts` can be read only once, as a generator).
    Raises CorpusError where the text gives fewer tokens than asked, RecipeError for fewer than the 256 bytes need,
    StorageError where the folder cannot be written.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    if vocabulary != "auto" and vocabulary < LEAST:
        raise RecipeError(f"a vocabulary of {vocabulary} cannot hold the 256 bytes; ask for {LEAST} or more, or `auto`")
    if vocabulary == "auto":
        texts = texts if iter(texts) is not texts else list(texts)
        size = fitting_vocabulary(reads or sum(len(text.encode()) for text in texts))
    else:
        size = vocabulary
    mark = _mark(texts, size) if iter(texts) is not texts else ""
    if mark and _trained(folder) == mark:
        return folder
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=2,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_short(texts), trainer)
    had = tokenizer.get_vocab_size()
    if vocabulary != "auto" and had < size:
        raise CorpusError(
            f"the training part gives a vocabulary of {had} tokens at most; found a recipe that asks for {size}. "
            "Lower `vocabulary`, set it to `auto`, or add text."
        )
    strangers = sorted({path.name for path in folder.iterdir()} - {*FILES, TRAINED}) if folder.is_dir() else []
    if strangers:
        raise StorageError(f"cannot write the tokenizer to {folder}: it holds {strangers[0]}; name an empty folder")
    what = f"cannot write the tokenizer to {folder}"
    with storage_errors(folder, what=what, mend=MEND), new_folder(folder) as unfinished:
        _write(tokenizer.to_str(pretty=True), unfinished, mark)
    return folder


def fitting_vocabulary(size: int) -> int:
    """Tokens that suit a text of `size` UTF-8 bytes: 1,024 for a novella, 2,048 for 2.5 MB, about 22,500 for 1 GB.

    Grows with the size to the power 0.4, so that each token keeps enough occurrences to be learned while windows
    reach further as text allows; between 1,024 and 32,768, in multiples of 64.
    """
    fitting: float = 2048 * (size / 2.5e6) ** 0.4
    return min(32_768, max(1024, round(fitting / 64) * 64))


def _short(texts: Iterable[str]) -> Iterator[str]:
    """Cut as the splitting rule would, for speed: the words that are counted stay the same."""
    for text in texts:
        yield from pieces(text, "before")


def _mark(texts: Iterable[str], size: int) -> str:
    """What decides a tokenizer, as a hash."""
    digest = hashlib.sha256(f"wellread bpe 1 {size}".encode())
    for text in texts:
        content = text.encode(errors="surrogatepass")
        digest.update(b" %d " % len(content) + content)
    return digest.hexdigest()


def _trained(folder: Path) -> str:
    """The mark of the tokenizer in the folder; empty where none of ours is."""
    try:
        return str(json.loads((folder / TRAINED).read_text(encoding="utf-8"))["fingerprint"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _write(tokenizer: str, folder: Path, mark: str) -> None:
    unk, bos, eos, pad = SPECIAL
    special = {"unk_token": unk, "bos_token": bos, "eos_token": eos, "pad_token": pad}
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        **special,
        "add_bos_token": False,
        "add_eos_token": False,
        "clean_up_tokenization_spaces": False,
        "split_special_tokens": True,
    }
    (folder / FILES[0]).write_text(tokenizer, encoding="utf-8")
    write_json(folder / FILES[1], config)
    write_json(folder / FILES[2], special)
    if mark:
        write_json(folder / TRAINED, {"fingerprint": mark})
