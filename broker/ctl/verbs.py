"""Every verb of brokerctl: where it is declared, and how it is read without the libraries. Loads nothing.

`app.py` makes typer's commands of it, and typer reads every command line; a few lines that are typed in
prompts, scripts and before other programs are read by `read_plainly` as well, which knows less: what is not
one of these words, in one of these places, is None, and typer's to judge. A test holds the two together.
"""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` costs half a bare start of Python; type checkers take this name as true
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_FEED_URL = "https://pkgs.dev.azure.com/acme/_packaging/corp/pypi/simple/"

VERBS = {
    "demo": ("broker.ctl.demo.verb:demo", ""),
    "setup": ("broker.ctl.setup.verb:setup", "--dry-run"),
    "teardown": ("broker.ctl.setup.verb:teardown", ""),
    "doctor": ("broker.ctl.doctor.verb:doctor", "--fix"),
    "status": ("broker.ctl.status.verb:status", "--watch"),
    "discover": ("broker.ctl.discover.verb:discover", ""),
    "add": ("broker.ctl.add.verb:add", _FEED_URL),
    "remove": ("broker.ctl.add.verb:remove", "corp"),
    "get": ("broker.ctl.get_verb:get", _FEED_URL),
    "explain": ("broker.ctl.explain:explain", _FEED_URL),
    "exec": ("broker.ctl.exec.verb:exec_", "-- uv sync"),
    "why": ("broker.ctl.why.verb:why", "-- uv sync"),
    "share": ("broker.ctl.share:share", "--feed corp --for 8h"),
    "login": ("broker.ctl.login_verbs:login", "corp"),
    "logout": ("broker.ctl.login_verbs:logout", "corp"),
    "refresh": ("broker.ctl.feed_actions:refresh", "corp"),
    "forget": ("broker.ctl.feed_actions:forget", "corp"),
    "reload": ("broker.ctl.feed_actions:reload", ""),
    "start": ("broker.ctl.service.verb:start", ""),
    "stop": ("broker.ctl.service.verb:stop", ""),
    "restart": ("broker.ctl.service.verb:restart", ""),
    "logs": ("broker.ctl.logs:logs", "--follow"),
}
"""By name, in the order of the help: the function that declares it, and the arguments in the example of its
own help.
"""

OF_A_COMMAND = ("exec", "why")
"""Verbs whose further words are a command's own, and that end with its code: their own failures are 125."""


class Plain:
    """How a verb is read without typer: by its switches, its options with a value, and one argument."""

    __slots__ = ("argument", "place", "switches", "values")

    def __init__(
        self,
        place: str,
        switches: Mapping[str, str],
        values: Mapping[str, str] | None = None,
        argument: str | None = None,
    ) -> None:
        self.place = place
        self.switches = switches
        self.values = values or {}
        self.argument = argument


PLAIN = {
    "status": Plain(
        "broker.ctl.status.status_forms:show_status",
        {"--json": "as_json", "--short": "short", "--watch": "watch"},
    ),
    "get": Plain("broker.ctl.get:print_credential", {"--json": "as_json"}, {"--username": "username"}, "url"),
    "exec": Plain(
        "broker.ctl.exec.run:run_exec",
        {
            "--gateway": "gateway",
            "--gateway=strict": "strict",
            "--github-env": "github_env",
            "--azure-pipelines": "azure_pipelines",
        },
    ),
    "why": Plain("broker.ctl.why.told_run:end_with_told_run", {"--json": "as_json"}),
}
"""By verb. Each function has the parameters of the verb's own, by the same names."""


def read_plainly(words: Sequence[str]) -> tuple[str, dict[str, object]] | None:
    """The function and its arguments that this command line means, or None where typer shall read it."""
    verb = words[0] if words else ""
    plain = PLAIN.get(verb)
    if plain is None:
        return None
    given: dict[str, object] = {}
    rest = list(words[1:])
    while rest:
        word = rest[0]
        if word in plain.switches:
            given[plain.switches[word]] = True
        elif word in plain.values and len(rest) > 1 and not rest[1].startswith("-"):
            given[plain.values[word]] = rest.pop(1)
        elif verb in OF_A_COMMAND and (word == "--" or not word.startswith("-")):
            break
        elif word.startswith("-") or plain.argument is None or plain.argument in given:
            return None
        else:
            given[plain.argument] = word
        del rest[0]
    if plain.argument is not None and plain.argument not in given:
        return None
    if verb in OF_A_COMMAND:
        given["command"] = rest[1:] if rest[:1] == ["--"] else rest
    return plain.place, given
