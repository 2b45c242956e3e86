"""`wellread export`: a run's model as files for other programs, checked against the model it was, with a card.

A run in, a folder (or a .gguf file) out, whole or absent. What was written is opened again and read on text of the run
that nothing was trained on; a file that differs by more than `parity.LIMITS` is kept aside under another name.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from wellread import exporters, runs, storage, weights
from wellread.errors import RunError, UsageError, WellreadError
from wellread.exporters.card import Card, Licensed, Measured, card_text
from wellread.exporters.parity import Foreseen, Parity, Passage, compare, foresee
from wellread.gathering import SILENT, Watch
from wellread.licences import base_license, text_license
from wellread.models import Named, dial_origin, read_name
from wellread.recipe import Recipe, parse_recipe
from wellread.types import REAL_CHAPTERS, Corpus, Part
from wellread.verifying import Check, check, write_on

RECORD = "export.json"
"""Stands in a folder that was exported."""
HUB = {weights.EMBEDDED: "HuggingFaceTB/SmolLM2-135M-Instruct"}
PASSAGES, TOKENS = 8, 64
"""Stretches of text that are read to check a file, and the tokens of each at most."""
HELD = 2**26
"""Numbers of foreseen tokens that are held at once: 256 MB; with a large vocabulary fewer tokens are read."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What stands on the disk."""

    path: Path
    """The folder, or the .gguf file."""
    parity: Parity | None
    unverified: str
    """Why there is no parity; empty where there is."""
    notes: tuple[str, ...]


def export_run(
    model: str, to: str, *, quantize: str | None = None, dial: float | None = None, out: Path | None = None,
    licence: str = "", offline: bool = False, watch: Watch = SILENT,
) -> Exported:  # fmt: skip
    """Write the model of RUN (or RUN:stage, RUN@0.5) as `to`, in `out`, by default RUN/exports/TO-ROUNDING.

    Raises UsageError for a MODEL that is no run, a format or rounding there is not, or a place that is taken; ModelError
    for what the format cannot hold; RunError, with the files kept aside, where what was written is not the same model.
    """
    write = exporters.find(to)
    rounding = exporters.rounding(to, quantize)
    named = _named(model, dial)
    assert named.run is not None
    this, alpha = named.run, 1.0 if named.alpha is None else named.alpha
    target = out or this.path / "exports" / _folder_name(to, rounding, alpha)
    _refuse_taken(target, to)
    from wellread.corpus.ingest import read_corpus

    recipe = parse_recipe(this.recipe.read_text(encoding="utf-8"), source=str(this.recipe))
    corpus = read_corpus(this.corpus)
    watch.say(f"opening {model}")
    opened, tokenizer = _opened(named, offline=offline)
    part, passages = passages_of(corpus, tokenizer, opened.config)
    before = foresee(opened, weights.document_start(tokenizer), passages)
    if to != "adapter":
        opened = weights.merge(opened)
    written_on = write_on(to, opened, tokenizer, passages)
    licences = base_license(recipe.base, offline=offline), text_license(recipe, corpus.documents, licence)
    name, base = _file_name(this.name), _base(Path(named.place))
    with _place(target) as folder:
        watch.say(f"writing {target}")
        leaving = exporters.Leaving(opened, tokenizer, name, rounding, alpha, base, _on_hub(base), _one_line(licences))
        written = write(leaving, folder)
        del opened, leaving  # what is checked is opened anew
        watch.say(f"reading {len(passages)} stretches of {part.replace('_', '-')} text from what was written")
        found = check(to, written, tokenizer, passages, written=written_on, offline=offline)
        parity = _parity(before, found, passages, rounding, part)
        files = sorted(path.name for path in folder.iterdir())
        card = _card(this, recipe, named, alpha, licences, to, rounding, files, parity, found)
        (folder / "README.md").write_text(card_text(card), encoding="utf-8", newline="\n")
        record = {"run": this.name, "stage": card.stage, "to": to, "rounding": rounding, "dial": alpha,
                  "parity": parity.as_json() if parity else None, "unverified": found.unverified}  # fmt: skip
        storage.write_json(folder / RECORD, record)
        if parity is not None and not parity.holds:
            aside = _aside(folder, target)
            raise RunError(f"{target}: what was written is not the same model, so it is kept apart, in {aside}. "
                           + " ".join(line.strip() for line in parity.lines()))  # fmt: skip
    return Exported(target, parity, found.unverified, found.notes)


def _named(model: str, dial: float | None) -> Named:
    named = read_name(model)
    if named.run is None:
        raise UsageError(
            f"{model}: export takes a run, RUN:stage or RUN@0.5; a model that is no run can be copied as it is."
        )
    if dial is None:
        return named
    if named.alpha is not None:
        raise UsageError(f"{model} names a dial setting already: leave --dial away.")
    weights.check_setting(dial)
    return replace(named, alpha=dial)


def _opened(named: Named, *, offline: bool) -> tuple[Any, Any]:
    """The model as the run left it, or at its dial's setting, in float32 where that fits; and its tokenizer."""
    if named.alpha is None or named.alpha == 1:
        opened = weights.open_base(named.place, offline=offline)
        return opened.model, opened.tokenizer
    assert named.run is not None
    dial = weights.open_dial(named.place, dial_origin(named.run, named.place), offline=offline)
    dial.turn(named.alpha)
    return dial.model, dial.tokenizer


def passages_of(corpus: Corpus, tokenizer: Any, config: Any) -> tuple[Part, list[Passage]]:
    """Stretches spread evenly over the held-out text, else over what the run has; they begin with a word.

    Raises UsageError where the run has no text.
    """
    whole: tuple[Part, ...] = ("held_out", "validation", "train")
    part = next((each for each in whole if any(document.text.strip() for document in corpus.part(each))), None)
    if part is None:
        raise UsageError("the run has no text that an export could be checked on.")
    text = "\n\n".join(document.text for document in corpus.part(part))
    tokens = min(TOKENS, config.max_position_embeddings // 2, max(8, HELD // PASSAGES // config.vocab_size))
    found = []
    for place in range(PASSAGES):
        begin = len(text) * place // PASSAGES
        begin = 0 if place == 0 else text.find(" ", begin) + 1
        stretch = text[begin : begin + 12 * tokens]
        ends = [
            end
            for _, end in tokenizer(stretch, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
        ]
        stretch = stretch[: ends[min(tokens, len(ends)) - 1]] if ends else ""
        ids = tokenizer(stretch, add_special_tokens=False)["input_ids"][: config.max_position_embeddings]
        if ids:
            found.append(Passage(stretch, tuple(ids)))
    return part, found


def _parity(before: Any, found: Check, passages: Sequence[Passage], rounding: str, part: Part) -> Parity | None:
    if found.foreseen is None:
        return None
    after: list[Foreseen] = found.foreseen
    return compare(before, after, passages, rounding=rounding, part=part.replace("_", "-"), spelled=found.spelled,
                   written=found.written)  # fmt: skip


def _refuse_taken(target: Path, to: str) -> None:
    """What stands there and was not exported stays."""
    if target.suffix == ".gguf":
        if to != "gguf":
            raise UsageError(f"--out {target}: --to {to} writes a folder; name one.")
        beside = [target.with_suffix(ending) for ending in (".gguf", ".md", ".json")]
        taken = [path for path in beside if path.exists()]
        if taken and not _exported(beside[-1]):
            raise UsageError(f"{taken[0]} is there already, and was not exported; name another place with --out.")
    elif target.is_file() or (target.is_dir() and any(target.iterdir()) and not (target / RECORD).is_file()):
        raise UsageError(f"{target} is there already, and was not exported; name another place with --out.")


def _exported(record: Path) -> bool:
    """Whether a file is the record of a GGUF file that was exported."""
    try:
        told = storage.read_json(record, optional=True)
    except WellreadError:
        return False
    return isinstance(told, dict) and told.get("to") == "gguf"


@contextmanager
def _place(target: Path) -> Iterator[Path]:
    """A folder to fill, which becomes `target`; a .gguf file is taken out of it, with its card and record beside it."""
    if target.suffix != ".gguf":
        with storage.storage_errors(target), storage.new_folder(target) as folder:
            yield folder
        return
    whole = target.with_name(f".{target.name}.export")
    with storage.storage_errors(target), storage.new_folder(whole) as folder:
        yield folder
    [file] = whole.glob("*.gguf")
    with storage.storage_errors(target):
        for written, ending in ((whole / "README.md", ".md"), (whole / RECORD, ".json"), (file, ".gguf")):
            written.replace(target.with_suffix(ending))
    shutil.rmtree(whole, ignore_errors=True)


def _aside(folder: Path, target: Path) -> Path:
    """The folder, renamed so that nobody takes it for what it is not."""
    aside = target.with_name(f"{target.stem if target.suffix == '.gguf' else target.name}-mismatch")
    shutil.rmtree(aside, ignore_errors=True)
    folder.rename(aside)
    return aside


def _folder_name(to: str, rounding: str, alpha: float) -> str:
    parts = [to, *([rounding] if to != "adapter" and rounding else []), *([f"dial-{alpha:g}"] if alpha != 1 else [])]
    return "-".join(parts)


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "model"


def _base(checkpoint: Path) -> str | None:
    """What an adapter belongs on, as seen from here."""
    return weights.adapter_base(checkpoint) if weights.is_adapter(checkpoint) else None


def _on_hub(base: str | None) -> str:
    """The name by which the hub knows a base; empty for one that lies here alone."""
    return "" if not base or Path(base).exists() else HUB.get(base, base)


def _rank(checkpoint: Path) -> int:
    """Of an adapter's widest matrix; 0 for whole weights."""
    if not weights.is_adapter(checkpoint):
        return 0
    told = storage.read_json(checkpoint / "adapter_config.json")
    return max(int(told["r"]), *(int(each) for each in (told.get("rank_pattern") or {"": 0}).values()))


def _one_line(licences: tuple[Licensed, Licensed]) -> str:
    base, text = licences
    return f"base: {base.identifier or base.words}; text: {text.identifier or text.words}"


def _card(
    this: runs.Run, recipe: Recipe, named: Named, alpha: float, licences: tuple[Licensed, Licensed], to: str, rounding: str,
    files: Sequence[str], parity: Parity | None, found: Check,
) -> Card:  # fmt: skip
    from wellread.reports.wording import model_words

    stage = runs.Stage(Path(named.place).parent).name
    title, verdict, rows = _certificate(this, stage)
    base = recipe.base or ""
    hub, belongs = _on_hub(base), _base(Path(named.place))
    shown = model_words(base) if hub else Path(base).name
    return Card(
        title=title, verdict=verdict, rows=rows, base=shown, hub_base=hub, rank=_rank(Path(named.place)),
        adapted=_on_hub(belongs) or Path(belongs or "").name, base_license=licences[0], text_license=licences[1],
        run=this.name, stage=stage, alpha=alpha, format=to, rounding=rounding, files=files, parity=parity,
        unverified=found.unverified, notes=found.notes,
    )  # fmt: skip


def _certificate(this: runs.Run, stage: str) -> tuple[str, str, list[Measured]]:
    """Title, verdict and the table of base and stage, as the certificate has them; empty where the run is not finished."""
    from wellread.reports import read_run, verdict_of
    from wellread.reports.table import lines

    record = read_run(this.path)
    if record.unfinished is not None or not record.measurements:
        return record.title or this.name, "", []
    measured = [row for row in record.measurements if row.subject in (record.base, stage, REAL_CHAPTERS)]
    rows = []
    for line in lines(measured, trained=stage, base=record.base):
        shown = [f"{cell.value} ({cell.interval})" if cell.interval else cell.value for cell in line.cells]
        before, after, difference = shown if record.base else ("", *shown, "")
        if before or after:
            rows.append(
                Measured(f"{line.title}, {line.split}" if line.split else line.title, before, after, difference)
            )
    verdict = verdict_of(this.path) if stage == record.trained else ""
    return record.title or this.name, verdict, rows
