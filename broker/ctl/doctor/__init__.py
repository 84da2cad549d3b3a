"""`brokerctl doctor`: what goes wrong in the field, found, each with the line that repairs it.

A check is a function from a DoctorContext to its findings, in the file of its subject; `checks.py` lists them
all. A check only looks: repairs are in its findings, and done when `--fix` says so.
"""
