"""Measurements in, a page out: the learning certificate, and its verdict as plain text."""

from __future__ import annotations

from wellread.reports.certificate import verdict_of, write_report
from wellread.reports.reading import RunRecord, read_run
from wellread.reports.verdict import Verdict, verdict

__all__ = ["RunRecord", "Verdict", "read_run", "verdict", "verdict_of", "write_report"]
