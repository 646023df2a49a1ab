"""The completion scripts of each shell."""
