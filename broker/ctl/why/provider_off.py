"""Whether the keyring provider of uv or pip was off in a run, or was pip's library, and what chose that."""

from broker.ctl.clients.client_index import PIP, UV
from broker.ctl.clients.keyring_provider import IMPORT, SUBPROCESS, KeyringProvider, variable_of
from broker.ctl.doctor.finding import Finding, problem
from broker.ctl.why import repairs
from broker.ctl.why.account import AccountAct, Source
from broker.ctl.why.evidence import Evidence
from broker.ctl.why.index_account import IndexAccount


def provider_off(account: IndexAccount, evidence: Evidence) -> Finding | None:
    """The finding that a client asked nobody, for its provider was off; None where that is not known."""
    named = evidence.provider(account.client)
    chosen = [each.detail for each in account.steps if each.act is AccountAct.PROVIDER]
    is_understood = account.client != UV or not evidence.run.account.unknown
    if account.was_asked or SUBPROCESS in chosen or not is_understood:
        return None
    if not account.has(AccountAct.REQUESTED) and not chosen:
        return None
    said = f"{account.client} did not ask for {account.url}: "
    if named is not None and named.is_on:
        if not _is_lost(named, account, evidence):
            return None
        said += f"{evidence.options.program} does not hand {variable_of(account.client)} on to it"
        return problem("provider", said, "brokerctl setup")
    where = "" if named is None else f" ({evidence.shown(named.place.source)} says {named.name})"
    said += f"its keyring provider is off{where}"
    return problem("provider", said, repairs.with_provider(account.client, named, evidence.options))


def library_asked(account: IndexAccount, evidence: Evidence) -> Finding | None:
    """The finding that pip asked the keyring library beside it, and that this asked no broker."""
    chosen = {each.detail for each in account.steps if each.act is AccountAct.PROVIDER}
    if IMPORT not in chosen or SUBPROCESS in chosen or not account.was_asked:
        return None
    if account.lookups or evidence.run.status is None:  # no broker that could have seen it
        return None
    said = f"{account.client} asked the keyring library of its own environment for {account.url}"
    if account.has(AccountAct.FOUND, Source.KEYRING):
        said += f", and the server {account.outcome} to what that gave it"
    named = evidence.provider(account.client)
    line = repairs.with_provider(account.client, named, evidence.options)
    return problem("provider", f"{said}; the broker saw no look-up", line)


def _is_lost(named: KeyringProvider, account: IndexAccount, evidence: Evidence) -> bool:
    """Whether a provider that a variable turns on was off in the run: a wrapper keeps the variable back.

    pip says which provider it chose; uv passes the keyring over without a word only where it has none.
    """
    is_wrapped = evidence.options.program not in {UV, PIP}
    if not is_wrapped or named.place.source != variable_of(account.client):
        return False
    if account.client == PIP:
        return account.has(AccountAct.PROVIDER)
    met = evidence.run.account.of(AccountAct.ASKED, AccountAct.NOT_RUN, AccountAct.SKIPPED, AccountAct.FOUND)
    return not evidence.run.lookups and not any(each.client == UV for each in met)
