"""`brokerctl setup` and `teardown`: service, `keyring` link, clients' settings, and the undoing of it all.

`verb.py` is the command; each other file is one thing that is set up. What is done is written into a journal,
so that `teardown` can undo exactly that, now or in a year.
"""
