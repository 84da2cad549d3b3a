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

_LENGTH = "size_t count, lengths = 0, length = 0, status;  ->  size_t count, lengths = 0, length ="
_VERSION = "if (memcmp(received, version, received_bytes < 7 ? received_bytes : 7) != 0)  ->  "

SHIM = {
    "parse_command": {
        'const char *mode = "password", *format = "plain", *words[3] = {NULL, NULL, NULL};  ->  '
        'const char *mode = "password", *format = "plain", *words[(3 + 1)] = {NULL, NULL, NULL};': (
            "a longer array holds the same three words"
        ),
    },
    "parse_answer": {
        f"{_LENGTH} (0 + 1), status;": "an answer without a length is refused whatever this is",
        f"{_LENGTH} (0 - 1), status;": "the same",
        f"{_VERSION}if (memcmp(received, version, received_bytes <= 7 ? received_bytes : 7) != 0)": (
            "of seven bytes seven are compared either way"
        ),
        f"{_VERSION}if (memcmp(received, version, received_bytes < (7 + 1) ? received_bytes : 7) != 0)": (
            "the same"
        ),
        'const char *next = memmem(field + 2, (size_t)(end - field), "\\r\\n", 2);  ->  '
        'const char *next = memmem(field + (2 + 1), (size_t)(end - field), "\\r\\n", 2);': (
            "no header before the end is empty, so its first byte is none of its end"
        ),
    },
    "judge_credential": {
        "if (count > 0 && reply->body[count - 1] == '\\n') {  ->  "
        "if (count > (0 + 1) && reply->body[count - 1] == '\\n') {": (
            "a body of one newline has no password either way"
        ),
        "count--;  ->  ;": "a line alone is refused by its end instead of by its missing newline",
    },
}
