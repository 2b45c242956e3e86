"""The replies of several sides to the same gold questions in, the questions where these part out: what each said, and who was right"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wellread.metrics.answer_match import contains
from wellread.reports.comparison import Parted, Parting, Said
from wellread.types import Grade, Reply

WITHIN = "an answer is right where the words of a right answer stand in it, or where nothing answers the question and it declines"
JUDGED = (
    "what is right is what {judge} says; where it gave no verdict, an answer in which the words of a right one stand"
)


def parting(
    said: Mapping[str, Sequence[Reply]], grades: Mapping[str, Mapping[str, Grade]] | None = None, *, judge: str = ""
) -> Parting:
    """The questions that some of the sides answered right and others not; of a single side, those that it did not.

    `said` has the replies of every side by its label, `grades` a judge's verdicts by label and question id. Without a verdict
    an answer is right as `answer_exact_within` counts; to a question that nothing answers, declining is right.
    """
    verdicts = grades or {}
    asked = [*zip(*said.values(), strict=True)]
    parted = []
    for replies in asked:
        told = tuple(
            Said(label, reply.text, _is_right(reply, verdicts.get(label, {}).get(reply.question.id)), reply.refused)
            for label, reply in zip(said, replies, strict=True)
        )
        right, question = [each.right for each in told], replies[0].question
        if question.passages and not question.answers:
            continue  # something answers it, and nobody said what would be right
        if len(set(right)) > 1 or right == [False]:
            parted.append(Parted(question.id, question.question, question.answers, told))
    return Parting(len(asked), tuple(parted), len(said), JUDGED.format(judge=judge) if judge else WITHIN)


def _is_right(reply: Reply, grade: Grade | None) -> bool:
    asked = reply.question
    if not asked.answers or reply.refused:
        return reply.refused and not asked.answers
    if grade is not None and grade.right is not None:
        return grade.right
    return bool(contains(reply.text, asked.answers, asked.language))
