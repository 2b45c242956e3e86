"""The fabricated run, read in three stages after another library."""

from __future__ import annotations

from itertools import pairwise

from reports_fabricated import Fabricated, fabricate, sample, training_log
from reports_rows import gap, general, model_rows

from wellread.types import Measurement

SUBJECTS = ("embedded", "acculturate", "lengthen", "imprint")


def curriculum_rows() -> list[Measurement]:
    """Every metric of a base and three stages, with the differences of each to the first and to the one before."""
    bits = dict(zip(SUBJECTS, (1.3104, 1.2290, 1.2275, 1.1243), strict=True))
    forgotten = dict(zip(SUBJECTS, (0.9010, 0.9420, 0.9190, 0.9530), strict=True))
    recited = dict(zip(SUBJECTS, (0.0024, 0.0031, 0.0040, 0.0387), strict=True))
    found: list[Measurement] = []
    for number, each in enumerate(SUBJECTS):
        found += [*model_rows(each, bits[each], recited[each], 6.0 + 5 * number), general(each, forgotten[each])]
    found.append(
        Measurement("ppmd_bits_per_byte", 1.6012, "bits per byte", "ppmd", "held_out", 41283, 1.57, 1.63, "lower")
    )
    to_the_first = [(later, SUBJECTS[0]) for later in SUBJECTS[1:]]
    to_the_one_before = [(later, earlier) for earlier, later in pairwise(SUBJECTS)]
    for later, earlier in dict.fromkeys([*to_the_first, *to_the_one_before]):
        both = f"{later} - {earlier}"
        change, rise = bits[later] - bits[earlier], forgotten[later] - forgotten[earlier]
        copied = recited[later] - recited[earlier]
        found += [
            gap("bits_per_byte", change, both, "held_out", (change - 0.012, change + 0.012)),
            gap("bits_per_byte", rise, both, "general", (rise - 0.011, rise + 0.011)),
            gap("greedy_recited_share", copied, both, "train", (copied - 0.004, copied + 0.004)),
        ]
    return found


def fabricate_curriculum() -> Fabricated:
    """The book of `fabricate`, read in three stages after another library."""
    made = fabricate()
    made.measurements = curriculum_rows()
    prompt = made.before[0]["prompt"]
    first = [
        sample(
            "acculturate", prompt, " a man of few words, said nothing. The snow had been falling since the morning."
        ),
        sample("acculturate", prompt, " alone. He looked at the river, then at the sky, and sighed.", 8),
    ]
    second = [
        sample(
            "lengthen", prompt, " early complained of the cold. “It will hold,” she said, and wrote the number down."
        ),
        sample("lengthen", prompt, " early shut the book. There were sledges in the lane.", 8),
    ]
    logs = [training_log(kept="last"), training_log(), training_log(kept="last")]
    logs[1][-1]["stopped"] = "patience: no lower validation loss in 3 evaluations"
    logs[2][-1]["stopped"] = "until: greedy_recited_share > 0.02, measured 0.0387"
    made.stages = dict(zip(SUBJECTS[1:], zip((first, second, made.after), logs, strict=True), strict=True))
    made.environment["command"] = "wellread run novel-curriculum books/weigher.epub"
    return made
