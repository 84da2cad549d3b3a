"""Every check, in the order in which a look-up would meet what it is about."""

from collections.abc import Callable, Iterator

from broker.ctl.doctor import (
    answers,
    feeds,
    keyring,
    network,
    permissions,
    poetry,
    projects,
    shadows,
    sign_ins,
    units,
)
from broker.ctl.doctor.finding import Finding
from broker.ctl.doctor.room import Room

Check = Callable[[Room], Iterator[Finding]]

CHECKS: tuple[Check, ...] = (
    answers.broker_answers,
    answers.configuration_can_be_used,
    answers.system_broker_answers,
    answers.same_version,
    answers.only_one_broker,
    units.service_is_enabled,
    units.service_lingers,
    units.units_are_of_this_installation,
    keyring.shim_is_first,
    keyring.shim_is_first_in_cron,
    keyring.clients_ask,
    projects.indexes_have_usernames,
    projects.pip_sees_what_the_user_may,
    poetry.poetry_sources_have_no_username,
    shadows.netrc_shadows,
    shadows.uv_store_shadows,
    feeds.gitlab_by_number,
    feeds.one_credential_per_host,
    permissions.permissions_are_tight,
    sign_ins.sign_ins_work_in_the_service,
    sign_ins.secrets_last,
    sign_ins.service_sees_the_tokens,
    sign_ins.az_is_signed_in,
    network.service_has_the_network_settings,
    network.certificates_are_there,
    network.clocks_agree,
)


def findings(room: Room) -> list[Finding]:
    """What all checks found."""
    return [finding for check in CHECKS for finding in check(room)]
