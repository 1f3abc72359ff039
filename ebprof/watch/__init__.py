"""What commands that count for a while have in common: the loop, the clock, the ledger."""
