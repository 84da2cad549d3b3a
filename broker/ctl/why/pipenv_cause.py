"""What is said of a pipenv that asked nobody: its resolver gives no account (2026.10.3, run)."""

from collections.abc import Iterator

from broker.ctl.clients.client_index import PIP
from broker.ctl.clients.pipfile import PIPENV, PROVIDER, pipenv_keyring_provider
from broker.ctl.doctor.finding import Finding, problem
from broker.ctl.why import repairs
from broker.ctl.why.evidence import Evidence


def pipenv_findings(evidence: Evidence) -> Iterator[Finding]:
    """That its keyring provider is off, or that it finds another keyring, for a source that is a feed."""
    if evidence.options.program != PIPENV or evidence.run.lookups:
        return
    ours = [each for each in evidence.indexes if each.client == PIPENV and evidence.feed_of(each.url)]
    if not ours:
        return
    named, address = pipenv_keyring_provider(evidence.user_dirs), ours[0].bare
    if named is None or not named.is_on:
        where = "" if named is None else f" ({evidence.shown(named.place.source)} says {named.name})"
        client = PIPENV if named is not None and named.place.source == PROVIDER else PIP
        said = f"pipenv did not ask for {address}: its keyring provider is off{where}"
        yield problem("provider", said, repairs.with_provider(client, named, evidence.options))
    elif evidence.hidden_shim is not None:
        said, line = evidence.hidden_shim
        yield problem("shim", f"pipenv asked a keyring for {address}, not the broker: {said}", line)
