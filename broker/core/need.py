"""When a feed needs a person or has nothing to answer with: by two facts of its status, and no import.

`brokerctl status --short` stands in prompts and reads nothing else.
"""

EMPTY = "empty"
SIGN_IN_NEEDED = "sign-in-needed"
"""Two of the words of `core.refresh.State`."""


def needs_help(state: str, *, usable: bool) -> bool:
    """Whether a look-up would get no credential although one was tried, or a person must sign in.

    For `brokerctl status` and `doctor` alike. A renewal that failed is no need while the token lives.
    """
    return state == SIGN_IN_NEEDED or not (usable or state == EMPTY)
