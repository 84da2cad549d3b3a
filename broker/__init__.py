"""token-broker: keeps fresh credentials for private Python package feeds, in memory, behind a Unix socket.

Read `core/` for the decisions, `keeper.py` for the one loop, `daemon.py` for how the parts meet.
"""
