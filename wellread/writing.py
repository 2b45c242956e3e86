"""`wellread write`: a model goes on with texts, at a setting of its dial, kept from reciting where that is asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from wellread import presets, runs
from wellread.errors import ModelError, UsageError
from wellread.generation.endpoint import is_endpoint
from wellread.matching import Index
from wellread.models import corpus_index, open_model, read_name, split_store
from wellread.storage import read_json
from wellread.types import LanguageModel, Prompt, Sample, Sampling


def continue_texts(
    model: str,
    prompts: Sequence[Prompt],
    sampling: Sampling,
    *,
    dial: float | None = None,
    window: int | None = None,
    run_folder: Path | None = None,
    key: str = "",
    offline: bool = False,
) -> list[Sample]:
    """What MODEL writes after each prompt; `dial` is as `RUN@dial`, `window` as for `open_writer`.

    `sampling.no_recite` guards the corpus of `run_folder`, or of the run that MODEL is. Raises UsageError where it is
    none and none is given, or where the name has a dial setting already.
    """
    index = None
    if sampling.no_recite:
        run = runs.open_run(run_folder) if run_folder else read_name(model).run
        if run is None:
            raise UsageError(f"{model} is no run, so nothing says what must not be recited: name a run with --run.")
        index = corpus_index(run)
    opened = open_writer(model, index=index, dial=dial, window=window, key=key, offline=offline)
    return opened.generate(prompts, sampling)


def refuse_taken(out: Path) -> None:
    """Raises UsageError where something lies at `out`: what is written never replaces it."""
    if out.exists():
        raise UsageError(f"{out} is there already; name another, or delete it.")


def open_writer(
    model: str, *, index: Index | None = None, dial: float | None = None, window: int | None = None, key: str = "",
    offline: bool = False,
) -> LanguageModel:  # fmt: skip
    """MODEL at a dial setting, ready to write. It sees `window` tokens at once, by default what it takes, at most 4,096.

    Raises UsageError where the name has a setting already, or for the window of an endpoint; ModelError for a window that
    the model does not take.
    """
    if dial is not None:
        if read_name(model).alpha is not None:
            raise UsageError(f"{model} names a dial setting already: leave --dial away.")
        alone, store = split_store(model)
        model = f"{alone}@{dial:g}+{store}" if store else f"{model}@{dial:g}"
    if window and is_endpoint(split_store(model)[0]):
        raise UsageError(f"{model}: an endpoint sees as much as it does: leave --window away.")
    # what is gone on with is read as far back as passages are
    opened = open_model(model, offline=offline, window=window, key=key, index=index, to_write=True, reads_passages=True)
    seen = getattr(opened, "window", None)
    if window and isinstance(seen, int) and seen < window:
        raise ModelError(f"{model}: a window of {window} tokens was asked for; it takes 2 to {seen}.")
    return opened


def writer_of(model: str, preset: str, *, dial: float | None = None, say: Callable[[str], None]) -> str:
    """The MODEL that writes where `model` is asked for: the exported file that a preset would rather write with, else
    `model` itself. `say` is told of the file, or how to have one."""
    lighter = exported_file(model, preset) if dial is None else None
    if lighter is not None:
        say(f"writing with {lighter}, which was exported beside the run; without --preset, with the run itself")
        return str(lighter)
    if preset in presets.ROUNDED and dial is None and runs.is_run(Path(model)):
        say(f"--preset {preset} is quicker on a {presets.ROUNDED[preset]} file of the run: `wellread export {model} --to gguf` "
            "writes one")  # fmt: skip
    return model


def exported_file(model: str, preset: str) -> Path | None:
    """The GGUF file that a preset would rather write with, where MODEL is a run folder, one was exported beside it from
    its last stage with the dial at 1, and the runtime is here."""
    from wellread.generation import gguf

    rounding = presets.ROUNDED.get(preset)
    if rounding is None or not runs.is_run(Path(model)) or not gguf.available():
        return None
    last = runs.Stage(runs.open_run(model).last_checkpoint().parent)
    for folder in (Path(model) / "exports" / f"{to}-{rounding}" for to in ("gguf", "ollama")):
        record = read_json(folder / "export.json", optional=True) or {}
        found = sorted(folder.glob("*.gguf"))
        made = folder.stat().st_mtime if found else 0.0
        if found and record.get("stage") == last.name and made >= last.checkpoint.stat().st_mtime:
            return found[0]
    return None
