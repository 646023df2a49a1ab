"""Frozen values: what a DAG, a run and an event are. No input or output happens here."""
