"""A hint never names the command that prints it: then this is what to type instead."""

OTHERWISE = {"doctor": "brokerctl logs"}
"""By verb; for every other one it is the doctor."""


def other_than(hint: str | None, verb: str) -> str | None:
    """The hint, or another one where it is the command that is running; None stays None.

    A command line with options of its own, such as `brokerctl doctor --fix`, does something else.
    """
    words = [] if hint is None else hint.removeprefix("sudo ").split()
    names_itself = words[:2] == ["brokerctl", verb] and not any(word.startswith("--") for word in words)
    return OTHERWISE.get(verb, "brokerctl doctor") if names_itself else hint
