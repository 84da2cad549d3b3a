"""Google Artifact Registry: an access token of the account that is signed in on this machine, or a configured
key.

Read `provider.py` first; `google_auth_child.py` runs google-auth in a process of its own; `google_errors.py`
decides, without I/O, what a failed sign-in means.
"""
