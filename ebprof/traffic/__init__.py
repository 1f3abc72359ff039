"""Who talks to whom: flows from the kernel's counts, with names, filters and groups."""
