"""`python -m dagfs.cli`, the same as `dagfs`."""

import sys

from dagfs.cli.main import script

sys.exit(script())
