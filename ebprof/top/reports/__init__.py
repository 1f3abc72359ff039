"""The hottest functions for people and programs: the live table, text, and JSON lines."""
