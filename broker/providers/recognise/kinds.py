"""The kinds of service that an address can name, and what is known of each."""

AZURE = "azure"
GOOGLE = "google"
CODEARTIFACT = "codeartifact"
GITLAB = "gitlab"
ARTIFACTORY = "artifactory"
NEXUS = "nexus"
CLOUDSMITH = "cloudsmith"

FILES_BESIDE_SIMPLE = frozenset({GITLAB, ARTIFACTORY, NEXUS})

TELL_AT_ROOT = frozenset({AZURE, GOOGLE, CODEARTIFACT})
"""One service each, whose index page takes the tokens that its packages take. Others are set up by their
owners: a Nexus with content selectors, or a proxy, may keep that page from a token that installs well.
"""

ANSWER_STRANGERS = FILES_BESIDE_SIMPLE
"""They may answer without a password, with fewer versions (astral-sh/uv#3923; GitLab asks the public one)."""
