"""The mutants that nothing kills, each with the reason why nothing can: it says the same in other words.

Where it is, then the line and what became of it, as `test_core.py` and `test_shim.py` print a survivor.
"""

CORE = {
    "broker.core.refresh.x__doubled": {
        "return min(longest_s, first_s * 2.0 ** min(attempts - 1, 20))  ->  "
        "return min(longest_s, first_s * 2.0 ** min(attempts - 1, 21))": (
            "2**20 seconds are already longer than any wait; the bound only keeps the power from overflowing"
        ),
    },
    "broker.core.feeds.xǁFeedTableǁ_by_url": {
        "for length in range(len(url.segments), -1, -1):  ->  "
        "for length in range(len(url.segments), -2, -1):": (
            "a slice of length -1 is one that was looked up before"
        ),
    },
    "broker.core.urls.x_parse_service": {
        'scheme, rest = "https", text  ->  scheme, rest = "HTTPS", text': "what follows makes it lower case",
    },
    "broker.core.urls.x__host_and_port": {
        'host, bracket, colon_port = text[1:].partition("]")  ->  '
        'host, bracket, colon_port = text[1:].rpartition("]")': (
            "with a second bracket both halves are refused in the same words"
        ),
        'bracket = ""  ->  bracket = None': "it is only asked whether it is empty",
    },
}


def _with(line: str, old: str, new: str) -> str:
    return f"{line}  ->  {line.replace(old, new)}"


_WORDS = 'const char *mode = "password", *format = "plain", *words[3] = {NULL, NULL, NULL};'
_COLON = "if (count <= length || field[length] != ':')"
_LETTER = "if ((field[i] >= 'A' && field[i] <= 'Z' ? field[i] + ('a' - 'A') : field[i]) != name[i])"
_LEFT = "for (; *value_bytes > 0 && (**value == ' ' || **value == '\\t'); ++*value)"
_RIGHT = (
    "while (*value_bytes > 0 && ((*value)[*value_bytes - 1] == ' ' || (*value)[*value_bytes - 1] == '\\t'))"
)
_LENGTH = "uint64_t length = 0, status;"
_VERSION = "if (memcmp(bytes, version, wire.count < 7 ? wire.count : 7) != 0)"
_STATUS = (
    "if (bytes[8] != ' ' || !read_number(bytes + 9, 3, 3, &status) || "
    "(bytes[12] != ' ' && field != bytes + 12))"
)
_NEXT = "const char *next = find(field + 2, (size_t)(end - field), gap, 2);"
_NEWLINE = "if (count > 0 && reply->body[count - 1] == '\\n') {"

SHIM = {
    "parse_command": {
        _with(_WORDS, "[3]", "[(3 + 1)]"): "a longer array holds the same three words",
    },
    "is_header": {
        _with(_COLON, "<=", "<"): "what follows a field is a carriage return, no colon",
        _with(_LETTER, ">= 'A'", ">= ('A' - 1)"): "the sign before A is in no name, nor what it would become",
        _with(_LETTER, "<= 'Z'", "<= ('Z' + 1)"): "nor the one after Z",
        _with(_LETTER, "<= 'Z'", "< 'Z'"): "no name has a z",
        _with(_LETTER, "<= 'Z'", "<= ('Z' - 1)"): "the same",
        _with(_LEFT, "> 0", "> (0 + 1)"): "a blank alone is no length, nor is nothing",
        _with(_RIGHT, "> 0", "> (0 + 1)"): "the same",
    },
    "parse_answer": {
        _with(_LENGTH, "0", "(0 + 1)"): "an answer without a length is refused whatever this is",
        _with(_LENGTH, "0", "(0 - 1)"): "the same",
        _with(_VERSION, "<", "<="): "of seven bytes seven are compared either way",
        _with(_VERSION, "< 7", "< (7 + 1)"): "the same",
        _with(_NEXT, "+ 2", "+ (2 + 1)"): (
            "no header before the end is empty, so its first byte is none of its end"
        ),
        _with(_STATUS, "3, 3", "3, (3 + 1)"): "of three bytes there are never four",
    },
    "judge_credential": {
        _with(_NEWLINE, "> 0", "> (0 + 1)"): "a body of one newline has no password either way",
        "count--;  ->  ;": "a line alone is refused by its end instead of by its missing newline",
    },
}
