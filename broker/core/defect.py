"""How a defect is named in a line to show: its kind and its place, never its text: it may hold a secret."""


def name_of(defect: BaseException) -> str:
    """The kind of the defect and where it was raised, such as `OverflowError in refresh.py line 91`."""
    kind, trace = type(defect).__name__, defect.__traceback__
    if trace is None:
        return kind
    while trace.tb_next is not None:
        trace = trace.tb_next
    file = trace.tb_frame.f_code.co_filename.rpartition("/")[2]
    return f"{kind} in {file} line {trace.tb_lineno}"
