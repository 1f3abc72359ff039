"""What `ebprof doctor` says of this kernel is so."""

from __future__ import annotations

import pytest

from ebprof import features
from ebprof.features import MISSING, OK
from tests import needed, targets
from tests.live.profiled import assert_complete, profile

FOR_NEW_KERNELS = ("bpf_loop", "bpf_task_pt_regs", "growing_maps")

pytestmark = pytest.mark.vm


def test_profiles_work_where_it_says_so() -> None:
    required = [needed.found(probe.name) for probe in features.PROBES if probe.required]
    assert required and not any(feature.state == MISSING for feature in required)
    with targets.running("split") as target:
        assert_complete(profile("-p", target.pid))


def test_the_sampler_is_the_one_for_what_the_kernel_has() -> None:
    is_new = all(features.probe(name).state == OK for name in FOR_NEW_KERNELS)
    detail = features.probe("cpu_program").detail
    assert detail.endswith(": cpu.bpf.o" if is_new else ": cpu_old.bpf.o")
