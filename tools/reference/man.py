"""The manual pages, as roff: brokerctl.1 and brokerd.1 from the commands, token-broker.toml.5 from the models."""

import re
from collections.abc import Iterable

from tools.reference import configuration
from tools.reference.commands import daemon_options, verbs
from tools.reference.environment import VARIABLES
from tools.reference.exit_codes import exit_codes

NAME, SECTION = "token-broker", "Private Python package feeds"


def roff(text: str) -> str:
    """Return a text as roff shows it: code in bold, links as their words, nothing read as a request."""
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text).replace("\\", "\\e").replace("-", "\\-")
    text = re.sub(r"`([^`]*)`", r"\\fB\1\\fR", text)
    return f"\\&{text}" if text.startswith((".", "'")) else text


def _head(name: str, number: int, does: str) -> list[str]:
    return [
        '.\\" Made from the code by `python -m tools.reference`.',
        f'.TH {name.upper().replace("-", chr(92) + "-")} {number} "" "{NAME}" "{SECTION}"',
        ".SH NAME",
        f"{roff(name)} \\- {roff(does)}",
    ]


def _tagged(items: Iterable[tuple[str, str]]) -> list[str]:
    return [line for tag, text in items for line in (".TP", f".B {roff(tag)}", roff(text) or "\\&")]


def _ends() -> list[str]:
    return [
        ".SH EXIT STATUS",
        *_tagged((str(number), means) for number, means in exit_codes()),
        ".SH ENVIRONMENT",
        *_tagged(
            (name, means.means) for name, means in VARIABLES.items() if name.startswith("TOKEN_BROKER_")
        ),
    ]


def brokerctl() -> str:
    """brokerctl.1."""
    lines = _head("brokerctl", 1, "see, start and steer your token-broker")
    lines += [".SH SYNOPSIS", ".B brokerctl", "\\fIVERB\\fR [\\fIOPTION\\fR...]", ".SH VERBS"]
    for verb in verbs():
        lines.append(f'.SS "{roff(verb.usage)}"')
        for paragraph in verb.text:
            lines += [roff(paragraph), ".PP"]
        lines += _tagged(verb.options)
        lines += [".PP", f"Example: \\fB{roff(verb.example)}\\fR"]
    lines += [*_ends(), ".SH SEE ALSO", ".BR brokerd (1),", ".BR token\\-broker.toml (5)"]
    return "\n".join(lines) + "\n"


def brokerd() -> str:
    """brokerd.1."""
    lines = _head("brokerd", 1, "keep fresh credentials for Python package feeds")
    lines += [".SH SYNOPSIS", ".B brokerd", "[\\fIOPTION\\fR...]", ".SH DESCRIPTION"]
    lines += [
        "Runs in the foreground, logs to stderr, and serves credentials on a Unix socket.",
        "SIGHUP reads the configuration again, SIGTERM finishes what is under way and ends,",
        "SIGUSR1 forgets every token.",
        ".SH OPTIONS",
        *_tagged(daemon_options()),
        ".SH SEE ALSO",
        ".BR brokerctl (1),",
        ".BR token\\-broker.toml (5)",
    ]
    return "\n".join(lines) + "\n"


def toml() -> str:
    """token-broker.toml.5."""
    lines = _head("token-broker.toml", 5, "the configuration of token-broker")
    lines += [
        ".SH DESCRIPTION",
        roff(
            "The file is `~/.config/token-broker/config.toml`, over the site's `/etc/token-broker/config.toml`."
        ),
    ]
    for keys in configuration.key_tables():
        lines.append(f'.SH "{roff(keys.heading.replace("`", "")).upper()}"')
        lines += _tagged(
            (
                key.name,
                f"{key.text.means} Type: {key.type}; default: {key.default}. {_example(key.text.example)}".strip(),
            )
            for key in keys.keys
        )
    lines += [".SH SEE ALSO", ".BR brokerctl (1),", ".BR brokerd (1)"]
    return "\n".join(lines) + "\n"


def _example(text: str) -> str:
    return f"Example: `{text}`" if text else ""
