"""token-broker: keeps fresh credentials for private Python package feeds, in memory, behind a Unix socket.

Read `core/` for the decisions, `keeper/keeper.py` for the one loop, `daemon/composition.py` for how the
parts meet.
"""
