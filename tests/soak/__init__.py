"""`make soak`: agent and collector for hours, under changing load, with faults; docs/soak.md."""
