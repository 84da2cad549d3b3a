"""Why a program did not come to its own end."""


class RunFailure(Exception):  # noqa: N818 - a family of outcomes
    """The program did not come to its own end; the message names it and nothing that it wrote."""

    def __init__(self, program: str, what: str) -> None:
        super().__init__(f"{program} {what}")
        self.program = program


class NotFound(RunFailure):
    """There is no such program on the path."""

    def __init__(self, program: str) -> None:
        super().__init__(program, "was not found")


class CannotRun(RunFailure):
    """The program is there and will not run until it is repaired; `reason` says what is wrong with it."""

    def __init__(self, program: str, reason: str) -> None:
        super().__init__(program, f"cannot be run: {reason}")
        self.reason = reason


class NoResources(RunFailure):
    """The program was not started for want of something that comes back by itself; `reason` says of what."""

    def __init__(self, program: str, reason: str) -> None:
        super().__init__(program, f"could not be started: {reason}")
        self.reason = reason


class TimedOut(RunFailure):
    """The program did not end within its limit, and was killed with all it had started."""

    def __init__(self, program: str, limit_s: float) -> None:
        super().__init__(program, f"did not end within {limit_s:g} s")
        self.limit_s = limit_s


class TooMuchOutput(RunFailure):
    """The program wrote more than it may, and was killed with all it had started."""

    def __init__(self, program: str) -> None:
        super().__init__(program, "wrote more than it may")
