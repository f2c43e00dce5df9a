"""`python -m harness` is `sockspec`."""

import sys

from harness.cli import main

sys.exit(main())
