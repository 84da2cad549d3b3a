"""What lies between the daemon and the feeds: proxies, certificate authorities, and two clocks."""

from collections.abc import Iterator
from pathlib import Path

from broker.ctl.doctor.context import DoctorContext
from broker.ctl.doctor.finding import Finding, fine, problem, warning
from broker.ctl.setup.environment import PROXIES
from broker.ctl.setup.sandbox_paths import CERTIFICATES

SKEW_S = 60.0
"""Tokens are good for minutes; identity services allow five of skew."""


def service_has_the_network_settings(context: DoctorContext) -> Iterator[Finding]:
    """Proxies and certificates of this shell are those that the service was set up with."""
    if not context.has_service:
        return
    for name in (*PROXIES, *CERTIFICATES):
        here, there = context.user_dirs.environ.get(name), context.configured.config.env.get(name)
        if here and here != there:
            said = f"{name} is {'another one' if there else 'unknown'} in the service"
            yield warning("network", said, "brokerctl setup")


def certificates_are_there(context: DoctorContext) -> Iterator[Finding]:
    """Every file of certificates that is named exists."""
    config = context.configured.config
    named = {name: config.env.get(name) or context.user_dirs.environ.get(name) for name in CERTIFICATES}
    named["ca"] = str(config.ca) if config.ca is not None else None
    for name, path in named.items():
        if path and not context.user_dirs.expanded(path).exists():
            yield problem(
                "certificates", f"{name} names {path}, which is not there", f"ls -l {Path(path).parent}"
            )


def clocks_agree(context: DoctorContext) -> Iterator[Finding]:
    """This machine's clock is a feed's, within a minute: else tokens seem to end early, or late."""
    for feed in context.feeds[:1]:
        date = context.date_of(str(feed.urls[0]))
        if date is None:
            continue
        skew_s = (context.clock.now().wall - date).total_seconds()
        if abs(skew_s) > SKEW_S:
            how = f"{abs(skew_s):.0f} s {'ahead' if skew_s > 0 else 'behind'}"
            yield warning(
                "clock",
                f"this machine's clock is {how} of {feed.urls[0].origin.host}",
                "sudo timedatectl set-ntp true",
            )
        else:
            yield fine("clock", "clock agrees with the feed's")
