"""The configuration: which files it is in, what they say together, and where in them a key stands."""
