"""`python -m apiserver --config FILE`."""

import sys

from apiserver.app import main

sys.exit(main())
