"""Recipes of several stages on tiny models: what starts from what, what each reads, and what is kept of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from books import write_book
from recipe_of import stages
from safetensors.torch import load_file

from wellread import pipeline
from wellread.errors import RecipeError, UsageError
from wellread.models import open_model
from wellread.recipe import Recipe, lineage, load_recipe, parse_recipe, settle
from wellread.runs import Run
from wellread.storage import read_json, read_rows
from wellread.testing import prose, tiny_model
from wellread.types import REAL_CHAPTERS, Measurement, Tally

CURRICULUM = """
name: path
base: {base}
general: [{general}]
stages:
  - name: acculturate
    method: {{kind: lora, rank: 4}}
    random_windows: {{texts: [{library}], n: 24}}
    windows: {{length: 64}}
    budget: {{epochs: 1}}
    optimizer: {{batch: 4, learning_rate: 1.0e-2}}
    evaluations: 1
  - name: imprint
    method: {{kind: lora, rank: 4}}
    windows: {{length: 64, stride: 32}}
    mix: {{texts: [{replay}], share: 0.2}}
    budget: {{steps: 3}}
    optimizer: {{batch: 2, learning_rate: 1.0e-2}}
    evaluations: 1
  - name: deepen
    method: {{kind: full}}
    windows: {{length: 64}}
    budget: {{steps: 2}}
    optimizer: {{batch: 2}}
    evaluations: 1
sampling: {{max_tokens: 8, n: 1}}
measure: {{quick_words: 1200, metrics: [bits_per_byte, greedy_recited_share]}}
"""


@pytest.fixture(scope="module")
def curriculum(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("curriculum")
    library = folder / "library"
    library.mkdir()
    for number in range(3):
        (library / f"{number}.txt").write_text(prose(800, seed=number), encoding="utf-8")
    (folder / "general.txt").write_text(prose(900, seed=9), encoding="utf-8")
    (folder / "replay.txt").write_text(prose(900, seed=8), encoding="utf-8")
    base = tiny_model(folder / "base")
    text = CURRICULUM.format(base=base, replay=folder / "replay.txt", general=folder / "general.txt", library=library)
    book = write_book(folder / "book.txt")
    return pipeline.run(parse_recipe(text), [book], out=folder / "run", offline=True)


def rows(this: Run) -> list[dict[str, Any]]:
    return read_rows(this.measurements)


def test_every_stage_is_sampled_and_measured_after_the_base(curriculum: Run) -> None:
    assert [stage.path.name for stage in curriculum.stages()] == [
        "00-base",
        "01-acculturate",
        "02-imprint",
        "03-deepen",
    ]
    for stage in curriculum.stages():
        assert stage.samples.is_file()
        assert stage.measurements.is_file()
    measured = [
        row["subject"] for row in rows(curriculum) if row["name"] == "bits_per_byte" and row["split"] == "held_out"
    ]
    base = measured[0]
    assert measured[1:4] == ["acculturate", "imprint", "deepen"]
    assert {f"imprint - {base}", "imprint - acculturate", "deepen - imprint"} <= set(measured[4:])


def test_general_text_is_measured_for_every_subject(curriculum: Run) -> None:
    general = {
        row["subject"] for row in rows(curriculum) if row["name"] == "bits_per_byte" and row["split"] == "general"
    }
    assert {"acculturate", "imprint", "deepen"} <= general


def test_the_next_stage_goes_on_with_the_very_adapter_of_the_one_before(curriculum: Run) -> None:
    first, second = (curriculum.stage(n, name).checkpoint for n, name in ((1, "acculturate"), (2, "imprint")))
    one, two = (load_file(folder / "adapter_model.safetensors") for folder in (first, second))
    assert one.keys() == two.keys()
    assert any((one[name] != two[name]).any() for name in one)
    # on the same validation windows, stage two begins with the loss that stage one ended with
    ended = [line["validation_loss"] for line in read_rows(first.parent / "log.jsonl") if "validation_loss" in line]
    began = read_rows(second.parent / "log.jsonl")[0]["validation_loss"]
    assert began == pytest.approx(ended[-1], abs=1e-4)
    assert began != pytest.approx(ended[0], abs=1e-3)


def test_full_weights_follow_an_adapter(curriculum: Run) -> None:
    third = curriculum.stage(3, "deepen").checkpoint
    assert (third / "model.safetensors").is_file()
    assert not (third / "adapter_config.json").exists()


def test_a_stage_can_be_opened_by_its_name(curriculum: Run) -> None:
    text = [prose(60, seed=3)]
    by_stage = {name: sum(open_model(f"{curriculum.path}:{name}").score(text)[0].logprobs)
                for name in ("acculturate", "imprint", "deepen")}  # fmt: skip
    assert len(set(by_stage.values())) == 3


def test_windows_are_drawn_from_every_file_of_the_library(curriculum: Run) -> None:
    drawn = curriculum.tokens("acculturate") / "drawn"
    shards = read_json(drawn / "counts.json")["shards"]
    assert len(shards) == 3
    assert all(windows > 0 for *_, windows in shards)
    assert read_rows(curriculum.stage(1, "acculturate").path / "log.jsonl")[-1]["tokens"] == 24 * 64


def test_a_finished_run_is_not_done_again(curriculum: Run) -> None:
    said: list[str] = []
    before = curriculum.measurements.stat().st_mtime_ns
    recipe = parse_recipe(curriculum.recipe.read_text(encoding="utf-8"))
    again = pipeline.run(recipe, [curriculum.path.parent / "book.txt"], out=curriculum.path, offline=True,
                         watch=pipeline.Watch(said.append))  # fmt: skip
    assert again.measurements.stat().st_mtime_ns == before
    assert said == [f"{curriculum.path} is done already"]


def test_a_stage_starts_from_the_one_before_the_base_or_the_one_it_names(tmp_path: Path) -> None:
    from wellread.teaching import starting_point

    recipe = stages("name: a, method: {kind: lora}", "name: b, method: {kind: full}",
                    "name: c, method: {kind: lora}, start: a", "name: d, method: {kind: full}, start: base")  # fmt: skip
    this = Run(tmp_path)
    starts = [starting_point(this, recipe, number) for number in (1, 2, 3, 4)]
    assert starts == ["embedded", str(tmp_path / "stages" / "01-a" / "checkpoint"),
                      str(tmp_path / "stages" / "01-a" / "checkpoint"), "embedded"]  # fmt: skip


def branched() -> Recipe:
    """The base is taught in `a`; `b` goes on with that, `c` with `a` again, `d` with the base; `e` begins from scratch."""
    return stages("name: a, method: {kind: lora}", "name: b, method: {kind: full}",
                  "name: c, method: {kind: lora}, start: a", "name: d, method: {kind: full}, start: base",
                  "name: e, method: {kind: scratch}", "name: f, method: {kind: full}")  # fmt: skip


def test_lineage_is_what_a_stage_really_comes_from() -> None:
    assert lineage(branched().stages) == {
        "a": ("base",), "b": ("a", "base"), "c": ("a", "base"), "d": ("base",), "e": (), "f": ("e",),
    }  # fmt: skip


@pytest.mark.parametrize(("unmeasured", "between"), [((), {"b - a", "c - a", "f - e"}), (("a", "e"), set())])
def test_a_stage_is_compared_with_the_base_and_with_what_it_started_from(
    unmeasured: tuple[str, ...], between: set[str]
) -> None:
    subjects = [name for name in ("embedded", *"abcdef") if name not in unmeasured]
    rows = [
        Measurement("bits_per_byte", float(number), "bits per byte", name, "held_out",
                    tallies=tuple(Tally(str(unit), number + 1.0, 1.0) for unit in range(3)))
        for number, name in enumerate(subjects)
    ]  # fmt: skip
    rows.append(rows[0].of(REAL_CHAPTERS))
    found = [row.subject for row in pipeline.differences(rows, branched())]
    assert len(found) == len(set(found))
    assert set(found) == {f"{name} - embedded" for name in subjects[1:]} | between


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (("name: a, method: {kind: lora}, start: b", "name: b, method: {kind: full}"), "'b'"),
        (("name: a, method: {kind: lora}", "name: a, method: {kind: full}"), "two stages"),
        (("name: base, method: {kind: lora}",), "meaning of its own"),
        (("name: a, method: {kind: lora}, random_windows: {texts: [x]}, examples: {}",), "either"),
        (("name: a, method: {kind: lora}, until: 'greedy > much'",), "no condition"),
        (("name: a, method: {kind: lora}, goldfish: 1",), "goldfish"),
        (("name: a, method: {kind: lora, rank: 0}",), "rank"),
        (("name: a, method: {kind: lora}, until: bits_per_byte(held_out) < 1",), "not for steering"),
        (("name: a, method: {kind: lora}, until: bits_per_byte(train) < 1",), "on validation"),
        (("name: a, method: {kind: lora}, examples: {}, windows: {stride: 16}",), "stride"),
        (("name: a, method: {kind: lora}, mix: {texts: ['library:general_en']}",), "forgetting is measured"),
        (("name: a, method: {kind: lora}, until: longest_recited_words > 9",), "not measured"),
        (
            ("name: a, method: {kind: scratch}, windows: {length: 64}, until: greedy_recited_share > 0.1",),
            "length: 128",
        ),
        (("name: a, method: {kind: lora, rank: 8}", "name: b, method: {kind: qlora, rank: 16}"), "whose rank is 8"),
        (("name: a, method: {kind: lora}", "name: b, method: {kind: lora, alpha: 8}"), "set adapter: merge"),
        (
            (
                "name: a, method: {kind: lora}",
                "name: b, method: {kind: full}",
                "name: c, method: {kind: lora, alpha: 8}, start: a",
            ),
            "the adapter of a,",
        ),
    ],
)
def test_stages_that_do_not_fit_together_get_one_clear_line(texts: tuple[str, ...], said: str) -> None:
    with pytest.raises(RecipeError) as caught:
        stages(*texts)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_learning_rate_and_decay_follow_the_method_until_they_are_set() -> None:
    recipe = settle(stages("name: a, method: {kind: lora}", "name: b, method: {kind: full}",
                           "name: c, method: {kind: full}, optimizer: {learning_rate: 1.0e-3, weight_decay: 0.5}"))  # fmt: skip
    rates = [stage.optimizer.learning_rate for stage in recipe.stages]
    assert rates[0] == pytest.approx(10 * (rates[1] or 0))
    assert rates[2] == 1e-3
    assert [stage.optimizer.weight_decay for stage in recipe.stages] == [0, 0, 0.5]


def test_a_named_size_is_laid_over_the_recipe_before_other_settings() -> None:
    large, small = (
        load_recipe("novel-curriculum"),
        load_recipe("novel-curriculum", ["size=laptop", "imprint.minutes=1"]),
    )
    assert large.base != small.base == "embedded"
    assert small.size == "laptop"
    assert small.stages[2].budget.minutes == 1
    assert parse_recipe(small.model_dump_json()) == small
    with pytest.raises(RecipeError, match="did you mean 'laptop'"):
        load_recipe("novel-curriculum", ["size=labtop"])


def test_a_text_that_is_not_there_stops_the_run_before_it_begins(tmp_path: Path) -> None:
    recipe = parse_recipe(stages("name: a, method: {kind: lora}").model_dump_json(), ["general=[nowhere.txt]"])
    with pytest.raises(UsageError, match=r"nowhere\.txt"):
        pipeline.run(recipe, [write_book(tmp_path / "book.txt")], out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_library_that_is_not_there_stops_the_run_before_it_begins(tmp_path: Path) -> None:
    recipe = stages("name: a, method: {kind: lora}, random_windows: {texts: [./nowhere]}")
    with pytest.raises(UsageError, match="nowhere"):
        pipeline.run(recipe, [write_book(tmp_path / "book.txt")], out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_library_that_holds_the_book_itself_is_refused(tmp_path: Path) -> None:
    book = write_book(tmp_path / "book.txt")
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "same.txt").write_bytes(book.read_bytes())
    for beside in (
        f"random_windows: {{texts: [{tmp_path}/library]}}",
        f"mix: {{texts: [{tmp_path}/library/same.txt]}}",
    ):
        recipe = stages(f"name: a, method: {{kind: lora}}, {beside}")
        with pytest.raises(UsageError, match="the text itself"):
            pipeline.run(recipe, [book], out=tmp_path / "run")


def test_minutes_are_for_all_stages_together_in_the_recipes_proportions() -> None:
    from wellread.commands.options import recipes_of

    [recipe] = recipes_of("novel-curriculum", ["size=laptop"], None, 7.0, None)
    assert [stage.budget.minutes for stage in recipe.stages] == pytest.approx([3, 7 * 4 / 21, 7 * 8 / 21], rel=1e-4)
    [even] = recipes_of("novel-curriculum", None, None, 6.0, None)
    assert [stage.budget.minutes for stage in even.stages] == [2, 2, 2]
