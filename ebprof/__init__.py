"""ebprof: a CPU profiler and traffic tool for one machine, built on eBPF."""

__version__ = "0.1.0"
