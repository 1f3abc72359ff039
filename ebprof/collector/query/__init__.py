"""What may be asked of the collector, typed: the same for HTTP and for whoever else asks.

A question (`Flamegraph`, `Totals`, `LabelNames`, ...) is made here, checked, and answered in the
process of the store, by SQL in `sql/`.
"""
