"""Flows for people and programs: the live table, text, and JSON lines."""
