"""What somebody else wrote, a project's file or a folder's name, as a part of one line on a screen. Pure."""


def one_line(text: str) -> str:
    """The text with what a terminal would obey or a line would break at escaped."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
