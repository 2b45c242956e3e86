"""Gold questions and several sides in, a verdict out: retrieval, tuning, both or neither, asked alike."""
