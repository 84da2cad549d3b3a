"""A hint never names the command that prints it: then this is what to type instead."""

OTHERWISE = {"doctor": "brokerctl logs", "doctor --fix": "brokerctl setup"}
"""By command; for every other one it is the doctor. `setup` takes the steps that `doctor --fix` takes."""


def other_than(hint: str | None, *commands: str) -> str | None:
    """The hint, or another one where it is one of the commands that run, such as `doctor`; None stays None.

    A line with options of its own, such as `brokerctl doctor --fix`, does something else: who runs that one
    names both. So does `sudo brokerctl refresh corp`, unless it only looks, as the doctor does.
    """
    words = [] if hint is None else hint.removeprefix("sudo ").split()
    if words[:1] != ["brokerctl"]:
        return hint
    options = [word for word in words[2:] if word.startswith("--")]
    named = " ".join([*words[1:2], *options])
    is_roots = hint is not None and hint.startswith("sudo ") and named not in OTHERWISE
    return OTHERWISE.get(named, "brokerctl doctor") if named in commands and not is_roots else hint
