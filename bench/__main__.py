"""All benchmarks, one after the other."""

from __future__ import annotations

from bench import (
    against_perf,
    agent,
    compile_tables,
    fleet,
    follow_cost,
    names,
    overhead,
    pages,
    profiles,
    stack_cost,
    startup,
    traffic_call_cost,
    traffic_cpu,
    traffic_throughput,
)

PROFILE = (stack_cost, compile_tables, profiles, startup, overhead, follow_cost, against_perf)
TRAFFIC = (traffic_call_cost, traffic_cpu, traffic_throughput)
SYSTEM = (agent, fleet, names, pages)

for benchmark in (*PROFILE, *TRAFFIC, *SYSTEM):
    print(f"\n{benchmark.__name__}")
    benchmark.main()
