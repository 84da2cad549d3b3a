"""Every check, in the order in which a look-up would meet what it is about."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from broker.core.defect import name_of
from broker.core.shortage import shortage_of
from broker.ctl.command_error import CommandError
from broker.ctl.doctor import (
    access_tokens,
    asked_feeds,
    client_logins,
    feed_addresses,
    index_usernames,
    keyring_on_path,
    library_backends,
    network,
    permissions,
    poetry_sources,
    running_brokers,
    service_checks,
    shadowing_passwords,
    sign_in_checks,
    unknown_feeds,
)
from broker.ctl.doctor.context import DoctorContext
from broker.ctl.doctor.finding import Finding, problem
from broker.ctl.hints import other_than
from broker.host.clock import SystemClock

Check = Callable[[DoctorContext], Iterator[Finding]]

CHECKS: tuple[Check, ...] = (
    running_brokers.broker_answers,
    running_brokers.nothing_was_left_unsaid,
    running_brokers.configuration_can_be_used,
    running_brokers.system_broker_answers,
    running_brokers.same_version,
    running_brokers.only_one_broker,
    service_checks.service_is_enabled,
    service_checks.service_lingers,
    service_checks.units_are_of_this_installation,
    keyring_on_path.shim_is_first,
    keyring_on_path.shim_is_first_in_cron,
    keyring_on_path.clients_ask,
    index_usernames.indexes_have_usernames,
    index_usernames.pip_sees_what_the_user_may,
    client_logins.indexes_have_no_passwords,
    client_logins.indexes_ask_as_the_feeds_user,
    client_logins.uv_may_send_passwords,
    client_logins.old_pip_has_usernames,
    client_logins.uv_sees_the_feeds_of_pip,
    poetry_sources.poetry_asks_the_keyring,
    poetry_sources.poetry_sources_have_no_username,
    library_backends.library_clients_have_the_backend,
    library_backends.keyring_of_the_project_leads_here,
    shadowing_passwords.netrc_shadows,
    shadowing_passwords.uv_store_shadows,
    access_tokens.access_tokens_last,
    feed_addresses.gitlab_by_number,
    feed_addresses.one_credential_per_host,
    permissions.permissions_are_tight,
    unknown_feeds.addresses_are_feeds,
    asked_feeds.feeds_take_the_tokens,
    sign_in_checks.secrets_last,
    sign_in_checks.service_sees_the_tokens,
    sign_in_checks.az_is_signed_in,
    network.service_has_the_network_settings,
    network.certificates_are_there,
    network.clocks_agree,
)


CHECK_LIMIT_S = 130.0
"""Of one check: longer than a fetch in the daemon may take, which one of them waits for."""


def findings(
    context: DoctorContext, checks: Sequence[Check] = CHECKS, limit_s: float = CHECK_LIMIT_S
) -> list[Finding]:
    """What all checks found, in their order. One that fails, or takes longer than `limit_s`, is a finding of
    its own.

    The first asks the broker, which may start a service whose traces others look at; they look side by side.
    """
    clock = SystemClock()
    end = clock.now().after(limit_s)
    looks = [_Look(checks[0], context)]
    looks[0].wait(limit_s)
    looks += [_Look(check, context) for check in checks[1:]]
    found = [finding for look in looks for finding in look.found_within(end.left_s(clock.now()), limit_s)]
    return [replace(each, repair=other_than(each.repair, "doctor")) for each in found]


class _Look:
    """A check at work, in a thread of its own where there is one."""

    def __init__(self, check: Check, context: DoctorContext) -> None:
        self._check = check
        self._context = context
        self._found: list[Finding] = []
        self._ended = threading.Event()
        try:
            threading.Thread(target=self._look, daemon=True).start()  # a file that hangs must not keep us
        except RuntimeError:  # no more threads
            self._look()

    def _look(self) -> None:
        name = self._check.__name__
        try:
            self._found.extend(self._check(self._context))
        except CommandError as failure:
            self._found.append(problem("doctor", failure.detail, failure.hint))
        except Exception as defect:  # noqa: BLE001 - one check's defect must not hide what the others find
            shortage = shortage_of(defect)
            said = f"failed: {name_of(defect)}" if shortage is None else f"was not made: {shortage}"
            self._found.append(problem("doctor", f"the check {name} {said}", None))
        finally:
            self._ended.set()

    def wait(self, left_s: float) -> None:
        """Wait so long for its end."""
        self._ended.wait(left_s)

    def found_within(self, left_s: float, limit_s: float) -> list[Finding]:
        """What it found until its end, its failure or the limit, which is `left_s` away."""
        if self._ended.wait(left_s):
            return self._found
        said = f"the check {self._check.__name__} did not end within {limit_s:.0f} s"
        return [*self._found, problem("doctor", said, None)]
