"""A book in, the chapters that go on with it out, bound as a book of their own."""
