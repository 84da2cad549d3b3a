"""brokerctl: the user's tool, a thin face over the daemon's socket and the configuration file.

One file per verb family, joined in `app.py`. Rules live elsewhere: what a feed is in `core`, what the file
may say in `config`. Importing this package stays light; what a verb needs beyond typer it imports itself.
"""
