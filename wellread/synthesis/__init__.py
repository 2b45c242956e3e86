"""A glossary in, Examples and Questions out: written by templates, or by a LanguageModel and checked."""

from __future__ import annotations

from wellread.synthesis.glossary import load_terms
from wellread.synthesis.terms import terms_of
from wellread.synthesis.written import Failed, Rejected, Written

__all__ = ["Failed", "Rejected", "Written", "load_terms", "terms_of"]
