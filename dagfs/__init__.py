"""dagfs: a workflow engine whose only database is a folder."""

__version__ = "0.1.0"
