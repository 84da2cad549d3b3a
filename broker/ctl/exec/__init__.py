"""`brokerctl exec`: any command with a private broker of its own."""
