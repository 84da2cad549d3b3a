"""Which provider and realm a URL or host names, read from the providers' documented URL shapes.

One pure table for the daemon and brokerctl alike. It never compares strings by prefix or suffix: hosts by
whole labels, paths by whole segments, https on its default port only. Next: `core/feeds.py`, which asks it.
"""
