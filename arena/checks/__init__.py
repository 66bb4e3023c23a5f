"""Is the result earned? Lookahead, another market, stress, and history written into the source."""
