"""Documents in, a Retriever out; and what is asked of a model with what it found."""
