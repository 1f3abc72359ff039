"""Profiles of pushes in columns, many at a time: pprof_batch.h for Python."""
