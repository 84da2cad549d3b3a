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

SHIM: dict[str, dict[str, str]] = {}
