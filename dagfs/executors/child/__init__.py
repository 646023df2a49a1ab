"""Programs of the built-in executors: each runs as a step's own process and knows nothing of the engine."""
