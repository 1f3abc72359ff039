"""Two profiles compared, function by function and stack by stack.

`compare` joins them; a module of `reports` writes the result in the form of its name.
"""

from ebprof.comparison.join import Comparison, FunctionChange, Pair, Run, StackChange, compare

__all__ = ["Comparison", "FunctionChange", "Pair", "Run", "StackChange", "compare"]
