"""Where the tables come from that changes are looked for in: one module for each part of the store.

Each has `observe`, which gives tables by the names that kinds of changes ask for.
"""
