"""Names of services: what counts first, and what a process may say of itself."""

from __future__ import annotations

import pytest

from ebprof.agent.services import LONGEST, Facts, Rule, Service, Services
from ebprof.identity.placement import parse_placement
from ebprof.procfs import process

UNIT = parse_placement(b"0::/system.slice/redis-server.service\n")
CONTAINER = parse_placement(b"0::/system.slice/docker.service/docker/" + b"a" * 64 + b"\n")
SESSION = parse_placement(b"0::/user.slice/user-1.slice/session-2.scope\n")
REDIS = Facts("redis", "/usr/bin/redis-server", "redis-server *:6379", UNIT)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> dict[bytes, bytes]:
    """The environment of all processes."""
    found: dict[bytes, bytes] = {}
    monkeypatch.setattr(
        process, "variables", lambda pid, names: {k: v for k, v in found.items() if k in names}
    )
    return found


@pytest.mark.parametrize(
    ("rule", "is_match"),
    [
        (Rule("cache", exe="/usr/bin/redis-*"), True),
        (Rule("cache", comm="redis", command="*:6379"), True),
        (Rule("cache", cgroup="/system.slice/*"), True),
        (Rule("cache", comm="redis", exe="/usr/bin/nginx"), False),
        (Rule("cache", comm="red"), False),
    ],
)
def test_a_rule_counts_first(environment: dict[bytes, bytes], rule: Rule, is_match: bool) -> None:
    environment[b"OTEL_SERVICE_NAME"] = b"own"
    expected = Service("cache", "rule") if is_match else Service("own", "environment")
    assert Services([rule]).of(1, REDIS) == expected


def test_of_rules_the_first_counts(environment: dict[bytes, bytes]) -> None:
    rules = [Rule("no", comm="x"), Rule("one", comm="r*"), Rule("two", comm="redis")]
    assert Services(rules).of(1, REDIS).name == "one"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({b"OTEL_SERVICE_NAME": b"a", b"OTEL_RESOURCE_ATTRIBUTES": b"service.name=b"}, "a"),
        ({b"OTEL_RESOURCE_ATTRIBUTES": b"x=y, service.name=b%20c,z=1"}, "b c"),
        ({b"OTEL_SERVICE_NAME": b" "}, "redis-server"),
        ({b"OTEL_RESOURCE_ATTRIBUTES": b"service.name,=,%"}, "redis-server"),
        (
            {b"OTEL_SERVICE_NAME": b"\x1b[31m\xff"},
            "\N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER}",
        ),
        ({b"OTEL_SERVICE_NAME": b"x" * 9999}, "x" * LONGEST),
    ],
)
def test_the_environment(
    environment: dict[bytes, bytes], variables: dict[bytes, bytes], expected: str
) -> None:
    environment.update(variables)
    assert Services([]).of(1, REDIS).name == expected


@pytest.mark.parametrize(
    ("placement", "expected"),
    [
        (UNIT, Service("redis-server", "unit")),
        (SESSION, Service("redis-server", "executable")),
        (CONTAINER, Service("redis-server", "executable")),
    ],
)
def test_a_unit_is_a_service_unless_it_is_that_of_a_runtime_or_session(
    environment: dict[bytes, bytes], placement: object, expected: Service
) -> None:
    facts = Facts("redis", "/usr/bin/redis-server", "", placement)  # type: ignore[arg-type]
    assert Services([]).of(1, facts) == expected


def test_without_any_it_is_called_as_the_process_is(environment: dict[bytes, bytes]) -> None:
    assert Services([]).of(1, Facts("x", "", "", SESSION)) == Service("x", "executable")
