"""The store: ClickHouse in a process of its own, which the log is written to and which is asked.

`process.py` is that process, `client.py` our end of it; what else is here runs in it.
"""
