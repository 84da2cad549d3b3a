"""Google Artifact Registry: an access token of whoever is signed in on this machine, or a configured key.

Read `provider.py` first; `sign_in.py` runs google-auth in a process of its own; `complaints.py` decides,
without I/O, what a failed sign-in means.
"""
