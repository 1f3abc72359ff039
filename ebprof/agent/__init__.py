"""The agent: samples a machine window by window, and pushes series to a collector."""
