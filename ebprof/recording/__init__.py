"""A run until its end, as a profile."""
