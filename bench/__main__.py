"""All benchmarks, one after the other."""

from __future__ import annotations

from bench import against_perf, compile_tables, overhead, stack_cost, startup

for benchmark in (stack_cost, compile_tables, startup, overhead, against_perf):
    print(f"\n{benchmark.__name__}")
    benchmark.main()
