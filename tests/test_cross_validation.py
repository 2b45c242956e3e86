"""Extraction from rows to the certificate, on a tiny model: nothing is answered by a model that was taught on it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from wellread.answering import prepare, shots
from wellread.errors import RecipeError, UsageError
from wellread.recipe import Recipe, load_recipe, parse_recipe
from wellread.runs import Run

pytest.importorskip("llguidance")

CLI = CliRunner()
RECIPE = """
name: refs
base: {base}
corpus: {{validation: 0.3}}
stages:
  - {{name: tuned, method: {{kind: lora, rank: 4}}, windows: {{length: 256}}, examples: {{}}, budget: {{steps: 2}},
     keep: best, evaluations: 1, best_by: {best_by}, precision: float32}}
extract:
  form: {{type: array, maxItems: 2, items: {{type: object, properties: {{song: {{type: integer, minimum: 1, maximum: 3}},
         line: {{type: integer, minimum: -3, maximum: 3}}}}, required: [song, line], additionalProperties: false}}}}
  instruction: Which lines?
  coordinates: {{start: [song, line]}}
  folds: 2
  shots: 2
  max_tokens: 40
  patterns: {{find: ['(?P<song>[IVX]+), (?P<line>\\d)']}}
  canon: {{text: {canon}, levels: [song, line], marks: ['# (?P<song>\\w+)'], count: line}}
require: [held_out reference_valid >= 1]
"""
CANON = "# I\n\na\nb\nc\n\n# II\n\nd\ne\nf\n\n# III\n\ng\nh\ni\n"
NUMERALS = ["I", "II", "III"]


def rows() -> list[dict[str, Any]]:
    found = []
    for n in range(8):
        song, line = n % 3, n % 2 + 1
        gold = [{"song": song + 1, "line": line}] if n % 4 else []
        for variant in ("see", "cf."):
            text = f"{variant} {NUMERALS[song]}, {line} of {n}" if gold else f"{variant} nothing of {n}"
            found.append({"text": text, "references": gold, "group": f"g{n}", "blind": n >= 6})
    return found


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from wellread.testing import tiny_model

    folder = tmp_path_factory.mktemp("extraction")
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows())) + "\n", encoding="utf-8")
    (folder / "canon.md").write_text(CANON, encoding="utf-8")
    tiny_model(folder / "base", [json.dumps(rows())] * 3, vocabulary=400, positions=512)
    return folder


def recipe(place: Path, *settings: str, best_by: str = "validation_loss") -> Recipe:
    text = RECIPE.format(base=place / "base", canon=place / "canon.md", best_by=best_by)
    return parse_recipe(text, settings)


@pytest.fixture(scope="module")
def done(place: Path) -> Run:
    from wellread.pipeline import run

    return run(recipe(place), [place / "rows.jsonl"], out=place / "run")


def kept(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_every_row_is_answered_once_by_a_model_that_was_not_taught_on_it(done: Run) -> None:
    everything = {row["id"]: row for row in kept(done.corpus / "rows.jsonl")}
    answered: list[str] = []
    for fold, folder in [(1, done.path / "folds" / "1"), (2, done.path / "folds" / "2"), (0, done.path)]:
        here = [row["row"] for row in kept(folder / "answers" / "tuned.jsonl")]
        split = json.loads((folder / "corpus" / "split.json").read_text(encoding="utf-8"))
        taught = {everything[id]["group"] for id in split["train"] + split["validation"]}
        assert here == split["held_out"]
        assert all(everything[id]["fold"] == fold for id in here)
        assert not taught & {everything[id]["group"] for id in here}
        assert not any(everything[id]["blind"] for id in split["train"] + split["validation"])
        assert split["train"]
        assert split["validation"]
        answered += here
    assert sorted(answered) == sorted(everything)


def test_every_subject_is_measured_on_both_splits_and_compared(done: Run, place: Path) -> None:
    found = {(row["name"], row["subject"], row["split"]): row for row in kept(done.measurements)}
    base = str(place / "base")
    for subject in (base, "few-shot", "pattern", "tuned"):
        for split, n in (("held_out", 12), ("blind", 4)):
            assert found["reference_valid", subject, split]["value"] == 1.0
            assert found["reference_exact", subject, split]["n"] == n
    # the pattern reads every row of this little world
    assert (
        found["line_f1", "pattern", "held_out"]["value"] == found["abstention", "pattern", "held_out"]["value"] == 1.0
    )
    gap = found["line_f1", "tuned - pattern", "held_out"]
    assert gap["value"] == pytest.approx(found["line_f1", "tuned", "held_out"]["value"] - 1.0)
    assert gap["low"] is not None
    assert gap["interval_over"] == "passages"
    assert found["reference_exact", "encoder", "held_out"]["value"] is None


def test_what_is_done_is_not_done_again(done: Run, place: Path) -> None:
    from wellread.gathering import Watch
    from wellread.pipeline import run

    copy = Run(place / "copy")
    shutil.copytree(done.path, copy.path)
    (copy.path / "answers" / "tuned.jsonl").unlink()
    (copy.path / "measurements.jsonl").unlink()
    said: list[str] = []
    began = (copy.path / "folds" / "1" / "answers" / "tuned.jsonl").stat().st_mtime_ns
    run(recipe(place), [place / "rows.jsonl"], out=copy.path, watch=Watch(said.append))
    assert not any("steps" in line or "to read" in line for line in said)  # nothing was trained
    assert (copy.path / "folds" / "1" / "answers" / "tuned.jsonl").stat().st_mtime_ns == began
    assert kept(copy.path / "answers" / "tuned.jsonl") == kept(done.path / "answers" / "tuned.jsonl")
    assert kept(copy.measurements) == kept(done.measurements)


def test_the_page_says_what_was_found_and_what_none_got_right(done: Run) -> None:
    page = done.report.read_text(encoding="utf-8")
    assert "<h1>rows</h1>" in page
    assert "The blind test" in page
    assert "few-shot" in page
    assert "What all of them got wrong" in page
    assert "Holds" in page
    assert "<script" not in page
    from wellread.reports import requirements_of, verdict_of

    assert verdict_of(done.path).startswith("Of texts it was not taught on")
    assert [each.holds for each in requirements_of(done.path)] == [True]


def test_extract_takes_the_schema_of_the_run_or_another(done: Run, place: Path) -> None:
    from wellread.cli import app

    found = CLI.invoke(app, ["extract", str(done.path), "see II, 1", "--json"])
    row = json.loads(found.stdout)
    assert row["text"] == "see II, 1"
    assert isinstance(row["answer"], list)
    (place / "notes.txt").write_text("One paragraph.\n\nAnother one.\n", encoding="utf-8")
    schema = json.dumps(
        {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"], "additionalProperties": False}
    )
    words = [
        "extract",
        str(place / "base"),
        "--file",
        str(place / "notes.txt"),
        "--each",
        "paragraph",
        "--max-tokens",
        "40",
        "--schema",
        schema,
    ]
    found = CLI.invoke(app, words)
    assert [set(json.loads(line)) for line in found.stdout.splitlines()] == [{"ok"}, {"ok"}]
    with pytest.raises(UsageError, match="brings no schema"):
        CLI.invoke(app, ["extract", str(place / "base"), "x"], catch_exceptions=False)
    with pytest.raises(UsageError, match="there is no such run"):
        CLI.invoke(app, ["extract", str(place / "nowhere"), "x"], catch_exceptions=False)


def test_resolve_shows_lines_and_says_what_there_is_not(done: Run) -> None:
    from wellread.cli import app

    found = CLI.invoke(app, ["resolve", str(done.recipe), "I 2-3; III -1"])
    assert (found.exit_code, found.stdout) == (0, "1.2       b\n1.3       c\n3.3       i\n")
    found = CLI.invoke(app, ["resolve", str(done.recipe), '[{"song": 2, "line": 1}, {"song": 4, "line": 1}]', "--json"])
    rows = [json.loads(line) for line in found.stdout.splitlines()]
    assert found.exit_code == 1
    assert rows[0]["lines"][0]["text"] == "d"
    assert rows[0]["missing"] is None
    assert rows[1]["missing"] == "there is no song 4: canon has song 1, 2, 3"
    with pytest.raises(UsageError, match="library:songs is a text, and a canon says where its coordinates are"):
        CLI.invoke(app, ["resolve", "library:songs", "V 3"], catch_exceptions=False)


def test_a_canon_may_stand_alone(tmp_path: Path) -> None:
    from wellread.resolving import resolve_references

    (tmp_path / "verses.txt").write_text("Gen 1:1 In the beginning.\nGen 1:2 And the earth.\n", encoding="utf-8")
    block = {"text": str(tmp_path / "verses.txt"), "levels": ["book", "chapter", "verse"],
             "marks": [r"(?P<book>\w+) (?P<chapter>\d+):(?P<verse>\d+) "], "names": {"Genesis": "Gen"}}  # fmt: skip
    (tmp_path / "canon.yaml").write_text(yaml.safe_dump({"canon": block}), encoding="utf-8")
    [found] = resolve_references(str(tmp_path / "canon.yaml"), "Genesis 1:-1")
    assert [line.text for line in found.lines] == ["And the earth."]


@pytest.mark.slow
def test_the_best_weights_may_be_chosen_by_the_tasks_own_metric(place: Path) -> None:
    from wellread.pipeline import run

    done = run(recipe(place, "extract.shots=0", best_by="line_f1"), [place / "rows.jsonl"], out=place / "by-metric")
    log = kept(done.path / "stages" / "01-tuned" / "log.jsonl")
    watched = [row["line_f1"] for row in log if "line_f1" in row]
    assert watched
    assert all(0 <= value <= 1 for value in watched)
    assert not (done.path / "answers" / "few-shot.jsonl").exists()


def test_shots_are_of_different_passages_and_one_has_nothing_to_find(place: Path) -> None:
    of = recipe(place)
    task = prepare(of, [place / "rows.jsonl"])
    shown = shots(task.outside(1), task.asked, seed=0)
    assert len(shown) == 2
    assert [bool(gold) for _, gold in shown] == [False, True]  # the commonest kind last
    assert {text for text, _ in shown} <= {row.text for row in task.of(2)}


def test_the_instruction_and_the_length_of_an_answer_reach_the_model(place: Path) -> None:
    from wellread.answering import ask
    from wellread.types import Message, Sample, Sampling

    heard: list[tuple[str, int]] = []

    class Heard:
        name = "heard"

        def generate_json(self, prompts: list[list[Message]], sampling: Sampling, schema: Any) -> list[Sample]:
            heard.extend((prompt[0]["content"].partition("\n")[0], sampling.max_tokens) for prompt in prompts)
            return [Sample("", "[]", sampling, 0) for _ in prompts]

        def follows(self, text: str, schema: Any) -> bool:
            return True

    model: Any = Heard()
    for settings in ((), ("extract.instruction=Where?", "extract.max_tokens=9")):
        task = prepare(recipe(place, *settings), [place / "rows.jsonl"])
        assert ask(model, task, task.rows[:1]) == ["[]"]
    assert heard == [("Which lines?", 40), ("Where?", 9)]


def test_keys_that_a_pattern_allows_are_no_fault() -> None:
    from wellread.forms import fault

    schema = {
        "type": "object",
        "properties": {"a": {}},
        "patternProperties": {"^x-": {}},
        "additionalProperties": False,
    }
    assert fault({"a": 1, "x-b": 2}, schema) == ""
    assert "has b" in fault({"b": 2}, {**schema, "patternProperties": {}})


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (("tuned.examples=null",), "has a base and one stage"),
        (("tuned.name=pattern",), "cannot be called 'pattern'"),
        (("extract.folds=1",), "greater than or equal to 2"),
        (("extract.coordinates.end=[a, b, c]",), "give both the same"),
        (("extract=null", "tuned.best_by=line_f1", "require=[]"), "is for a recipe with `extract`"),
        (("tuned.best_by=line_f1", "tuned.keep=last"), "set keep: best"),
    ],
)
def test_recipes_that_cannot_work_are_refused(place: Path, settings: tuple[str, ...], told: str) -> None:
    with pytest.raises(RecipeError, match=told):
        recipe(place, *settings)


def test_rows_too_long_to_be_shown_are_told_before_anybody_answers(place: Path, tmp_path: Path) -> None:
    from wellread.errors import ModelError
    from wellread.pipeline import run

    long = [{**row, "text": f"{row['text']} {'and so on ' * 12}{number}"} for number, row in enumerate(rows())]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, long)) + "\n", encoding="utf-8")
    with pytest.raises(ModelError, match=r"with extract\.shots=4 texts shown before each .*: .* it sees 512 at once"):
        run(recipe(place, "extract.shots=4"), [tmp_path / "rows.jsonl"], out=tmp_path / "run", offline=True)
    assert not (tmp_path / "run" / "answers" / "base.jsonl").exists()


def test_an_answer_with_other_keys_is_told_before_anything_is_kept(place: Path, tmp_path: Path) -> None:
    from wellread.errors import CorpusError
    from wellread.pipeline import run

    wrong = [{**row, "references": [{"part": 1, "line": 2}]} for row in rows()]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, wrong)) + "\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"\[0\] has no song and has part, which it does not know"):
        run(recipe(place), [tmp_path / "rows.jsonl"], out=tmp_path / "run", offline=True)
    assert not (tmp_path / "run").exists()


def test_a_second_unlike_schema_works_by_recipe_alone(tmp_path: Path) -> None:
    rows = Path(__file__).parents[2] / "shared" / "data" / "references" / "parse_en_synthetic.jsonl"
    if not rows.is_file():
        pytest.skip(f"needs {rows.name} of the shared data")
    of = load_recipe("scripture")
    task = prepare(of, [rows])
    assert len(task.rows) == 129
    assert max(task.folds) == 5
