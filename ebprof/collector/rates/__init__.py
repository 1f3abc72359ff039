"""What a collector counts of services, over all nodes, for Prometheus: a module each (Family)."""

from ebprof.collector.rates._family import Count, Family
from ebprof.collector.rates._rates import Rates

__all__ = ["Count", "Family", "Rates"]
