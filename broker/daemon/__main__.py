"""`python -m broker.daemon`, which is `brokerd`."""

import sys

from broker.daemon.main import main

sys.exit(main())
