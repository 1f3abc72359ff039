"""Profilers that others publish, which push to our collector."""
