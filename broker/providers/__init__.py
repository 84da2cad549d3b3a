"""How a credential is obtained: one file a kind of feed, behind one protocol."""
