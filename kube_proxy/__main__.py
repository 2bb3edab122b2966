"""`python -m kube_proxy --config FILE`"""

import sys

from kube_proxy.app import main

sys.exit(main())
