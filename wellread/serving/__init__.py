"""Models in, a server that speaks OpenAI's HTTP language out: a bounded queue, one worker, and a gate before it all."""
