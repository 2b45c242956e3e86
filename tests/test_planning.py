"""What a plan foresees: counts from settings, memory from shapes and from steps, and what would make a stage fit."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from wellread.errors import ModelError, UsageError
from wellread.planning import gigabytes, plan
from wellread.plans import GIGABYTE, Plan, plan_lines
from wellread.recipe import Recipe, parse_recipe, settle
from wellread.testing import byte_tokenizer, tiny_model
from wellread.training.estimate import CONTEXT, Blank, foresee
from wellread.training.estimate_live import Live
from wellread.training.estimate_shape import Machine, Shapes

STAGE = """
  - name: {name}
    method: {method}
    windows: {{length: {length}}}
    budget: {{{budget}}}
    optimizer: {{batch: {batch}}}
    evaluations: 1
    validation_windows: 2
    precision: float32
    {more}
"""


def stage(name: str = "read", *, method: str = "{kind: full}", length: int = 64, budget: str = "steps: 3",
          batch: int = 2, more: str = "") -> str:  # fmt: skip
    return STAGE.format(name=name, method=method, length=length, budget=budget, batch=batch, more=more)


def recipe(base: Path | str | None, *stages: str) -> Recipe:
    head = "name: planned\n" + ("" if base is None else f"base: {base}\n")
    return parse_recipe(head + "stages:" + "".join(stages))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base of one layer that has no weights."""
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4, "vocab_size": 257}
    return large_base(tmp_path_factory.mktemp("bare"), num_hidden_layers=1, **shape)


def large_base(folder: Path, **changes: Any) -> Path:
    """A model of 7 billion parameters, as a folder that has its configuration and a tokenizer, and no weights."""
    from transformers import LlamaConfig

    shape = {
        "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32,
        "vocab_size": 32000, "max_position_embeddings": 4096,
    }  # fmt: skip
    byte_tokenizer(folder)
    LlamaConfig(**{**shape, **changes}, architectures=["LlamaForCausalLM"]).save_pretrained(folder)
    return folder


# what is asked


@pytest.mark.parametrize(
    ("text", "expected"),
    [("12GB", 12 * 2**30), ("12", 12 * 2**30), ("11.5 GiB", 11.5 * 2**30), ("8192MB", 2**33), ("24g", 24 * 2**30)],
)
def test_sizes_as_people_write_them(text: str, expected: float) -> None:
    assert gigabytes(text) == expected


@pytest.mark.parametrize("text", ["", "0", "twelve", "12TB", "-3GB"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(UsageError, match="12GB"):
        gigabytes(text)


# memory, counted


def test_live_counts_what_autograd_keeps_and_what_it_gives_back() -> None:
    weight = torch.nn.Parameter(torch.randn(256, 256))
    x = torch.randn(1000, 256)
    with Live([weight], vocabulary=77, known=[x]) as live:
        y = (x @ weight).exp().exp()  # the product goes when the first exp is there; each exp keeps its result
        assert live.now["activations"] == 2 * 1000 * 256 * 4
        assert live.peak["activations"] == 2 * 1000 * 256 * 4
        y.sum().backward()
        del y
    assert live.now == {"gradients": 256 * 256 * 4, "logits": 0, "activations": 0}


def test_live_knows_logits_by_their_width_and_gradients_that_were_there() -> None:
    weight = torch.nn.Parameter(torch.randn(16, 77))
    weight.grad = torch.zeros_like(weight)
    x = torch.randn(100, 16)
    with Live([weight], vocabulary=77, known=[x]) as live:
        (x @ weight).pow(2).sum().backward()
    assert live.peak["gradients"] == 16 * 77 * 4
    assert live.peak["logits"] >= 100 * 77 * 4


@pytest.mark.parametrize(("method", "micro"), [("{kind: lora, rank: 4}", None), ("{kind: full}", 1)])
def test_shapes_alone_foresee_what_real_steps_hold(base: Path, method: str, micro: int | None) -> None:
    """The same parts, for a base whose configuration is known and for one that is open."""
    from transformers import AutoConfig

    from wellread import weights

    [one] = settle(recipe(base, stage(batch=4, method=method))).stages
    one = one.model_copy(update={"optimizer": one.optimizer.model_copy(update={"micro_batch": micro})})
    model = weights.open_to_train(one, str(base), folder=base, text_bytes=1000, seed=0).model
    real = foresee(model, Blank(64), one)
    shaped = Shapes(AutoConfig.from_pretrained(base), Machine("cpu", 2**40, 0, None), text_bytes=1000).sizes(one)
    for part in ("weights", "optimizer", "activations", "logits", "gradients"):
        expected = getattr(real.memory, part)
        assert getattr(shaped.memory, part) == pytest.approx(expected, rel=0.2, abs=3000), part
    assert (shaped.disk_bytes, shaped.kept_bytes) == pytest.approx((real.disk_bytes, real.kept_bytes), rel=0.01)


@pytest.mark.slow
def test_checkpointed_layers_and_smaller_batches_hold_less(tmp_path: Path) -> None:
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(
        large_base(tmp_path, num_hidden_layers=2, hidden_size=512, intermediate_size=1376)
    )
    shapes = Shapes(config, Machine("cuda", 2**40, CONTEXT, torch.bfloat16), text_bytes=0)

    def activations(**changes: Any) -> int:
        [one] = recipe(tmp_path, stage(batch=8, length=256)).stages
        optimizer = one.optimizer.model_copy(update={"micro_batch": changes.pop("micro_batch", None)})
        changed = one.model_copy(update={"optimizer": optimizer, **changes})
        return shapes.sizes(changed).memory.activations

    plain = activations()
    assert plain / 4 < activations(micro_batch=2) < plain / 2.5  # weights in autocast's type are as large as ever
    assert activations(gradient_checkpointing="on") < plain / 2


# the plan


def test_tokens_of_drawn_windows_and_of_replay_follow_from_the_settings(bare: Path, book: Path) -> None:
    drawn = "random_windows: {texts: ['no/such-library'], n: 1000}"
    planned = plan(
        recipe(
            bare,
            stage("drawn", budget="epochs: 2", more=drawn),
            stage("plain", budget="epochs: 1", batch=1),
            stage("mixed", budget="epochs: 1", batch=1, more="mix: {share: 0.5}"),
        ),
        [book], gpu=GIGABYTE * 4,
    )  # fmt: skip
    first, plain, mixed = planned.stages
    assert (first.train_tokens, first.tokens, first.steps) == (64_000, 128_000, 1000)
    assert plain.steps
    assert mixed.steps == 2 * plain.steps
    assert planned.tokens == sum(each.tokens or 0 for each in planned.stages)


def test_a_stage_that_follows_one_from_scratch_has_its_shape(book: Path) -> None:
    scratch = stage("begin", method="{kind: scratch, size: tiny, vocabulary: 320}")
    first, second = plan(recipe(None, scratch, stage("go-on", method="{kind: full}")), [book], gpu=4 * GIGABYTE).stages
    assert second.memory["weights"] == first.memory["weights"]
    assert second.train_tokens == first.train_tokens


def test_here_steps_are_timed_and_seconds_cost_money(base: Path, book: Path) -> None:
    planned = plan(recipe(base, stage(), stage("more", budget="minutes: 2")), [book], price_per_hour=3.0)
    one, two = planned.stages
    assert one.fits
    assert one.tokens_per_second
    assert one.seconds
    assert two.seconds == 120
    assert two.cost == pytest.approx(0.1)
    assert planned.cost == pytest.approx((one.seconds + 120) / 1200)
    assert one.memory["process"] > 50 * 2**20
    assert planned.memory_bytes == max(one.memory_bytes, two.memory_bytes)
    assert sum(one.memory.values()) == one.memory_bytes


def test_on_another_machine_time_follows_from_a_rate_or_is_unknown(bare: Path, book: Path) -> None:
    asked = recipe(bare, stage(budget="steps: 100"), stage("timed", budget="minutes: 1"))
    unknown = plan(asked, [book], gpu=4 * GIGABYTE, price_per_hour=2.0)
    assert [each.seconds for each in unknown.stages] == [None, 60]
    assert (unknown.seconds, unknown.cost, unknown.stages[1].steps) == (None, None, None)
    assert "unknown" in "\n".join(plan_lines(unknown))
    known = plan(asked, [book], gpu=4 * GIGABYTE, tokens_per_second=1000)
    # 100 steps of 2 windows of 64 tokens, and two validations of 2 windows at three times the speed
    assert known.stages[0].seconds == pytest.approx((100 * 128 + 2 * 128 / 3) / 1000)
    assert known.stages[1].steps == int((60 - 2 * 128 / 3 / 1000) / 0.128)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["{kind: lora, rank: auto}", "{kind: full}"])
def test_a_deep_model_is_foreseen_from_a_shallow_one(
    tmp_path: Path, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import AutoConfig

    from wellread.training import estimate_shape

    shape = {"hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4, "vocab_size": 257}
    config = AutoConfig.from_pretrained(large_base(tmp_path, num_hidden_layers=6, **shape))
    [one] = recipe(tmp_path, stage(method=method, batch=4, length=128)).stages
    machine = Machine("cpu", 2**40, 0, None)
    shallow = Shapes(config, machine, text_bytes=0).sizes(one)
    monkeypatch.setattr(estimate_shape, "FEW", (6, 6))
    deep = Shapes(config, machine, text_bytes=0).sizes(one)
    assert shallow.memory.total == pytest.approx(deep.memory.total, rel=0.02)
    assert shallow.memory.activations == pytest.approx(deep.memory.activations, rel=0.02)


@pytest.mark.slow
def test_seven_billion_parameters_from_their_configuration(tmp_path: Path, book: Path) -> None:
    large = large_base(tmp_path / "large")
    text = stage(method="{kind: qlora, rank: 16}", length=512, batch=4).replace("float32", "auto")
    [packed] = plan(recipe(large, text), [book], gpu=gigabytes("12GB")).stages
    linear = 32 * (4 * 4096**2 + 3 * 4096 * 11008)
    adapter = 32 * 16 * (4 * 2 * 4096 + 3 * (4096 + 11008)) * 4
    # a scale of 8 bits for 64 weights, and one of 32 bits for 256 scales; embeddings and output in bfloat16
    expected = linear * (1 / 2 + 1 / 64 + 1 / 64 / 64) + 2 * 32000 * 4096 * 2 + adapter
    assert packed.memory["weights"] == pytest.approx(expected, rel=0.01)
    assert packed.memory["optimizer"] == pytest.approx(adapter / 2, rel=0.01)
    assert packed.fits
    assert "computed twice" in packed.notes[0]


@pytest.mark.slow
def test_what_makes_it_fit_does(tmp_path: Path, book: Path) -> None:
    """The first way that is named, laid over the recipe, fits; one that changes nothing learned comes first."""
    folder = large_base(tmp_path / "large", num_hidden_layers=1)
    read = stage(method="{kind: lora, rank: 16}", length=512, batch=8, more="gradient_checkpointing: 'off'").replace(
        "float32", "auto"
    )
    text = f"name: planned\nbase: {folder}\nstages:{read}"

    def planned(limit: int, settings: tuple[str, ...] = ()) -> Plan:
        return plan(parse_recipe(text, [f"read.{each}" for each in settings]), [book], gpu=limit)

    roomy = planned(80 * GIGABYTE).stages[0]
    assert roomy.fits
    changed = []
    for part in (0.8, 0.55):
        [tight] = planned(int(roomy.memory_bytes * part)).stages
        assert not tight.fits
        way = tight.ways_to_fit[0]
        [mended] = planned(tight.limit_bytes, way.settings).stages
        assert mended.fits
        assert mended.memory_bytes == way.memory_bytes
        changed.append(way.settings)
    assert changed[0] in [("micro_batch=4",), ("micro_batch=2",)]
    [hopeless] = planned(CONTEXT + 2**20).stages
    assert not hopeless.fits
    assert hopeless.ways_to_fit == ()


@pytest.mark.slow
def test_what_does_not_fit_here_is_neither_opened_nor_timed(tmp_path: Path, book: Path) -> None:
    """Two thousand billion bytes of weights, of which none exist."""
    folder = large_base(tmp_path / "large", num_hidden_layers=2, hidden_size=131072, intermediate_size=524288)
    planned = plan(recipe(folder, stage(method="{kind: full}")), [book])
    assert not planned.stages[0].fits
    assert planned.stages[0].seconds is None


def test_a_gated_model_is_one_line_that_says_what_to_accept_and_where(
    book: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub
    from huggingface_hub.errors import GatedRepoError

    def refused(*_: Any, **asked: Any) -> None:
        assert not any("safetensors" in pattern for pattern in asked["allow_patterns"])
        raise GatedRepoError.__new__(GatedRepoError)  # one that wants no response of a server

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refused)
    with pytest.raises(ModelError, match=r"huggingface\.co/owner/gated.*hf auth login") as error:
        plan(recipe("owner/gated", stage()), [book], gpu=GIGABYTE)
    assert "\n" not in str(error.value)


def test_lines_are_a_table_of_a_hundred_columns(bare: Path, book: Path) -> None:
    planned = plan(
        recipe(bare, stage("acculturate", method="{kind: qlora, rank: 64}"), stage("imprint")), [book],
        gpu=3 * GIGABYTE, price_per_hour=1.5, tokens_per_second=10,
    )  # fmt: skip
    lines = plan_lines(planned)
    assert max(map(len, lines)) <= 100
    assert sum("acculturate" in line for line in lines) >= 2
    assert json.loads(json.dumps(planned.as_json()))["stages"][1]["stage"] == "imprint"


@pytest.mark.slow
def test_foreseen_memory_is_within_a_quarter_of_the_measured_peak(tmp_path: Path) -> None:
    """The benchmark, in small: for a model from scratch and for LoRA, plan in one process, train in another."""
    if sys.platform != "linux":
        pytest.skip("the benchmark reads /proc/self/status")
    from transformers import LlamaConfig, LlamaForCausalLM

    byte_tokenizer(tmp_path)
    shape = {"hidden_size": 512, "intermediate_size": 1536, "num_hidden_layers": 6, "num_attention_heads": 8}
    LlamaForCausalLM(LlamaConfig(vocab_size=8192, max_position_embeddings=256, **shape)).save_pretrained(tmp_path)
    script = Path(__file__).parents[1] / "benchmarks" / "plan.py"
    done = subprocess.run(
        [sys.executable, str(script), "--methods", "scratch,lora", "--base", str(tmp_path), "--steps", "2"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    for line in done.stdout.splitlines()[2:]:
        assert 0.75 < float(line.split()[3]) < 1.25, done.stdout


def test_a_configuration_of_no_language_model_is_one_line() -> None:
    from transformers import CLIPConfig

    [one] = recipe("somewhere", stage()).stages
    with pytest.raises(ModelError, match="clip: cannot be foreseen") as caught:
        Shapes(CLIPConfig(), Machine("cpu", 2**40, 0, None), text_bytes=0).sizes(one)
    assert "\n" not in str(caught.value)


def test_what_is_wrong_with_the_foreseeing_itself_is_not_blamed_on_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import LlamaConfig

    from wellread.training import estimate_shape

    def broken(*_: object) -> None:
        raise TypeError("ours")

    monkeypatch.setattr(estimate_shape, "disk_bytes", broken)
    [one] = recipe("somewhere", stage()).stages
    config = LlamaConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=4, vocab_size=257
    )
    with pytest.raises(TypeError, match="ours"):
        Shapes(config, Machine("cpu", 2**40, 0, None), text_bytes=0).sizes(one)
