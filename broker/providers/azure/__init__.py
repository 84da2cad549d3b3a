"""Azure Artifacts: from the feed's challenge over a sign-in on this machine to a token for its packages.

Read `provider.py` first, which walks; `challenge.py` and `session_token.py` decide, without I/O, what an
answer means; `identities.py` lists the ways to sign in.
"""
