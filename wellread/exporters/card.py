"""What is known of a model that leaves, in; the README.md that goes with it out, as Markdown with the hub's front matter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wellread.exporters.parity import Parity


@dataclass(frozen=True, slots=True)
class Measured:
    """A row of the certificate's table."""

    title: str
    before: str
    after: str
    difference: str


@dataclass(frozen=True, slots=True)
class Licensed:
    """Under which terms something may be used: a short identifier, and where that comes from."""

    identifier: str
    """SPDX, lower case, as the hub writes it; empty where nothing says."""
    words: str


@dataclass(frozen=True, slots=True)
class Card:
    """What the card says, beside how to use the files."""

    title: str
    verdict: str
    rows: Sequence[Measured]
    base: str
    """What it was tuned from; empty from scratch."""
    hub_base: str
    """The same as the hub knows it; empty where it does not."""
    base_license: Licensed
    text_license: Licensed
    run: str
    stage: str
    alpha: float
    format: str
    rounding: str
    files: Sequence[str]
    parity: Parity | None
    unverified: str
    """Why there is no parity."""
    notes: Sequence[str] = ()


USE = {
    "merged": "    from transformers import AutoModelForCausalLM, AutoTokenizer\n"
    "    model = AutoModelForCausalLM.from_pretrained(FOLDER)\n    tokenizer = AutoTokenizer.from_pretrained(FOLDER)\n\n"
    "vLLM: `vllm serve FOLDER`.",
    "adapter": "    from peft import PeftModel\n    model = PeftModel.from_pretrained(base, FOLDER)\n\n"
    "vLLM: `vllm serve BASE --enable-lora --max-lora-rank RANK --lora-modules book=FOLDER`; RANK is the first of 8, 16, 32, 64, "
    "128, 256, 320 and 512 that is not below `r` in `adapter_config.json`.",
    "gguf": "llama.cpp: `llama-cli -m FILE -p 'Once upon a time'`; here: `wellread write FILE 'Once upon a time'`.",
    "ollama": "    ollama create book -f Modelfile\n    ollama run book",
    "llama2c": "    ./run model.bin -z tokenizer.bin -i 'Once upon a time'       (runq for int8)",
}


def card_text(card: Card) -> str:
    """The whole README.md."""
    parts = [_front(card), f"# {card.title}", card.verdict, _origin(card)]
    if card.rows:
        parts += ["## What was measured", _table(card)]
    parts += ["## Parity", _parity(card)]
    parts += ["## Files and use", "\n".join(f"- `{name}`" for name in card.files), USE.get(card.format, "")]
    if card.notes:
        parts.append("\n".join(f"- {line}" for line in card.notes))
    parts += ["## Licences", _licences(card)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _front(card: Card) -> str:
    known = card.base_license.identifier if card.base else card.text_license.identifier
    lines = [f"license: {known or 'other'}"]
    if card.hub_base:
        lines.append(f"base_model: {card.hub_base}")
    library = {"merged": "transformers", "adapter": "peft", "gguf": "gguf", "ollama": "gguf"}.get(card.format)
    lines += [f"library_name: {library}"] if library else []
    return "\n".join(["---", *lines, "pipeline_tag: text-generation", "tags:", "- wellread", "---"])


def _origin(card: Card) -> str:
    made = f"Tuned from {card.base}" if card.base else "Trained from scratch"
    dial = f", its dial at {card.alpha:g} (0 is what it was tuned from, 1 the tuned model)" if card.alpha != 1 else ""
    rounded = f" Numbers: {card.rounding}." if card.rounding else ""
    return f"{made} by wellread, run `{card.run}`, stage `{card.stage}`{dial}.{rounded}"


def _table(card: Card) -> str:
    told = "" if card.alpha == 1 else "The run's own figures, with the dial at 1.\n\n"
    head = "| measure | before | after | difference |\n|---|---|---|---|\n"
    return (
        told + head + "\n".join(f"| {row.title} | {row.before} | {row.after} | {row.difference} |" for row in card.rows)
    )


def _parity(card: Card) -> str:
    if card.parity is None:
        return f"Not verified: {card.unverified}"
    first, *rest = card.parity.lines()
    return "\n".join([first, "", *(f"-{line[1:]}" for line in rest)])


def _licences(card: Card) -> str:
    lines = [f"- Base: {card.base_license.words}"] if card.base else []
    lines.append(f"- Text it was taught: {card.text_license.words}")
    lines.append(
        "- A model may repeat what it was taught; the table says how much. Whoever passes it on answers for both."
    )
    return "\n".join(lines)
