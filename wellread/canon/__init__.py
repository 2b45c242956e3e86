"""A text with coordinates in, the lines that references name out."""
