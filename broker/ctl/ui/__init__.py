"""How brokerctl speaks to a person: words, widths, colours, and what to type next."""
