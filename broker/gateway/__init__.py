"""The proxy of `brokerctl exec --gateway`: it adds a feed's credential to requests of one command."""
