#!python
"""The `keyring-shim` command of the pure wheel.

An installer puts its interpreter in place of the first line, whole, so options there would be lost.
The work is done by the module, which an interpreter compiles once; a script it compiles at each start.
"""

import os
import sys

if __name__ == "__main__":
    # Relative entries of PYTHONPATH mean the working directory: nothing there is ours.
    planted = {sys.path[0]} | {
        os.path.abspath(entry)
        for entry in os.environ.get("PYTHONPATH", "").split(":")
        if not entry.startswith("/")
    }
    sys.path[:] = [entry for entry in sys.path if entry not in planted]

    from token_broker_client import main

    sys.exit(main())
