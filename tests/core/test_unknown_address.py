"""What a person types next about an address that no feed has."""

import shlex

import pytest

from broker.core.unknown_address import adding, next_line
from broker.core.urls import parse_service


@pytest.mark.parametrize(
    ("service", "line"),
    [
        ("https://a.example/simple/", "brokerctl add https://a.example/simple/"),
        ("https://bob:sesame@a.example/simple/", "brokerctl add https://a.example/simple/"),
        ("a.example/simple", "brokerctl add https://a.example/simple/"),
        ("a.example", "brokerctl status"),
        ("a.example:8443", "brokerctl status"),
    ],
)
def test_a_url_can_be_added_and_a_host_cannot(service: str, line: str) -> None:
    assert next_line(parse_service(service)) == line


def test_the_address_is_one_word_for_a_shell() -> None:
    assert shlex.split(adding(parse_service("https://a.example/a&b/")) or "")[2:] == [
        "https://a.example/a&b/"
    ]
