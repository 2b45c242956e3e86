"""Measurements with known answers in, the right sentence out, branch by branch."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wellread.reports import verdict
from wellread.types import Measurement


def bits(
    value: float | None, subject: str, low: float | None = None, high: float | None = None, note: str = ""
) -> Measurement:
    return Measurement("bits_per_byte", value, "bits per byte", subject, "held_out", 900, low, high, "lower", note)


def ppmd(value: float) -> Measurement:
    return Measurement("ppmd_bits_per_byte", value, "bits per byte", "ppmd", "held_out", 900, better="lower")


def xz(value: float) -> Measurement:
    return Measurement("xz_bits_per_byte", value, "bits per byte", "xz", "held_out", 900, better="lower")


def recited(subject: str, train: float, held_out: float) -> list[Measurement]:
    return [
        Measurement("greedy_recited_share", value, "share", subject, split, 100)
        for value, split in ((train, "train"), (held_out, "held_out"))
    ]


def longest(subject: str, words: float) -> Measurement:
    return Measurement("longest_recited_words", words, "words", subject)


COPIED = [*recited("base", 0.002, 0.002), *recited("new", 0.034, 0.004), longest("base", 5), longest("new", 14)]


def test_learned_says_by_how_much_with_its_interval_and_names_the_compressor() -> None:
    found = verdict(
        [bits(2.0, "base"), bits(1.5, "new"), bits(-0.5, "new - base", -0.6, -0.4), ppmd(1.7), xz(2.2), *COPIED]
    )
    assert found.headline == "The book was learned"
    assert found.learning == (
        "Chapters of the book that it never saw surprise the model 25.0 % less than before training: 1.500 bits per "
        "byte against 2.000, 0.500 fewer (95 % interval 0.400 to 0.600: it excludes 0); a file compressor that "
        "read the training chapters first does worse (PPMd, 1.700)."
    )


def test_copying_is_what_stands_above_the_floor_beside_the_base() -> None:
    found = verdict([bits(2.0, "base"), bits(1.5, "new"), *COPIED], place="Chapter 3")
    assert found.copying == (
        "By heart it knows 3.0 % of the passages it was trained on (3.4 % recited, less the 0.40 % it recites of "
        "passages it never saw; 0 % before training), and the longest run of the book in its own writing is 14 words, "
        "from Chapter 3."
    )


def test_an_interval_that_includes_0_shows_no_difference() -> None:
    found = verdict([bits(2.0, "base"), bits(1.995, "new"), bits(-0.005, "new - base", -0.02, 0.01), ppmd(2.5)])
    assert found.headline == "No difference can be shown"
    assert "95 % interval from 0.020 fewer to 0.010 more: it includes 0" in found.learning


@pytest.mark.parametrize(
    ("value", "low", "high", "said"),
    [
        (-0.0, 0.0, 0.0, "the same to three decimals (its 95 % interval, all of it under 0.001, includes 0)"),
        (-0.0001, -0.0003, 0.0002, "the same to three decimals (its 95 % interval, all of it under 0.001, includes 0)"),
        (-0.001, -0.002, 0.0001, "0.001 fewer (95 % interval from 0.002 fewer to 0.000: it includes 0)"),
        (0.001, 0.0001, 0.002, "0.001 more (95 % interval under 0.001 to 0.002: it excludes 0)"),
        (
            -0.0002,
            -0.0004,
            -0.0001,
            "the same to three decimals (its 95 % interval, all of it under 0.001, excludes 0)",
        ),
    ],
)
def test_what_rounds_to_zero_has_no_sign(value: float, low: float, high: float, said: str) -> None:
    found = verdict([bits(2.0, "base"), bits(2.0 + value, "new"), bits(value, "new - base", low, high), ppmd(2.5)])
    assert said in found.learning
    assert "-0.0" not in found.learning


def test_worse_is_said_plainly() -> None:
    found = verdict([bits(2.0, "base"), bits(2.1, "new"), bits(0.1, "new - base", 0.05, 0.15)])
    assert found.headline == "Training made it worse"
    assert "surprise it 5.0 % more than before" in found.learning
    assert "0.100 more (95 % interval 0.050 to 0.150: it excludes 0)" in found.learning


def test_a_better_compressor_means_not_learned_yet() -> None:
    found = verdict([bits(2.0, "base"), bits(1.5, "new"), bits(-0.5, "new - base", -0.6, -0.4), ppmd(1.4), xz(2.2)])
    assert found.headline == "Better than before, but not learned yet"
    assert "a file compressor knows the book better (PPMd, 1.400): this model has not learned it yet" in found.learning


def test_a_compressor_within_the_interval_does_about_as_well() -> None:
    rows = [
        bits(2.0, "base"),
        bits(1.5, "new"),
        bits(-0.5, "new - base", -0.6, -0.4),
        ppmd(1.49),
        bits(0.01, "new - ppmd", -0.02, 0.04),
    ]
    assert "does about as well (PPMd, 1.490)" in verdict(rows).learning


def test_no_interval_is_no_certainty() -> None:
    found = verdict([bits(2.0, "base"), bits(1.5, "new")])
    assert found.headline == "Perhaps learned: no interval was computed"
    assert "0.500 fewer (no interval was computed: it may be chance)" in found.learning
    assert verdict([bits(1.4, "new"), ppmd(1.6)]).headline == "Perhaps learned: no interval was computed"
    beaten = verdict([bits(2.0, "base"), bits(1.5, "new"), ppmd(1.4)])
    assert beaten.headline == "Perhaps better than before, but not learned yet"
    assert verdict([bits(2.0, "base"), bits(2.1, "new")]).headline == "Training may have made it worse"
    assert "no file compressor was measured" in found.learning


def test_not_measured_gives_the_reason() -> None:
    found = verdict([bits(2.0, "base"), bits(None, "new", note="the endpoint cannot score.")])
    assert found.headline == "Not measured"
    assert found.learning == "How well the book was learned was not measured: the endpoint cannot score."
    assert found.copying == "What it copied was not measured."


def test_a_metric_that_failed_as_a_whole_gives_its_reason_too() -> None:
    failed = Measurement("greedy_recited_share", None, subject="new", note="the endpoint cannot score")
    whole = Measurement("bits_per_byte", None, subject="new", note="the endpoint cannot score")
    found = verdict([whole, failed], trained="new")
    assert found.learning.endswith("was not measured: the endpoint cannot score.")
    assert found.copying == "What it copied was not measured: the endpoint cannot score."


def test_nothing_at_all_is_not_measured() -> None:
    assert verdict([]).headline == "Not measured"


def test_an_unmeasured_base_leaves_the_change_unknown() -> None:
    found = verdict([bits(1.5, "new"), ppmd(1.7)], trained="new", base="base")
    assert "what training changed cannot be said" in found.learning
    assert "does worse (PPMd, 1.700)" in found.learning


def test_from_scratch_the_compressor_is_the_measure() -> None:
    found = verdict([bits(1.4, "new"), ppmd(1.6), bits(-0.2, "new - ppmd", -0.22, -0.18)])
    assert found.headline == "The book was learned"
    assert "it needs 1.400 bits per byte where PPMd, a file compressor" in found.learning
    assert "needs 1.600, 0.200 fewer (95 % interval 0.180 to 0.220: it excludes 0)" in found.learning


def test_from_scratch_and_worse_than_the_compressor() -> None:
    found = verdict([bits(1.8, "new"), ppmd(1.6), bits(0.2, "new - ppmd", 0.18, 0.22)])
    assert found.headline == "Not learned yet"
    assert found.learning.startswith("A file compressor knows the book better")
    assert found.learning.endswith("this model has not learned it yet.")


def test_from_scratch_and_no_better_than_the_compressor() -> None:
    found = verdict([bits(1.6, "new"), ppmd(1.6), bits(0.0, "new - ppmd", -0.02, 0.02)])
    assert found.headline == "No better than a file compressor"


def test_from_scratch_beside_nothing() -> None:
    assert "whether that is good cannot be said" in verdict([bits(1.6, "new")]).learning


def test_the_strongest_compressor_is_the_one_compared_with() -> None:
    assert "(xz, 1.300)" in verdict([bits(2.0, "base"), bits(1.5, "new"), ppmd(1.4), xz(1.3)]).learning


@pytest.mark.parametrize("rows", [recited("new", 0.12, 0.01), [longest("new", 61)]])
def test_heavy_memorising_is_called_that(rows: list[Measurement]) -> None:
    found = verdict([bits(2.0, "base"), bits(1.5, "new"), bits(-0.5, "new - base", -0.6, -0.4), *rows])
    assert found.copying.startswith("It memorised heavily: ")
    assert found.headline == "The book was learned, and much of it is known by heart"


def test_a_copy_is_not_called_a_book_that_is_to_be_learned_yet() -> None:
    copy = recited("new", 0.99, 0.0)
    found = verdict([bits(1.8, "base"), bits(3.7, "new"), bits(1.9, "new - base", 1.8, 2.0), ppmd(1.9), *copy])
    assert found.headline == "Training made it worse, and much of it is known by heart"
    assert "surprise it 2.1 times as much as before" in found.learning
    assert (
        "a file compressor foresees them better (PPMd, 1.900): what it knows by heart is no help there"
        in found.learning
    )
    found = verdict([bits(3.7, "new"), ppmd(1.9), bits(1.8, "new - ppmd", 1.7, 1.9), *copy])
    assert found.headline == "Not learned, and much of it is known by heart"
    assert found.learning.endswith("what it knows by heart is no help there.")


def test_nothing_copied_is_said() -> None:
    found = verdict([bits(1.5, "new"), *recited("new", 0.001, 0.002), longest("new", 7)])
    assert found.copying.startswith("By heart it knows 0 % of the passages")
    assert found.copying.endswith("its own writing copies no run of 8 or more words from the book.")


def test_a_small_gain_is_called_small_however_sure_it_is() -> None:
    rows = [bits(2.0, "base"), bits(1.94, "new"), bits(-0.06, "new - base", -0.07, -0.05)]
    assert verdict(rows).headline == "The book was learned a little"
    rows = [bits(2.0, "base"), bits(1.9, "new"), bits(-0.1, "new - base", -0.11, -0.09)]
    assert verdict(rows).headline == "The book was learned"


def test_of_none_recited_only_the_tested_passages_are_spoken_of() -> None:
    found = verdict([bits(1.5, "new"), *recited("new", 0.0, 0.0), longest("new", 7)])
    assert found.copying.startswith("By heart it knows none of the 100 passages of its training text that were tested,")


def test_it_is_two_sentences_that_any_terminal_prints() -> None:
    text = str(verdict([bits(2.0, "base"), bits(1.5, "new"), bits(-0.5, "new - base", -0.6, -0.4), ppmd(1.7), *COPIED]))
    assert text.encode("ascii").decode() == text
    assert text.count(". ") == 1
    assert text.endswith(".")


def test_memorised_is_after_less_before_each_above_its_floor() -> None:
    known = [*recited("base", 0.13, 0.01), *recited("new", 0.15, 0.01)]
    found = verdict([bits(2.0, "base"), bits(1.5, "new"), bits(-0.5, "new - base", -0.6, -0.4), *known])
    assert (
        "by heart it knows 14.0 % of the passages it was trained on (15.0 % recited, less the 1.0 % it recites of passages it "
        "never saw; 12.0 % before training, so that training memorised 2.0 %)"
    ) in found.copying.replace("By heart", "by heart")
    assert "heavily" not in found.copying
    more = verdict([bits(2.0, "base"), bits(1.5, "new"), *recited("base", 0.13, 0.01), *recited("new", 0.30, 0.01)])
    assert "It memorised heavily" in more.copying
    assert "training memorised 17.0 %" in more.copying


def style(subject: str, rank: float | None, share: float, delta: float = 0.4) -> list[Measurement]:
    return [
        Measurement("style_rank", rank, "rank", subject, n=12, better="lower", note="5 other texts"),
        Measurement("style_attribution", share, "share", subject, n=50, better="higher"),
        Measurement("cosine_delta", delta, "distance", subject, n=5000, better="lower"),
    ]


def test_the_voice_stands_beside_the_base_and_the_author() -> None:
    rows = [
        bits(2.0, "base"),
        bits(1.5, "new"),
        *style("base", 7, 0.1),
        *style("new", 1, 0.62),
        *style("real chapters", 1, 0.9),
    ]
    assert verdict(rows).style == (
        "Its writing is nearer to the book than to any of 11 other texts (before training rank 7, the author's own held-out "
        "text rank 1); 62.0 % of its passages are taken for the author's (before training 10.0 %, the author's own held-out "
        "text 90.0 %)."
    )
    far = verdict([bits(1.5, "new"), *style("new", 3, 0)], trained="new").style
    assert far.startswith(
        "Its writing is nearer to 2 texts than to the book, out of 11 other texts; 0 % of its passages"
    )
    few = verdict([bits(1.5, "new"), *style("new", None, 0.5)], trained="new").style
    assert few.startswith("Its use of common words lies 0.40 from the book's by cosine Delta; 50.0 % of its passages")
    assert verdict([bits(1.5, "new")]).style == ""


def test_a_rank_that_is_not_sure_or_that_names_decide_says_so() -> None:
    rank, *_ = style("new", 1, 0.6)
    names = [Measurement("style_rank_function_words", 3.0, "rank", "new", n=12, better="lower")]
    told = verdict([bits(1.5, "new"), replace(rank, low=1.0, high=4.0), *names], trained="new").style
    assert told.endswith("(95 % interval of its rank 1 to 4, by function words alone rank 3).")
    same = [replace(names[0], value=1.0)]
    assert "(" not in verdict([bits(1.5, "new"), replace(rank, low=1.0, high=1.0), *same], trained="new").style
