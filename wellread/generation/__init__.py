"""A Checkpoint in, a LanguageModel out: what it writes and what it foresees. One backend per file."""
