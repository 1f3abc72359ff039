"""What one push may hold: all of it is checked before it is acknowledged."""

from __future__ import annotations

from dataclasses import dataclass

DAY_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one push; what is beyond one of them is refused as a whole, with the reason.

    packed_bytes: of the body as it is sent. plain_bytes: of the body, and of all profiles in it
    together, unpacked. series, profiles: in a push; stacks: of all its profiles together; depth:
    frames of one stack; labels: of a series, with lengths in characters. flows, processes, strings,
    losses: of a push of flows; window_s: how long their window may be. past_s, future_s: how far a
    profile's or window's time may lie from the collector's clock.
    """

    packed_bytes: int = 16 << 20
    plain_bytes: int = 64 << 20
    series: int = 2_000
    profiles: int = 4_000
    stacks: int = 200_000
    depth: int = 2_048
    labels: int = 40
    label_name: int = 128
    label_value: int = 2_048
    id_length: int = 128
    flows: int = 100_000
    processes: int = 100_000
    strings: int = 200_000
    losses: int = 100
    window_s: int = 2 * 3600
    past_s: int = 3 * DAY_S
    future_s: int = 600
