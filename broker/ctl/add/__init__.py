"""`brokerctl add` and `remove`: feeds in the user's configuration file."""
