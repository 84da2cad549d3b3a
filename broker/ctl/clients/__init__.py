"""The indexes that package clients would use here, read from their own files and variables.

`index.py` says what one is; each client has a file that knows where it looks; `everywhere.py` has them all.
Nothing is written, and nobody is asked: what is wrong in such a file is its own program's to complain about.
"""
