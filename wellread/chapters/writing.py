"""`wellread write --chapters`: a run in, new chapters after its book out, kept from reciting it and from going in circles."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from wellread import runs
from wellread.chapters.binding import Bound, Page, bind, check_ending
from wellread.chapters.choosing import Yardstick, spoken, yardstick_of
from wellread.chapters.continued import book_title, last_book, last_pages, usual_words
from wellread.chapters.drafting import Chapter, Desk, Draft, draft_chapters, restored
from wellread.chapters.manner import manner_of
from wellread.errors import UsageError
from wellread.function_words import language
from wellread.gathering import Watch, reference_documents, with_matches
from wellread.generation.progress import Telling, telling
from wellread.matching import Index
from wellread.models import read_name
from wellread.provenance import place_lines
from wellread.recipe import parse_recipe
from wellread.runs import Run
from wellread.storage import read_json, write_json
from wellread.types import Corpus, Document, LanguageModel, Sample, Sampling
from wellread.writing import open_writer, refuse_taken, writer_of

LEAST_GUARD = 4
"""Passages are joined within half of what the guard allows, so it must allow some words."""
ABOUT = {
    "en": "These chapters were written by a language model, {model}, that was taught on {title}. Neither the author of {title} "
          "nor any other person wrote them. Made with wellread.",
    "fr": "Ces chapitres ont été écrits par un modèle de langue, {model}, entraîné sur {title}. Ni l’auteur de {title} ni "
          "aucune autre personne ne les a écrits. Fait avec wellread.",
}  # fmt: skip
TITLE = {"en": "New chapters after {title}", "fr": "Nouveaux chapitres d’après {title}"}
NOTES = {"en": "Where its words stand in the book", "fr": "Ce qui se trouve dans le livre"}
FRENCH = frozenset({"fr", "fra", "fre"})
TAG = re.compile(r"[a-z]{2,3}(-[a-z]{4})?(-([a-z]{2}|\d{3}))?(?![a-z0-9])", re.IGNORECASE)
"""Language, script and region of a BCP 47 tag."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for."""

    chapters: int = 1
    words: int | None = None
    """Of a chapter; None: the median of the book's, at most 1,500."""
    best_of: int = 1
    """Candidates for each passage."""
    prompt: str = ""
    """What stands in place of the book's last page; it is not printed."""
    notes: bool = False
    """Whether the book says which of its words stand in the old one."""
    title: str = ""
    """Of the book that is continued; empty: as the book states it, else its file's name."""
    window: int | None = None
    """Tokens that the model sees at once; None: as many as it takes, at most 4,096."""


def write_chapters(
    model: str,
    wish: Wish,
    sampling: Sampling,
    out: Path,
    *,
    dial: float | None = None,
    run_folder: Path | None = None,
    preset: str = "",
    key: str = "",
    offline: bool = False,
    watch: Watch,
) -> list[dict[str, Any]]:
    """Write `out` (.epub, .md or .txt) and return its chapters, each with the places in the book that share its words.

    Half-written work lies in `OUT.draft.json`; the same call goes on from it to the text that it would have written
    undisturbed, and removes it at the end. `sampling.max_tokens` is how much is written at once: less of it leaves more of the
    window to what came before. `preset` says whether an exported file of the run writes (see `writer_of`); a draft goes on
    with what it was begun with, exported since or not. Raises UsageError where `out` is there already, where
    MODEL is no run and none is named, where a draft was begun with other settings or cannot be read, or for settings that
    cannot be kept.
    """
    check_ending(out)
    run = runs.open_run(run_folder) if run_folder else read_name(model).run
    if run is None:
        raise UsageError(f"{model} is no run, so there is no book to go on with: name a run with --run.")
    _check(wish, sampling)
    settings = _settings(model, wish, sampling, dial)
    place = out.with_name(f"{out.name}.draft.json")
    draft, begun_with = _resumed(place, settings, watch)
    if len(draft.chapters) < wish.chapters:  # a kill just after the book was bound leaves all of the draft beside it
        refuse_taken(out)
    writer = begun_with or writer_of(model, preset, dial=dial, say=watch.say)
    from wellread.corpus.ingest import read_corpus

    corpus = read_corpus(run.corpus)
    book = last_book(corpus, watch.say)
    index = Index(corpus.documents)
    opened = open_writer(writer, index=index, dial=dial, window=wish.window, key=key, offline=offline)
    desk = Desk(
        opened, sampling, manner_of(book), _measure(run, corpus, wish, watch), index, wish.best_of,
        wish.words or usual_words(book), wish.prompt or last_pages(book),
    )  # fmt: skip
    told = _telling(opened, wish.chapters * desk.words - draft.done, watch)
    chapters = draft_chapters(
        desk, draft, wish.chapters, keep=lambda now: write_json(place, {"settings": settings, "writer": writer, **asdict(now)}),
        told=told, say=watch.say,
    )  # fmt: skip
    bind(_bound(chapters, book, wish, writer, dial, index), out)
    place.unlink(missing_ok=True)
    return [provenance_row(chapter, index) for chapter in chapters]


def provenance_row(chapter: Chapter, index: Index) -> dict[str, Any]:
    """A chapter as a row of `--json`: its heading and text, with the runs of words that stand in the book."""
    [row] = with_matches([Sample("", chapter.text, Sampling(), 0)], index)
    told = {key: row[key] for key in ("prompt", "completion", "matches", "longest")}
    return {**asdict(chapter), **told}


def _check(wish: Wish, sampling: Sampling) -> None:
    if 0 < sampling.no_recite < LEAST_GUARD:
        raise UsageError(f"chapters are guarded from {LEAST_GUARD} words in a row on, found --no-recite "
                         f"{sampling.no_recite}; give {LEAST_GUARD} or more.")  # fmt: skip
    if wish.best_of > 1 and sampling.temperature == 0:
        raise UsageError(
            f"--best-of {wish.best_of} with a temperature of 0 draws the same passage each time; raise it."
        )
    if sampling.n > 1:
        raise UsageError(f"--n {sampling.n} is for single texts; --best-of {sampling.n} chooses among candidates.")


def _settings(model: str, wish: Wish, sampling: Sampling, dial: float | None) -> dict[str, Any]:
    """All that what is written depends on; how many chapters there are in the end, and the notes, may change."""
    told = {key: value for key, value in asdict(wish).items() if key in {"words", "best_of", "prompt", "window"}}
    return {"model": model, "dial": dial, **told, "sampling": asdict(sampling)}


def _resumed(place: Path, settings: Mapping[str, Any], watch: Watch) -> tuple[Draft, str]:
    """What lies at `place`, and the MODEL that wrote it; an empty draft and no MODEL where nothing does."""
    kept = read_json(place, optional=True)
    if kept is None:
        return Draft(), ""
    try:
        asked, writer = kept.pop("settings"), str(kept.pop("writer"))
        draft = restored(kept)
    except (TypeError, KeyError, AttributeError):
        raise UsageError(
            f"{place}: no draft that this version can go on with; delete it, or name another --out."
        ) from None
    if asked != settings:
        raise UsageError(f"{place} was begun with another model or other settings; give those, or delete it.")
    if writer != settings["model"] and not Path(writer).exists():
        raise UsageError(
            f"{place} was begun with {writer}, which is not there any more; put it back, or delete the draft."
        )
    watch.say(
        f"going on with {place}, by {writer}: {len(draft.chapters)} chapters and {draft.open_words:,} words of the next are there"
    )
    return draft, writer


def _measure(run: Run, corpus: Corpus, wish: Wish, watch: Watch) -> Yardstick:
    """The other texts are read only where candidates are to be told apart by them."""
    if wish.best_of == 1:
        return yardstick_of(corpus)
    try:
        others = reference_documents(parse_recipe(run.recipe.read_text(encoding="utf-8"), source=str(run.recipe)))
    except UsageError as error:
        watch.say(f"the texts by others are not here ({error}); the style is measured without them")
        others = []
    measure = yardstick_of(corpus, others)
    watch.say(f"the best of {wish.best_of} candidates for each passage, by {measure.kind}")
    return measure


def _telling(model: LanguageModel, total: int, watch: Watch) -> Callable[[int, int], None]:
    """A function that is told how many words are done, and about how many come with the passage being written.

    What is told never goes back: not where a passage was taken back, or was shorter than foreseen; it waits until as much is there
    again.
    """
    told = telling(watch.progress, "writing", max(total, 1), "words")
    now = {"done": 0.0, "coming": 0.0, "furthest": 0.0}

    def reached(words: float) -> None:
        now["furthest"] = max(now["furthest"], words)
        told(round(now["furthest"]), min(now["furthest"] / max(total, 1), 1.0))

    if isinstance(model, Telling):
        model.tell = lambda work: reached(now["done"] + work.share * now["coming"])

    def tell(done: int, coming: int) -> None:
        now.update(done=done, coming=coming)
        reached(done)

    return tell


def _bound(
    chapters: list[Chapter], book: list[Document], wish: Wish, model: str, dial: float | None, index: Index
) -> Bound:
    tongue = tongue_of(book)
    said = "fr" if tongue.lower().partition("-")[0] in FRENCH else "en"
    title = " ".join(wish.title.split()) or book_title(book)
    name = Path(model).name.removesuffix(".gguf") + (f" at dial {dial:g}" if dial is not None else "")
    pages = [Page(chapter.label, chapter.head, chapter.text) for chapter in chapters]
    if wish.notes:
        pages.append(Page(NOTES[said], NOTES[said], _notes(chapters, index)))
    return Bound(
        TITLE[said].format(title=title), f"{name} (language model)", tongue,
        ABOUT[said].format(model=name, title=title), pages, runs.now().replace("+00:00", "Z"),
    )  # fmt: skip


def tongue_of(book: list[Document]) -> str:
    """The book's language as a BCP 47 tag: the one that it states, if it is one (`English` is none, and no e-book may say so),
    else what its words tell; `und` where neither does."""
    stated = TAG.match(str(book[0].metadata.get("language") or "").strip().replace("_", "-"))
    return stated[0] if stated else language(Counter(word for each in book[:5] for word in spoken(each.text))) or "und"


def _notes(chapters: list[Chapter], index: Index) -> str:
    told = []
    for chapter in chapters:
        mended = [chapter.note] if chapter.note else []
        told.append("\n".join([f"{chapter.label}:", *place_lines(provenance_row(chapter, index)), *mended]))
    return "\n\n".join(told)
