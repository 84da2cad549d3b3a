"""The indexes that package clients would use here, read from their own files and variables.

`client_index.py` says what one is; each client has a file that knows where it looks; `all_indexes.py` has
them all. Nothing is written, and no server is asked: what is wrong in such a file is its own program's to
complain about.
"""
