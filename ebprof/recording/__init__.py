"""One run: whom to sample, the loop that records, and what comes of it."""
