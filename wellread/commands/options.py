"""The words of the command line that several verbs share, and the recipes that they ask for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wellread.errors import UsageError

if TYPE_CHECKING:
    from wellread.recipe import Recipe
    from wellread.types import Sampling

RecipeName = Annotated[
    str, typer.Argument(metavar="RECIPE", help="A shipped recipe or a YAML file; `wellread list recipes`.")
]
Texts = Annotated[list[str] | None, typer.Argument(metavar="[TEXT…]", help="Files or folders; none: the recipe's own.")]
ModelName = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A run, RUN:stage, RUN@0.5 on the dial, a checkpoint folder, a .gguf file, a hub id, `embedded`, or "
        "http(s)://host/v1#model; any of them +STORE, to answer from a store.",
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="STAGE.KEY=VALUE", help="Override a recipe value; a comma list runs the grid. Repeatable."
    ),
]
Seed = Annotated[int | None, typer.Option(min=0, max=2**32 - 1, help="Seed of the split, the weights and the samples.")]
Minutes = Annotated[float | None, typer.Option(help="Train for this long (with validation), for all stages together.")]
Offline = Annotated[bool, typer.Option("--offline", help="Ask no hub: use what is on this machine.")]
Strict = Annotated[bool, typer.Option("--strict", help="Stop at the first file that cannot be read.")]
KeyFile = Annotated[
    Path | None,
    typer.Option(help="A file with the key of an endpoint; without one, the environment's WELLREAD_API_KEY."),
]


def whole_text(typed: str | None) -> str | None:
    """Words of a shell whose bytes are no UTF-8 come in as halves of characters, which nothing reads."""
    if typed is not None and typed.encode("utf-8", "replace").decode() != typed:
        raise typer.BadParameter("its letters are no UTF-8; set the terminal to it, or give the text by a file or `-`.")
    return typed


Preset = Annotated[str, typer.Option(help="Named sampling settings: novel; flags that are given win.")]
MaxTokens = Annotated[int, typer.Option(min=1, help="Longest continuation, in tokens.")]
Temperature = Annotated[float, typer.Option(min=0, help="0 is greedy.")]
TopP = Annotated[float, typer.Option(min=0, max=1, help="Keep the likeliest tokens that hold this share.")]
TopK = Annotated[int, typer.Option(min=0, help="Keep this many of the likeliest tokens; 0: all.")]
MinP = Annotated[float, typer.Option(min=0, max=1, help="Drop tokens below this share of the likeliest.")]
RepetitionPenalty = Annotated[float, typer.Option(min=0.01, help="Above 1, tokens already there become less likely.")]
SampleSeed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="The same seed gives the same text.")]
Count = Annotated[int, typer.Option("--n", min=1, help="How many continuations.")]
DialSetting = Annotated[
    float | None, typer.Option("--dial", help="How far from a run's base (0) to what it became (1); up to 1.2.")
]
NoRecite = Annotated[
    int, typer.Option(min=0, metavar="WORDS", help="Never more than so many words of the corpus in a row; 0: any.")
]


def _say_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"wellread {version('wellread')}")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", is_eager=True, callback=_say_version, help="Print the version and exit.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output alone on stdout.")]


def sampling_of(context: typer.Context, preset: str, no_recite: int) -> Sampling:
    """What the sampling flags of a verb say, where they were not given, what its preset does."""
    from wellread import presets
    from wellread.types import Sampling

    named = presets.settings(preset)
    fields = ("max_tokens", "temperature", "top_p", "top_k", "min_p", "repetition_penalty", "seed", "n")
    given = {
        name: context.params[name]
        for name in fields
        if name not in named or str(context.get_parameter_source(name)).endswith("COMMANDLINE")
    }
    return Sampling(**{**named, **given}, no_recite=no_recite)


Rerank = Annotated[
    str, typer.Option("--rerank", metavar="MODEL", help="A cross-encoder that reads the first passages found again.")
]


ReadingWindow = Annotated[
    int | None,
    typer.Option(
        "--window", min=2, help="Tokens that it sees at once; default: up to 1024 (.gguf 2048), with a store 4096."
    ),
]

WritingWindow = Annotated[
    int | None,
    typer.Option("--window", min=2, help="Tokens that it sees at once; default: as many as it takes, at most 4096."),
]


def key_of(model: str, file: Path | None) -> str:
    """The key for an endpoint: of a file, else of the environment; OpenAI's own variable for OpenAI's own address alone.

    Empty for any other MODEL. Raises UsageError for a file without a key.
    """
    if not model.startswith(("http://", "https://")):
        return ""
    if file is not None:
        try:
            key = file.read_text(encoding="utf-8-sig").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                f"{file}: the key cannot be read ({getattr(error, 'strerror', None) or 'not text'})."
            ) from None
        if not key or len(key.split()) > 1:
            raise UsageError(f"{file}: expected one key and nothing else in it, found {len(key.split())} words.")
        return key
    own = os.environ.get("WELLREAD_API_KEY", "").strip()
    if own or not model.startswith("https://api.openai.com/"):
        return own
    return os.environ.get("OPENAI_API_KEY", "").strip()


def recipes_of(
    name: str, settings: Sequence[str] | None, seed: int | None, minutes: float | None, quick: bool | None
) -> list[Recipe]:
    """The recipe with its overrides; several where a setting lists several values."""
    from wellread.recipe import load_recipe
    from wellread.recipe.overriding import expand_grid

    shortcuts = []
    if seed is not None:
        shortcuts.append(f"seed={seed}")
    if quick is not None:
        shortcuts.append(f"measure.quick={'true' if quick else 'false'}")
    found = []
    for combination in expand_grid(settings or ()):
        words = [*combination, *shortcuts]
        if minutes is not None:
            words += _shared_out(load_recipe(name, words), minutes)
        found.append(load_recipe(name, words))
    return found


def _shared_out(recipe: Recipe, minutes: float) -> list[str]:
    """`--minutes` for the stages together: in proportion to the recipe's own minutes, or evenly."""
    own = [stage.budget.minutes or 0.0 for stage in recipe.stages]
    shares = own if all(own) else [1.0] * len(own)
    return [f"stages.{stage.name}.budget.minutes={minutes * share / sum(shares):g}"
            for stage, share in zip(recipe.stages, shares, strict=True)]  # fmt: skip
