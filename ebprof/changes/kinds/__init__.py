"""Kinds of changes, one a module.

Each has `find`, which looks at tables of an `Observation` and gives its changes. What is explained
by changes of another kind is left out, or stands behind them, in `ebprof.changes.ranking`.
"""
