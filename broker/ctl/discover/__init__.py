"""`brokerctl discover`: the feeds that package clients here are told of, and what the broker makes of them.

`classify.py` decides what each address is, `anonymous_probe.py` asks those whose address does not say it,
`screen.py` shows all of them.
"""
