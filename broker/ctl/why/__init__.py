"""`brokerctl why`: runs a command, reads its clients' own accounts, and says per index what repairs it.

`recorded_run.py` runs it; `account_stream.py`, `uv_account.py` and `pip_account.py` read the accounts, which
become the steps of `account.py`; `diagnosis.py` joins them with the indexes and the broker's look-ups, and
`repairs.py` has the lines to type. Nothing is claimed that an account, a file or the broker does not say.
"""
