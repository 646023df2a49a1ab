"""The command line: one module a verb, found by name in `main`."""
