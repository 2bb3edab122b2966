"""`python -m cluster_dns --config FILE`"""

import sys

from cluster_dns.app import main

sys.exit(main())
