"""An Azure DevOps organisation: the realm of Azure feeds, and the hosts that may act for it."""

from dataclasses import dataclass

from broker.core.feeds import Realm
from broker.providers.recognise.azure_addresses import Ring, azure_ring


@dataclass(frozen=True, slots=True)
class Organisation:
    """`name` is in lower case; organisations of different deployments may share one."""

    name: str
    ring: Ring

    def __str__(self) -> str:
        return f"organisation {self.name}"

    @property
    def authority_hosts(self) -> frozenset[str]:
        """The hosts that exchange its bearers, as artifacts-keyring-nofuss 1.3.3 lists them.

        Where that takes any subdomain, only the organisation's own is taken here.
        """
        return frozenset(
            f"{label}vssps.{suffix}"
            for suffix in self.ring.suffixes
            for label in ("", "app.", f"{self.name}.")
        )

    @property
    def portal(self) -> str:
        """Where a person signs in to it with a browser."""
        return f"https://{self.ring.suffixes[0]}/{self.name}"


def organisation_of(realm: Realm) -> Organisation | None:
    """The organisation of an Azure feed's realm; None where that is only an origin, a server on premises."""
    found = azure_ring(realm)
    return None if found is None else Organisation(found[1], found[0])
