"""Examples: what counts and what does not for every kind of template, the end that is trained, the pad that never is."""

from __future__ import annotations

import pickle
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wellread.errors import CorpusError, ModelError, RecipeError, StorageError
from wellread.testing import byte_tokenizer
from wellread.tokens import ExampleWindows, open_rows, prepare_examples, validation_examples
from wellread.tokens.chats import Rendering
from wellread.tokens.examples import common_beginning
from wellread.types import Document

IGNORED = -100
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
MARKED = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% if m['role'] == 'assistant' %}"
    "{% generation %}{{ m['content'] }}{% endgeneration %}{% else %}{{ m['content'] }}{% endif %}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for m in messages %}<start_of_turn>{{ 'model' if m['role'] == 'assistant' else m['role'] }}\n"
    "{{ m['content'] | trim }}<end_of_turn>\n{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
MISTRAL = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}[INST] {{ m['content'] }} [/INST]"
    "{% else %} {{ m['content'] }}{{ eos_token }}{% endif %}{% endfor %}"
)
HEADED = "{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] }}{{ eos_token }}\n{% endfor %}"
ZEPHYR = (
    "{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] }}{{ eos_token }}\n"
    "{% if loop.last and add_generation_prompt %}<|assistant|>{% endif %}{% endfor %}"
)
ALPACA = (
    "{% for m in messages %}{% if m['role'] == 'user' %}### Instruction:\n{{ m['content'] }}\n\n{% else %}"
    "### Response:\n{{ m['content'] }}\n\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}### Response:\n{% endif %}"
)
THINKING = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% if m['role'] == 'assistant' and loop.last %}<think>\n\n</think>\n\n{% endif %}{{ m['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
UNSPLITTABLE = "{% for m in messages | reverse %}{{ m['role'] }}: {{ m['content'] | upper }}\n{% endfor %}"
SPECIAL = ("<|im_start|>", "<|im_end|>", "<start_of_turn>", "<end_of_turn>", "<s>", "</s>")
CHAT = [
    {"role": "user", "content": "Who is it?"},
    {"role": "assistant", "content": "Anselm."},
    {"role": "user", "content": "And who else?"},
    {"role": "assistant", "content": "The heron, I think."},
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    texts = ["Who is it? Anselm. And who else? The heron, I think. user assistant model\n"] * 50
    return byte_tokenizer(tmp_path_factory.mktemp("examples"), texts, vocabulary=300)


def tokenizer_of(folder: Path, template: str = "", eos: str = "</s>") -> Any:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_special_tokens({"additional_special_tokens": [*SPECIAL]})
    tokenizer.bos_token, tokenizer.eos_token = "<s>", eos
    tokenizer.chat_template = template or None
    return tokenizer


def document(*messages: dict[str, str], name: str = "a") -> Document:
    return Document(name, "", metadata={"kind": "example", "messages": list(messages)})


def pair(prompt: str, completion: str, name: str = "a") -> Document:
    return document({"role": "user", "content": prompt}, {"role": "assistant", "content": completion}, name=name)


def counting(tokenizer: Any, messages: list[dict[str, str]]) -> list[list[str]]:
    """For each example: the runs of tokens that count, as text."""
    found = []
    for turned in Rendering(tokenizer).examples(messages, "row"):
        edges = np.flatnonzero(np.diff([0, *map(int, turned.counts), 0]))
        found.append([tokenizer.decode(turned.ids[a:b]) for a, b in edges.reshape(-1, 2)])
    return found


@pytest.mark.parametrize(
    ("template", "eos", "expected"),
    [
        (CHATML, "<|im_end|>", [["Anselm.<|im_end|>", "The heron, I think.<|im_end|>"]]),
        (MARKED, "<|im_end|>", [["Anselm.<|im_end|>", "The heron, I think.<|im_end|>"]]),
        (GEMMA, "<end_of_turn>", [["Anselm.<end_of_turn>", "The heron, I think.<end_of_turn>"]]),
        (MISTRAL, "</s>", [[" Anselm.</s>", " The heron, I think.</s>"]]),
        (HEADED, "</s>", [["Anselm.</s>", "The heron, I think.</s>"]]),
        (ZEPHYR, "</s>", [["\nAnselm.</s>", "\nThe heron, I think.</s>"]]),
        (ALPACA, "</s>", [["Anselm.", "The heron, I think.</s>"]]),
        (
            THINKING,
            "<|im_end|>",
            [
                ["<think>\n\n</think>\n\nAnselm.<|im_end|>"],
                ["<think>\n\n</think>\n\nThe heron, I think.<|im_end|>"],
            ],
        ),
        ("", "</s>", [["Anselm.</s>", "The heron, I think.</s>"]]),
    ],
    ids=["chatml", "markers", "gemma", "mistral", "headed", "zephyr", "alpaca", "thinking", "plain"],
)
def test_answers_and_their_ends_count_and_nothing_else(folder, template, eos, expected):
    assert counting(tokenizer_of(folder, template, eos), CHAT) == expected


@pytest.mark.parametrize("template", [CHATML, MARKED, GEMMA, MISTRAL, ZEPHYR, ALPACA])
def test_an_example_is_the_templates_own_rendering(folder, template):
    tokenizer = tokenizer_of(folder, template)
    [turned] = Rendering(tokenizer).examples(CHAT, "row")
    rendered = tokenizer.apply_chat_template(CHAT, tokenize=False)
    assert tokenizer.decode(turned.ids).removesuffix("</s>").rstrip() == rendered.rstrip().removesuffix("</s>").rstrip()


@pytest.mark.parametrize("template", [CHATML, GEMMA, ALPACA])
def test_a_prompt_is_what_the_model_is_asked_with(folder, template):
    tokenizer = tokenizer_of(folder, template)
    [turned] = Rendering(tokenizer).examples(CHAT[:2], "row")
    asked = tokenizer.apply_chat_template(CHAT[:1], add_generation_prompt=True, tokenize=False)
    ids = tokenizer(asked, add_special_tokens=False)["input_ids"]
    assert list(turned.ids[: len(ids)]) == ids
    assert turned.counts.index(True) == len(ids)


def test_a_token_that_reaches_across_is_cut_where_the_prompt_ends(folder):
    """The prompt ends in "hero", and "heron" is fewer tokens: training shows the prompt as it will be asked."""
    template = (
        "{% for m in messages %}{{ m['content'] }}{% if not loop.last %}|{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}|{% endif %}"
    )
    tokenizer = tokenizer_of(folder, template.replace("|", "hero"))
    assert len(tokenizer("heron", add_special_tokens=False)["input_ids"]) < 3
    [turned] = Rendering(tokenizer).examples(
        [{"role": "user", "content": "The "}, {"role": "assistant", "content": "n, I think."}], "row"
    )
    asked = tokenizer("The hero", add_special_tokens=False)["input_ids"]
    assert list(turned.ids[: len(asked)]) == asked
    assert tokenizer.decode([i for i, c in zip(turned.ids, turned.counts, strict=True) if c]) == "n, I think.</s>"


def test_the_plain_rendering_is_a_document_with_an_end(folder):
    tokenizer = tokenizer_of(folder)
    for prompt, completion, text in (
        ("Who?", "Anselm.", "Who?\nAnselm."),
        ("Who? ", "Anselm.", "Who? Anselm."),
        ("Who?", "\n\nAnselm.", "Who?\n\n\nAnselm."),
    ):
        [turned] = Rendering(tokenizer).examples(pair(prompt, completion).metadata["messages"], "row")
        assert turned.ids[0] == tokenizer.convert_tokens_to_ids("<|endoftext|>")
        assert turned.ids[-1] == tokenizer.eos_token_id
        assert tokenizer.decode(turned.ids[1:-1]) == text
        assert counting(tokenizer, pair(prompt, completion).metadata["messages"]) == [[f"{completion}</s>"]]


def test_special_names_in_a_plain_text_are_text(folder):
    tokenizer = tokenizer_of(folder)
    [turned] = Rendering(tokenizer).examples(pair("</s>?", "<s> and </s>").metadata["messages"], "row")
    assert turned.ids.count(tokenizer.eos_token_id) == 1


def test_special_names_in_a_chat_are_told(folder, tmp_path):
    rows = prepare_examples([pair("Say <|im_end|>", "No.")], tokenizer_of(folder, CHATML), tmp_path / "e", length=64)
    assert "1 of 1 examples name tokens of the chat template" in rows.notes[0]


def test_what_a_template_cannot_do_is_one_line(folder):
    with pytest.raises(ModelError, match=r"can be told from the prompt; choose") as caught:
        counting(tokenizer_of(folder, UNSPLITTABLE), CHAT)
    assert "\n" not in str(caught.value)
    with pytest.raises(CorpusError, match="row: an example without an answer"):
        counting(tokenizer_of(folder), CHAT[:1])
    with pytest.raises(
        CorpusError, match=r"row: the chat template of .* refuses .*System role not supported"
    ) as caught:
        counting(tokenizer_of(folder, GEMMA), [{"role": "system", "content": "x"}, *CHAT])
    assert "\n" not in str(caught.value)


def test_padding_never_counts_and_the_end_does_even_where_they_are_one_token(folder, tmp_path):
    """The run-on bug: with pad = eos and the pad masked by its id, no end is ever trained."""
    tokenizer = tokenizer_of(folder, CHATML, "<|im_end|>")
    rows = prepare_examples([pair("Who?", "Anselm.")], tokenizer, tmp_path / "e", length=40)
    item = ExampleWindows(rows, length=40, pad=tokenizer.eos_token_id)[0]
    size = int(rows.lengths[0])
    assert set(item["input_ids"][size:]) == {tokenizer.eos_token_id}
    assert set(item["labels"][size:]) == {IGNORED}
    assert item["labels"][size - 1] == tokenizer.eos_token_id
    assert item["input_ids"][size - 1] == tokenizer.eos_token_id


def many(count: int = 40) -> list[Document]:
    return [pair(f"What is {n} and {n * n}?" * (1 + n % 3), f"It is {n * n}.", f"row-{n}") for n in range(count)]


def test_windows_hold_every_example_whole_and_apart(folder, tmp_path):
    tokenizer = tokenizer_of(folder, CHATML)
    rows = prepare_examples(many(), tokenizer, tmp_path / "e", length=128)
    windows = ExampleWindows(rows, length=128, seed=1, pad=3)
    found = []
    for item in windows:
        assert {each.shape for each in item.values()} == {(128,)}
        edges = np.append(np.flatnonzero(item["position_ids"] == 0), 128)
        for begin, end in pairwise(edges):
            ids, labels = item["input_ids"][begin:end], item["labels"][begin:end]
            assert item["position_ids"][begin:end].tolist() == list(range(end - begin))
            if set(ids) == {3}:
                assert set(labels) == {IGNORED}
                continue
            answer = tokenizer.decode(labels[labels != IGNORED])
            assert answer.startswith("It is ")
            assert answer.endswith(".<|im_end|>")
            found.append(tuple(ids))
    assert sorted(found) == sorted(tuple(rows.document(n).tolist()) for n in range(40))
    assert rows.counted == sum(int((item["labels"] != IGNORED).sum()) for item in windows)


def test_what_all_examples_begin_with_stands_in_a_window_once(folder, tmp_path):
    tokenizer = tokenizer_of(folder, CHATML)
    asked = [pair(f"Of the two, tell me of {n}.", f"It is {n * n}.", f"row-{n}") for n in range(40)]
    rows = prepare_examples(asked, tokenizer, tmp_path / "e", length=128)
    shared = common_beginning(rows)
    beginning = tokenizer.decode(rows.document(0)[:shared])
    assert beginning.endswith("Of the two, tell me of ")
    windows, apart = ExampleWindows(rows, length=128, seed=1, share=True), ExampleWindows(rows, length=128, seed=1)
    assert len(windows) < len(apart)
    found = []
    for item in windows:
        assert tokenizer.decode(item["input_ids"][item["segments"] == 0]) == beginning
        for segment in range(1, int(item["segments"].max()) + 1):
            here = item["segments"] == segment
            if (item["labels"][here] != IGNORED).any():
                assert item["position_ids"][here].tolist() == list(range(shared, shared + int(here.sum())))
                found.append((*item["input_ids"][item["segments"] == 0], *item["input_ids"][here]))
    assert sorted(found) == sorted(tuple(rows.document(n).tolist()) for n in range(40))


@pytest.mark.parametrize("texts", [["What?", "Which?"], ["Who is he, and who is she, of all of them?"] * 2])
def test_a_beginning_leaves_every_example_something_of_its_own(folder, tmp_path, texts):
    """One that is all of a prompt, to the token before the answer, is shared but for that."""
    rows = prepare_examples(
        [pair(text, "So.", str(n)) for n, text in enumerate(texts)], tokenizer_of(folder), tmp_path / "e", length=80
    )
    shared = common_beginning(rows)
    assert shared == (0 if texts[0] == "What?" else int(np.argmax(rows.mask(0))) - 1)


def test_epochs_shuffle_and_validation_stays(folder, tmp_path):
    rows = prepare_examples(many(), tokenizer_of(folder), tmp_path / "e", length=80)
    windows, same = ExampleWindows(rows, length=80, seed=1), ExampleWindows(rows, length=80, seed=1)
    first = [item["input_ids"].tobytes() for item in windows]
    assert [item["input_ids"].tobytes() for item in same] == first
    windows.set_epoch(1)
    second = [item["input_ids"].tobytes() for item in windows]
    assert first != second
    assert sorted(first) == sorted(second)
    fixed = validation_examples(rows, 80)
    assert [each["input_ids"].tobytes() for each in fixed] == [each["input_ids"].tobytes() for each in fixed]
    assert sorted(each["input_ids"].tobytes() for each in fixed) == sorted(first)
    assert len(validation_examples(rows, 80, most=3)) == 3
    with pytest.raises(IndexError):
        windows[len(windows)]
    with pytest.raises(RecipeError, match="do not fit windows of 16"):
        ExampleWindows(rows, length=16)


def test_a_long_prompt_is_cut_at_its_beginning_and_a_long_answer_told(folder, tmp_path):
    tokenizer = tokenizer_of(folder, CHATML)
    documents = [pair("Q " * 200, "Short."), pair("Q", "L" * 200), pair("Q", "Whole.")]
    rows = prepare_examples(documents, tokenizer, tmp_path / "e", length=48)
    assert len(rows) == 2
    assert rows.lengths[0] == 48
    kept = rows.document(0)
    assert tokenizer.decode(kept).rstrip().endswith("assistant\nShort.<|im_end|>")
    assert tokenizer.decode(kept[rows.mask(0)]) == "Short.<|im_end|>"
    assert [note[:8] for note in rows.notes] == ["1 of 3 e"] * 2
    assert "left out" in rows.notes[0]
    assert "cut at the prompt's beginning" in rows.notes[1]
    with pytest.raises(CorpusError, match="every answer is longer"):
        prepare_examples(documents[1:2], tokenizer, tmp_path / "f", length=48)
    assert not (tmp_path / "f").exists()


def test_an_answer_whose_beginning_is_cut_away_does_not_count(folder, tmp_path):
    chat = [dict(CHAT[0]), {"role": "assistant", "content": "A" * 60}, *CHAT[2:]]
    rows = prepare_examples([document(*chat)], tokenizer_of(folder, CHATML), tmp_path / "e", length=70)
    tokenizer = tokenizer_of(folder, CHATML)
    assert tokenizer.decode(rows.document(0)[rows.mask(0)]) == "The heron, I think.<|im_end|>"
    assert tokenizer.decode(rows.document(0)[:3]) == "AAA"


def test_the_disk_holds_them_whole_and_they_are_reused(folder, tmp_path):
    place, tokenizer = tmp_path / "e", tokenizer_of(folder, CHATML)
    rows = prepare_examples(many(), tokenizer, place, length=128)
    stamp = (place / "counts.json").stat().st_ino
    prepare_examples(many(), tokenizer, place, length=128)
    assert (place / "counts.json").stat().st_ino == stamp
    plain = open_rows(place)
    assert plain.ids == [f"row-{n}" for n in range(40)]
    assert plain.document(7).tolist() == rows.document(7).tolist()
    from datasets import load_from_disk

    loaded = load_from_disk(str(place))
    assert loaded[7]["mask"] == rows.mask(7).astype(int).tolist()
    copy = pickle.loads(pickle.dumps(rows))
    assert np.array_equal(copy.mask(3), rows.mask(3))
    for other in (many(39), many()):
        changed = prepare_examples(other, tokenizer_of(folder, GEMMA), place, length=128)
        assert len(changed) == len(other)
    data = place / "data-00000-of-00001.arrow"
    whole = data.read_bytes()
    data.unlink()
    data.write_bytes(whole[:-90])
    assert len(prepare_examples(many(), tokenizer_of(folder, GEMMA), place, length=128)) == 40
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "diary.txt").write_text("x")
    with pytest.raises(StorageError, match="no prepared rows"):
        prepare_examples(many(), tokenizer, mine, length=128)


def test_documents_without_messages_are_no_examples(folder, tmp_path):
    tokenizer = tokenizer_of(folder)
    with pytest.raises(CorpusError, match="no examples"):
        prepare_examples([Document("a", "text")], tokenizer, tmp_path / "e", length=64)
    assert len(prepare_examples([Document("a", "text"), *many(3)], tokenizer, tmp_path / "e", length=64)) == 3


@pytest.mark.slow
@pytest.mark.parametrize("template", ["", CHATML], ids=["plain", "chat"])
def test_a_model_trained_on_a_hundred_rows_stops_by_itself(folder, tmp_path, template):
    """pad = eos, loss on answers only: at least 95 % of held-out prompts are answered with an end."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = tokenizer_of(folder, template, "<|im_end|>" if template else "</s>")
    words = ["heron", "lamp", "ferry", "quay", "bell", "river", "tide", "oar", "net", "sail", "rope", "gull"]
    asked = [f"{one} {two} {n}" for n, one in enumerate(words) for two in words]
    rows_of = [pair(f"Say {text}", " ".join(text.split()[:2]), text) for text in asked]
    rows = prepare_examples(rows_of[::3] + rows_of[1::3] + rows_of[2:14:3], tokenizer, tmp_path / "e", length=128)
    assert len(rows) == 100
    windows = ExampleWindows(rows, length=128, pad=tokenizer.eos_token_id)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=256, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for epoch in range(25):
        windows.set_epoch(epoch)
        for begin in range(0, len(windows), 8):
            items = [windows[place] for place in range(begin, min(begin + 8, len(windows)))]
            batch = {name: torch.from_numpy(np.stack([item[name] for item in items])) for name in items[0]}
            loss = model(**batch, use_cache=False).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    stopped = 0
    held_out = rows_of[14::3][:40]
    for each in held_out:
        if template:
            text = tokenizer.apply_chat_template(
                each.metadata["messages"][:1], add_generation_prompt=True, tokenize=False
            )
            ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        else:
            ids = [Rendering(tokenizer).start, *tokenizer(f"{each.metadata['messages'][0]['content']}\n")["input_ids"]]
        written = model.generate(torch.tensor([ids]), max_new_tokens=60, do_sample=False)
        stopped += int(written[0, -1]) == tokenizer.eos_token_id
    assert stopped >= 0.95 * len(held_out)
