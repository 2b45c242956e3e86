"""A model in, a GGUF file and the Modelfile that `ollama create` reads out: template, stop words and window.

Written after Ollama's description of its Modelfile; Ollama itself has not run here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from wellread.exporters import Leaving
from wellread.exporters.gguf import write_gguf

USER, ANSWER, SYSTEM, AGAIN = "⟦user⟧", "⟦answer⟧", "⟦system⟧", "⟦again⟧"
"""What stands for what is said while a chat template is taken apart."""


def write_ollama(leaving: Leaving, folder: Path) -> Path:
    """`NAME-ROUNDING.gguf` and `Modelfile`; returns the first. See `write_gguf`."""
    path = write_gguf(leaving, folder)
    lines = [f"FROM ./{path.name}", ""]
    template = go_template(leaving.tokenizer)
    if template is not None:
        lines += [f'TEMPLATE """{template}"""', ""]
    lines += [f'PARAMETER stop "{word}"' for word in stops(leaving.tokenizer, leaving.model)]
    lines += [f"PARAMETER num_ctx {min(leaving.model.config.max_position_embeddings, 8192)}"]
    if leaving.license:
        lines += ["", f'LICENSE """{leaving.license}"""']
    (folder / "Modelfile").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    return path


def stops(tokenizer: Any, model: Any) -> list[str]:
    """The special tokens that end what the model says, as words."""
    ends = getattr(model.generation_config, "eos_token_id", None)
    ids = [*(ends if isinstance(ends, list) else [ends]), tokenizer.eos_token_id]
    return list(dict.fromkeys(str(tokenizer.convert_ids_to_tokens(index)) for index in ids if index is not None))


def go_template(tokenizer: Any) -> str | None:
    """The chat template as Ollama writes one; `{{ .Prompt }}` for a model that has none and goes on with a text.

    It is taken apart by rendering: what stands before the first question, with a system message and without, between a
    question and its answer, and between an answer and the next question. None where the parts do not make up what the
    tokenizer renders; Ollama then falls back on what it reads in the file.
    """
    if not tokenizer.chat_template:
        return "{{ .Prompt }}"
    parts = _parts(tokenizer)
    if parts is None:
        return None
    system, to_question, without, to_answer, to_next = parts
    opening = f"{{{{ if .System }}}}{system}{{{{ .System }}}}{to_question}{{{{ else }}}}{without}{{{{ end }}}}"
    question = f'{{{{ if eq .Role "user" }}}}{{{{ if $said }}}}{to_next}{{{{ end }}}}{{{{ .Content }}}}'
    answer = f'{{{{ else if eq .Role "assistant" }}}}{to_answer}{{{{ .Content }}}}{{{{ $said = true }}}}{{{{ end }}}}'
    return f"{opening}{{{{ $said := false }}}}{{{{ range .Messages }}}}{question}{answer}{{{{ end }}}}{to_answer}"


def _parts(tokenizer: Any) -> tuple[str, str, str, str, str] | None:
    from jinja2 import TemplateError

    def rendered(*said: tuple[str, str]) -> str:
        messages = [{"role": role, "content": text} for role, text in said]
        return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))

    question, answer, again = ("user", USER), ("assistant", ANSWER), ("user", AGAIN)
    try:
        alone = rendered(question)
        longer = rendered(question, answer, again)
    except (TemplateError, ValueError, TypeError, KeyError):
        return None
    try:
        told = rendered(("system", SYSTEM), question)
    except (TemplateError, ValueError, TypeError, KeyError):
        told = ""
    without, _, to_answer = alone.partition(USER)
    to_next = longer.partition(ANSWER)[2].partition(AGAIN)[0]
    if longer != without + USER + to_answer + ANSWER + to_next + AGAIN + to_answer:
        return None
    system, _, rest = told.partition(SYSTEM)
    to_question = rest.partition(USER)[0]
    if told != system + SYSTEM + to_question + USER + to_answer:  # it knows no system message: said before the question
        system, to_question = without, "\n\n"
    begins = str(tokenizer.bos_token or "")
    if begins and without.startswith(begins) and system.startswith(begins):  # llama.cpp writes it before every text
        writes = list(tokenizer("a")["input_ids"])[:1] == [tokenizer.bos_token_id]
        if writes:
            without, system = without.removeprefix(begins), system.removeprefix(begins)
    return system, to_question, without, to_answer, to_next
