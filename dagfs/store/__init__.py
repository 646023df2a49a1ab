"""Values on disk: the run directory, its journal, its locks. Only `files` writes."""
