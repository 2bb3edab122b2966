"""`python -m controller_manager --config FILE`"""

import sys

from controller_manager.app import main

sys.exit(main())
