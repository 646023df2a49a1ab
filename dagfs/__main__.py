"""`python -m dagfs`: the same as `dagfs`, for an interpreter whose scripts are not on the path."""

import sys

from dagfs.cli.main import script

if __name__ == "__main__":
    sys.exit(script())
