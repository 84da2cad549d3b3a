"""Completion of brokerctl's verbs and options in bash, zsh and fish, made from the verbs themselves.

Not by click's own scripts (click.shell_completion): those start brokerctl at each press of Tab, which costs
0.4 s of CPU time. These scripts contain the words, and go on working while brokerctl is being upgraded.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from typer.core import TyperGroup

from broker.ctl.setup.file_changes import Write
from broker.ctl.setup.plan import Step
from broker.ctl.setup.user_dirs import UserDirs

BASH = """\
# Completion of brokerctl for bash; written by `brokerctl setup`.
_brokerctl() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} words
    if [ "$COMP_CWORD" -eq 1 ]; then
        words="{verbs}"
    else
        case ${{COMP_WORDS[1]}} in
{cases}
        esac
    fi
    COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o default -F _brokerctl brokerctl
"""

ZSH = """\
#compdef brokerctl
# Completion of brokerctl for zsh; written by `brokerctl setup`. Put its folder into fpath before compinit.
local -a offered
if (( CURRENT == 2 )); then
    offered=({verbs})
else
    case $words[2] in
{cases}
    esac
fi
compadd -a offered || _files
"""

FISH = """\
# Completion of brokerctl for fish; written by `brokerctl setup`.
complete -c brokerctl -f -n __fish_use_subcommand -a "{verbs}"
{cases}
"""

Verbs = Mapping[str, Sequence[str]]
"""By verb, its options."""


def completion_step(user_dirs: UserDirs, verbs: Verbs) -> Step:
    """The files for the shells that are installed, each where its shell looks by itself, if it does."""
    texts = {"bash": bash, "zsh": zsh, "fish": fish}
    files = completion_files(user_dirs)
    found = {shell: file for shell, file in files.items() if user_dirs.program(shell) is not None}
    said = f"for {', '.join(found)}" if found else "none: neither bash nor zsh nor fish is here"
    if "zsh" in found:
        said += f" (zsh: fpath+=({user_dirs.shown(found['zsh'].parent)}) before compinit)"
    return Step("completion", said, [Write(path, texts[shell](verbs)) for shell, path in found.items()])


def completion_files(user_dirs: UserDirs) -> dict[str, Path]:
    """The file of each shell."""
    return {
        "bash": user_dirs.belongings / "bash-completion" / "completions" / "brokerctl",
        "zsh": user_dirs.belongings / "zsh" / "site-functions" / "_brokerctl",
        "fish": user_dirs.settings / "fish" / "completions" / "brokerctl.fish",
    }


def verbs_and_options(brokerctl: TyperGroup) -> Verbs:
    """Every verb of brokerctl with its options."""
    return {
        name: [option for each in command.params for option in each.opts if option.startswith("--")]
        + ["--help"]
        for name, command in brokerctl.commands.items()
    }


def bash(verbs: Verbs) -> str:
    """The script for bash."""
    cases = (f'            {verb}) words="{" ".join(options)}" ;;' for verb, options in verbs.items())
    return BASH.format(verbs=" ".join([*verbs, "--help", "--version"]), cases="\n".join(cases))


def zsh(verbs: Verbs) -> str:
    """The function for zsh."""
    cases = (f"        {verb}) offered=({' '.join(options)}) ;;" for verb, options in verbs.items())
    return ZSH.format(verbs=" ".join([*verbs, "--help", "--version"]), cases="\n".join(cases))


def fish(verbs: Verbs) -> str:
    """The commands for fish."""
    cases = [
        f'complete -c brokerctl -n "__fish_seen_subcommand_from {verb}" -l {option.removeprefix("--")}'
        for verb, options in verbs.items()
        for option in options
    ]
    return FISH.format(verbs=" ".join(verbs), cases="\n".join(cases))
