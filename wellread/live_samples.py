"""A recipe and its text in, what has the model in training write a few lines at each evaluation out: for whoever watches."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from wellread.errors import WellreadError
from wellread.gathering import opening_lines, sampling
from wellread.recipe import Recipe, Stage
from wellread.streaming import texts
from wellread.types import Corpus, last_words

TOKENS = 60
"""Of a sample at most."""


def live_sampler(
    recipe: Recipe, corpus: Corpus, stage: Stage, tokenizer: Any, *, say: Callable[[str], None] = lambda line: None
) -> Callable[[Any, float], Mapping[str, Any] | None] | None:
    """The model in evaluation mode and the seconds that it may take in, `prompt` and `completion` out.

    The recipe's first opening line, with its sampling settings and its seed, in `TOKENS` tokens, or as many as there is time for;
    of examples a question of the validation part, for nothing of the held-out part is looked at before the end. None
    where the recipe wants none, and for extraction and fights, whose stages nobody watches writing. A model that cannot
    write is no reason to stop training: it is said once, and no more is asked of it.
    """
    if not recipe.sampling.generate_during_eval or recipe.extract is not None or recipe.fight is not None:
        return None
    seen = replace(corpus, split={**corpus.split, "held_out": corpus.split["validation"]})
    prompt, *_ = opening_lines(recipe, seen)
    said = prompt if isinstance(prompt, str) else last_words(prompt).rstrip() + "\n\n"
    way = replace(sampling(recipe), n=1, max_tokens=min(TOKENS, recipe.sampling.max_tokens))
    able = True

    def sampled(model: Any, seconds: float) -> dict[str, Any] | None:
        nonlocal able
        if not able:
            return None
        import torch

        from wellread.generation.hf import TransformersModel

        end, text = time.monotonic() + seconds, ""
        try:
            for piece in texts(TransformersModel(model, tokenizer, stage.name), prompt, way):
                text += piece
                if time.monotonic() >= end:
                    break
        except (WellreadError, torch.OutOfMemoryError) as error:
            able = False
            say(f"{stage.name}: nothing is written while it trains ({error})")
            return None
        return {"prompt": said, "completion": text}

    return sampled
