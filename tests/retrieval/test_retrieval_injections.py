"""Documents that lie in wait: whatever they say, the prompt keeps its form, and nothing but their text is in it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from injections import INJECTIONS

from wellread.generation.chats import chat_ids, steering
from wellread.generation.spelling import Spelling
from wellread.retrieval.prompt import CONTROL, build_prompt
from wellread.testing import byte_tokenizer
from wellread.types import Chunk

KEY = "sk-never-in-a-prompt-1234567890"
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def prompt_of(text: str, **place: str) -> str:
    chunks = [Chunk("d", 0, len(text), text, **{"source": "a.md", **place}), Chunk("e", 0, 4, "fine", "b.md")]
    laid = build_prompt("What is said?", chunks, count=len, budget=100_000)
    assert [message["role"] for message in laid.messages] == ["user"]
    assert set(laid.messages[0]) == {"role", "content"}
    return laid.messages[0]["content"]


def skeleton(said: str) -> str:
    """The prompt with what stands in each source taken out, by the marks it really has."""
    mark = re.findall(r"^<(source[-\d]*) 1>$", said, re.MULTILINE)[0]  # nothing of a document stands before it
    bare = re.sub(rf"<{mark} (\d)>\n.*?\n</{mark} \1>", r"<source \1>", said, flags=re.DOTALL)
    return bare


def test_there_are_thirty_of_them() -> None:
    assert len(set(INJECTIONS)) == 30


@pytest.mark.parametrize("text", INJECTIONS)
def test_none_changes_the_form_of_a_prompt(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WELLREAD_API_KEY", KEY)
    honest = skeleton(prompt_of("harmless"))
    for said in (prompt_of(text), prompt_of("x", source=text), prompt_of("x", section=text)):
        assert skeleton(said) == honest
        assert KEY not in said
        assert os.environ["HOME"] not in said
    assert not CONTROL.search(prompt_of(text))


@pytest.fixture(scope="module")
def chatty(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(byte_tokenizer(tmp_path_factory.mktemp("bytes")))
    names = ["<|im_start|>", "<|im_end|>", "<tool_call>", "</s>", "<script>"]
    tokenizer.add_special_tokens({"additional_special_tokens": names})
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def test_none_becomes_a_token_that_steers(chatty: Any) -> None:
    special = set(chatty.all_special_ids)

    def steered(text: str) -> list[int]:
        chat = [{"role": "user", "content": text}]
        ids = chat_ids(chatty, chat, steering(chatty), Spelling(chatty).encode)
        return [index for index in ids if index in special]

    frame = steered("harmless")
    assert len(frame) == 3
    for text in INJECTIONS:
        assert steered(prompt_of(text)) == steered(text) == frame


def test_xml_is_read_without_entities_or_network(tmp_path: Path) -> None:
    from wellread.corpus.archive import xml

    secret = tmp_path / "secret.txt"
    secret.write_text(KEY, encoding="utf-8")
    hostile = f'<!DOCTYPE a [<!ENTITY x SYSTEM "{secret.as_uri()}">]><a>&x;</a>'.encode()
    root = xml(hostile)
    assert root is None or KEY not in "".join(root.itertext())
    lol = (
        b'<!DOCTYPE a [<!ENTITY a "lol">'
        + b"".join(f'<!ENTITY a{n} "{f"&a{n - 1 or chr(32).strip()};" * 10}">'.encode() for n in range(1, 9))
        + b"]><a>&a8;</a>"
    )
    root = xml(lol)
    assert root is None or len("".join(root.itertext())) < 1000
