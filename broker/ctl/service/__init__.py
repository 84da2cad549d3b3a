"""`brokerctl start`, `stop`, `restart`, and the service managers behind them."""
