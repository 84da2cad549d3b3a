"""`brokerctl status`: what is fresh, and what needs a person."""
