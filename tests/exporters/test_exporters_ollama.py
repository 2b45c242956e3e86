"""The Modelfile's template, filled in as Ollama would, beside what the tokenizer renders."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from exporters_toy import scratch

from wellread.exporters import Leaving
from wellread.exporters.ollama import go_template, stops, write_ollama

CHATML = (
    "{% for message in messages %}{% if loop.first and message['role'] != 'system' %}<|im_start|>system\nBe kind.<|im_end|>\n"
    "{% endif %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
NO_SYSTEM = (
    "{% for message in messages %}{% if message['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    "<{{ message['role'] }}>{{ message['content'] }}</>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
)
NUMBERED = "{% for message in messages %}{{ loop.index }}{{ message['content'] }}{% endfor %}"


def filled(template: str, messages: list[dict[str, str]]) -> str:
    """Go's text/template, as far as these templates go: if, else if, else, range, one variable."""
    tokens = [part for part in re.split(r"(\{\{.*?\}\})", template, flags=re.DOTALL) if part]
    system = next((m["content"] for m in messages if m["role"] == "system"), "")
    scope: dict[str, Any] = {"said": False}

    def holds(word: str, message: dict[str, str]) -> bool:
        if word == ".System":
            return bool(system)
        return scope["said"] if word == "$said" else message.get("role") == word.split('"')[1]

    def block(at: int, message: dict[str, str], live: bool) -> tuple[str, int]:
        """What is written up to the end, or the else, that closes the block."""
        out = ""
        while at < len(tokens):
            word = tokens[at].strip("{} ") if tokens[at].startswith("{{") else None
            if word is None:
                out += tokens[at] if live else ""
            elif word == "end" or word.startswith("else"):
                return out, at
            elif word.startswith("if "):
                done, word = False, word.removeprefix("if ")
                while True:
                    taken = live and not done and (word == "" or holds(word, message))
                    text, at = block(at + 1, message, taken)
                    out, done = out + text, done or taken
                    closing = tokens[at].strip("{} ")
                    if closing == "end":
                        break
                    word = closing.removeprefix("else").strip().removeprefix("if ")
            elif word == "range .Messages":
                start = at + 1
                for each in messages:
                    text, at = block(start, each, live)
                    out += text
            elif live and word in ("$said := false", "$said = true"):
                scope["said"] = word.endswith("true")
            elif live:
                out += {".System": system, ".Content": message.get("content", ""), ".Prompt": "PROMPT"}[word]
            at += 1
        return out, at

    return block(0, {}, True)[0]


def said(*texts: str, system: str = "") -> list[dict[str, str]]:
    turns = [{"role": ("user", "assistant")[at % 2], "content": text} for at, text in enumerate(texts)]
    return [*([{"role": "system", "content": system}] if system else []), *turns]


@pytest.fixture
def toy(tmp_path: Path) -> tuple[Any, Any]:
    return scratch(tmp_path)


@pytest.mark.parametrize(
    "chat", [said("Hi"), said("Hi", "Yes?", "Ice?"), said("Hi", "Yes?", "Ice?", system="One word.")]
)
def test_a_chat_is_written_as_the_tokenizer_writes_it(toy: tuple[Any, Any], chat: list[dict[str, str]]) -> None:
    _, tokenizer = toy
    tokenizer.chat_template = CHATML
    template = go_template(tokenizer)
    assert template is not None
    expected = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    assert filled(template, chat) == expected


def test_a_template_without_a_system_message_says_it_before_the_question(toy: tuple[Any, Any]) -> None:
    _, tokenizer = toy
    tokenizer.chat_template = NO_SYSTEM
    template = go_template(tokenizer)
    assert template is not None
    assert filled(template, said("Hi", "Yes?", "Ice?")) == "<user>Hi</><assistant>Yes?</><user>Ice?</><assistant>"
    assert filled(template, said("Hi", system="Short.")) == "<user>Short.\n\nHi</><assistant>"


def test_one_that_cannot_be_taken_apart_is_left_to_the_file(toy: tuple[Any, Any], tmp_path: Path) -> None:
    model, tokenizer = toy
    tokenizer.chat_template = NUMBERED
    assert go_template(tokenizer) is None
    write_ollama(Leaving(model, tokenizer, "toy", "q8_0"), tmp_path)
    assert "TEMPLATE" not in (tmp_path / "Modelfile").read_text(encoding="utf-8")


def test_a_text_model_goes_on_with_its_prompt(toy: tuple[Any, Any], tmp_path: Path) -> None:
    model, tokenizer = toy
    path = write_ollama(Leaving(model, tokenizer, "toy", "q8_0", license="text: cc0-1.0"), tmp_path)
    lines = (tmp_path / "Modelfile").read_text(encoding="utf-8").splitlines()
    assert lines[0] == f"FROM ./{path.name}"
    assert 'TEMPLATE """{{ .Prompt }}"""' in lines
    assert 'PARAMETER stop "</s>"' in lines
    assert "PARAMETER num_ctx 96" in lines
    assert 'LICENSE """text: cc0-1.0"""' in lines
    assert stops(tokenizer, model) == ["</s>"]
