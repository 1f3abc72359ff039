"""What ebprof can use on this machine, found out by trying it and not from version numbers.

A feature is plain data, made by a `Probe`; adding one is adding a line to a `PROBES` tuple of one
of the modules here. `ebprof doctor` prints them all, tests skip by their names.
"""

from ebprof.features import _bpf, _loaders, _perf, _system, _traffic
from ebprof.features._feature import LIMITED, MISSING, OK, STATES, UNKNOWN, Feature, Probe

PROBES: tuple[Probe, ...] = (
    *_system.PROBES,
    *_loaders.PROBES,
    *_bpf.PROBES,
    *_perf.PROBES,
    *_traffic.PROBES,
    *_system.FILE_PROBES,
)
"""In the order of the report: what must be there comes first."""

_BY_NAME = {probe.name: probe for probe in PROBES}


def probe(name: str) -> Feature:
    """Look for one feature; KeyError when there is none of that name."""
    return _BY_NAME[name].run()


def probe_all() -> list[Feature]:
    """Look for every feature, in the order of PROBES. Takes some seconds: bcc compiles."""
    return [one.run() for one in PROBES]


def can_profile(features: list[Feature]) -> bool:
    """Whether CPU profiling works: no required feature is missing."""
    return not any(feature.required and feature.state == MISSING for feature in features)


__all__ = [
    "LIMITED",
    "MISSING",
    "OK",
    "PROBES",
    "STATES",
    "UNKNOWN",
    "Feature",
    "Probe",
    "can_profile",
    "probe",
    "probe_all",
]
