"""Whether the machine slept, or its clock was set, between two looks at the clocks."""

from broker.core.moment import Moment

JUMP_S = 10.0
"""A sleep that ends this much late was a suspend; a busy machine is late by less."""


def has_jumped(before: Moment, slept_s: float, now: Moment) -> bool:
    """True when more time passed since `before` than the sleep of at most `slept_s` seconds can explain, or
    when the wall clock went otherwise than the time since boot did.
    """
    passed_s = now.boot_s - before.boot_s
    wall_s = (now.wall - before.wall).total_seconds()
    return passed_s - slept_s > JUMP_S or abs(wall_s - passed_s) > JUMP_S
