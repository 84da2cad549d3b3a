"""What each configuration key means, with an example; types and defaults are read from the models.

`tests/test_reference.py` fails when a key of the models has no text here, when a text here is of no key, and
when an example is not what the model takes.
"""

from typing import NamedTuple


class KeyText(NamedTuple):
    """A key's meaning in a sentence, a TOML example, and the first version that has it."""

    means: str
    example: str
    since: str = "0.1.0"


TOP = {
    "ttl": KeyText(
        "A token is replaced at this age, or 5 minutes (10 % of its life, if that is shorter) before its own "
        "end, whichever comes first.",
        'ttl = "50m"',
    ),
    "auto": KeyText(
        "Whether hosts that name their provider need no `[[feed]]`: `true`, `false`, or a list of providers.",
        'auto = ["azure"]',
    ),
    "idle": KeyText(
        "Stop renewing a feed that no client has asked about for this long. `never` renews it always; feeds "
        "learned by `auto` stop after 12 hours.",
        'idle = "2h"',
    ),
    "ca": KeyText(
        "The certificate authorities to trust: `system`, or a PEM file. The daemon, its SDKs and its child "
        "processes use it.",
        'ca = "/etc/ssl/certs/corporate.pem"',
    ),
    "log": KeyText("How much the daemon logs.", 'log = "debug"'),
    "env": KeyText(
        "Variables for the daemon, its SDKs and its child processes. A service does not have your shell's.",
        'env = { HTTPS_PROXY = "http://proxy.example:3128" }',
    ),
    "feed": KeyText("The feeds: one `[[feed]]` table each, with the keys below.", ""),
}

FEED = {
    "url": KeyText(
        "The address that clients install from. The feed answers every address below it, by whole path segments.",
        'url = "https://feed.example.com/simple/"',
    ),
    "name": KeyText(
        "What brokerctl and the messages call the feed; made from the URL where it is left out.",
        'name = "corp"',
    ),
    "also": KeyText(
        "More URL prefixes that this credential is good for.",
        'also = ["https://files.example.com/packages/"]',
    ),
    "provider": KeyText("The kind of feed; read from the host where that names it.", 'provider = "basic"'),
    "verify": KeyText(
        "Whether the daemon tries a new credential at the feed's own address, in the background, and again while it is "
        "used; what the feed refuses is given to nobody. `false` for a server that refuses its index page and serves the packages.",
        "verify = false",
    ),
    "allow": KeyText(
        "In the system broker: which users and groups may use the feed. Without it only root may.",
        'allow = { users = ["jane"], groups = ["developers"] }',
    ),
}

SECRET = "Where the secret is, in one of the forms above, never the secret itself."

PROVIDER: dict[str, dict[str, KeyText]] = {
    "azure": {
        "tenant": KeyText(
            "The Entra tenant to sign in to: its id or a domain; else the one that the feed names.",
            'tenant = "acme.example"',
        ),
        "account": KeyText(
            "Which account signs in, where several could. It has an `az` sign-in of its own.",
            'account = "me@acme.example"',
        ),
        "token": KeyText(
            "`session` or `entra` forces that kind of token; else users get a session token, applications their Entra token.",
            'token = "entra"',
        ),
        "scope": KeyText("What a session token may do at addresses that do not say it.", 'scope = "publish"'),
        "client_id": KeyText(
            "The application or managed identity that signs in.",
            'client_id = "66666666-6666-6666-6666-666666666666"',
        ),
        "secret": KeyText(
            SECRET + " With `client_id` the application's secret, without it a personal access token.",
            'secret = "env:AZURE_PAT"',
        ),
        "certificate": KeyText(
            "The file with the application's certificate and its key.",
            'certificate = "/etc/ssl/private/app.pem"',
        ),
        "service_connection_id": KeyText(
            "The service connection whose identity an Azure Pipelines job takes.",
            'service_connection_id = "77777777-7777-7777-7777-777777777777"',
        ),
        "login_hosts": KeyText(
            "Hosts of a sovereign cloud that may sign in; the first one is asked.",
            'login_hosts = ["login.microsoftonline.us"]',
        ),
        "authorities": KeyText(
            "Hosts of a sovereign cloud that may exchange tokens.", 'authorities = ["vssps.example.us"]'
        ),
        "auth": KeyText("The ways to sign in, tried in this order.", 'auth = ["azure-cli"]'),
    },
    "google": {
        "credentials": KeyText("A file of application credentials.", 'credentials = "~/keys/reader.json"'),
        "account": KeyText("One of gcloud's accounts.", 'account = "me@acme.example"'),
        "impersonate": KeyText(
            "The service account to act as.", 'impersonate = "reader@acme.iam.gserviceaccount.com"'
        ),
        "secret": KeyText(
            SECRET + " It is a service account's key, in base64.", 'secret = "file:~/.reader-key"'
        ),
        "username": KeyText(
            "What the secret is: a key in base64, or an access token.", 'username = "_json_key_base64"'
        ),
    },
    "codeartifact": {
        "profile": KeyText("A profile of AWS's own files.", 'profile = "build"'),
        "role": KeyText("The role to assume.", 'role = "arn:aws:iam::123456789012:role/reader"'),
        "duration": KeyText(
            'How long a token is to live, from 15 minutes to 12 hours, or `"0s"`: as long as the role\'s session.',
            'duration = "1h"',
        ),
        "domain": KeyText(
            "The domain, where the address does not name it (a VPC endpoint).", 'domain = "acme"'
        ),
        "owner": KeyText("The domain owner's account number, for the same.", 'owner = "123456789012"'),
        "region": KeyText("The region, for the same.", 'region = "eu-central-1"'),
        "secret": KeyText(
            SECRET + " It is a token that another program got.", 'secret = "env:CODEARTIFACT_AUTH_TOKEN"'
        ),
        "username": KeyText("Always `aws`; may be written as AWS's guides do.", 'username = "aws"'),
    },
    "gitlab": {
        "username": KeyText(
            "A deploy token's own name; other tokens go with any.", 'username = "gitlab+deploy-token-1"'
        ),
        "secret": KeyText(
            SECRET + " Without it a CI job's own token is taken.", 'secret = "file:~/.gitlab-token"'
        ),
    },
    "artifactory": {
        "username": KeyText("The user of the password or token.", 'username = "ci"'),
        "secret": KeyText(
            SECRET + " A password, an identity token, or the assertion for `oidc`.",
            'secret = "env:ARTIFACTORY_TOKEN"',
        ),
        "refresh": KeyText(
            "Where a refresh token is, in the forms of `secret`. It works once.",
            'refresh = "env:ARTIFACTORY_REFRESH"',
        ),
        "oidc": KeyText("The provider's name in JFrog's OIDC integration, for a CI job.", 'oidc = "github"'),
        "audience": KeyText("What that integration wants as the assertion's audience.", 'audience = "jfrog"'),
        "mapping": KeyText("The identity mapping, where it must be named.", 'mapping = "ci-read"'),
        "project": KeyText("The project key, where it must be named.", 'project = "acme"'),
        "aws": KeyText("The region in which the machine's AWS role says who it is.", 'aws = "eu-central-1"'),
        "profile": KeyText("The AWS profile, for `aws`.", 'profile = "build"'),
        "jf": KeyText("The server ID under which the JFrog CLI keeps a sign-in.", 'jf = "acme"'),
    },
    "cloudsmith": {
        "username": KeyText("The user of the key; most keys go with `token`.", 'username = "token"'),
        "secret": KeyText(
            SECRET + " An API key or entitlement token; without it `CLOUDSMITH_API_KEY` is read.",
            'secret = "env:CLOUDSMITH_KEY"',
        ),
        "service": KeyText(
            "The slug of the service account whose token a job's assertion is exchanged for.",
            'service = "ci-reader"',
        ),
        "owner": KeyText("The namespace, where the address does not name it.", 'owner = "acme"'),
        "audience": KeyText(
            "What the provider settings want as the assertion's audience.", 'audience = "acme"'
        ),
    },
    "nexus": {
        "username": KeyText("The user, or a user token's name code.", 'username = "ci"'),
        "secret": KeyText(SECRET, 'secret = "netrc"'),
    },
    "oauth2": {
        "token_endpoint": KeyText(
            "Where tokens are asked for.", 'token_endpoint = "https://sso.example.com/token"'
        ),
        "client_id": KeyText("The client's id.", 'client_id = "pypi-reader"'),
        "secret": KeyText(SECRET + " It is the client's.", 'secret = "env:CLIENT_SECRET"'),
        "scope": KeyText("The scope that the server is asked for.", 'scope = "packages:read"'),
        "audience": KeyText("The audience that the server is asked for.", 'audience = "registry"'),
        "client_auth": KeyText(
            "Whether the secret is sent in a header (`basic`) or in the body (`post`).",
            'client_auth = "post"',
        ),
        "username": KeyText("The username that the registry wants with the token.", 'username = "oauth2"'),
    },
    "basic": {
        "username": KeyText("The user of the password.", 'username = "me"'),
        "secret": KeyText(SECRET, 'secret = "file:~/.feed-password"'),
    },
    "command": {
        "command": KeyText(
            "The program that prints a token, and its arguments. No shell is between.",
            'command = ["print-my-token", "--json"]',
        ),
        "username": KeyText("The username, where the program prints none.", 'username = "me"'),
    },
}
"""By provider and key."""

NEEDED_BESIDE: dict[tuple[str, str], dict[str, str]] = {
    ("google", "username"): {"secret": "env:KEY"},
    ("artifactory", "refresh"): {"secret": "env:TOKEN"},
    ("artifactory", "audience"): {"oidc": "github"},
    ("artifactory", "mapping"): {"oidc": "github"},
    ("artifactory", "project"): {"oidc": "github"},
    ("artifactory", "profile"): {"aws": "eu-central-1"},
    ("artifactory", "username"): {"secret": "env:TOKEN"},
    ("codeartifact", "domain"): {"owner": "123456789012"},
    ("codeartifact", "owner"): {"domain": "acme"},
    ("codeartifact", "region"): {"domain": "acme", "owner": "123456789012"},
    ("codeartifact", "username"): {"secret": "env:CODEARTIFACT_AUTH_TOKEN"},
    ("azure", "client_id"): {"secret": "env:APP_SECRET"},
    ("basic", "username"): {"secret": "env:TOKEN"},
    ("nexus", "username"): {"secret": "env:TOKEN"},
    ("command", "username"): {"command": "print-my-token"},
}
"""Further keys without which a model refuses the example."""
