"""Measurements in, a page out: the learning certificate with its verdict as plain text, and the comparison."""

from __future__ import annotations

from wellread.reports.certificate import requirements_of, verdict_of, write_report
from wellread.reports.comparison import Compared, Comparison
from wellread.reports.comparison_lines import comparison_lines
from wellread.reports.comparison_page import comparison_page
from wellread.reports.reading import RunRecord, read_run
from wellread.reports.verdict import Verdict, verdict

__all__ = [
    "Compared",
    "Comparison",
    "RunRecord",
    "Verdict",
    "comparison_lines",
    "comparison_page",
    "read_run",
    "requirements_of",
    "verdict",
    "verdict_of",
    "write_report",
]
