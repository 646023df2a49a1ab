"""`/api/v1`: the same as JSON."""
