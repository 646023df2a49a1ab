"""`python -m dagfs.cli`, the same as `dagfs`."""

import sys

from dagfs.cli.main import main

sys.exit(main())
