import configparser
import tomllib

import pytest

from broker.ctl.setup.keyring_settings import (
    UV_LINE,
    UnreadableSettingsError,
    uv_provider,
    with_pip_line,
    with_uv_line,
    without_line,
)

UV_FILES = [
    "",
    "# mine\n",
    "offline = true\n",
    "[pip]\nstrict = true\n",
    'x = """\n[a]\n"""\n',
    "\n\n",
    "a = 1",
]
PIP_FILES = [
    "",
    "[global]\n",
    "[global]",
    "[global]\ntimeout = 1\n",
    "[install]\nuser = yes",
    "# c\n[install]\nfind-links =\n    /a\n    /b\n\n[global]\n# c\ntimeout = 1\n",
    " [global] \ntimeout = 1\n",
    "[global] # ours\ntimeout = 1\n",
    "[global]; ours\n",
]


@pytest.mark.parametrize("text", [*UV_FILES, *(text.replace("\n", "\r\n") for text in UV_FILES)])
def test_uv_settings_gain_one_line_and_lose_nothing(text: str) -> None:
    edited = with_uv_line(text)

    assert tomllib.loads(edited) == {**tomllib.loads(text), "keyring-provider": "subprocess"}
    assert edited.endswith(text)
    assert edited.count("\r") == (text.count("\r") + 1 if "\r" in text else 0)


@pytest.mark.parametrize("text", UV_FILES)
def test_a_byte_order_mark_stays_first_in_uvs_settings_and_hides_no_line(text: str) -> None:
    edited = with_uv_line(f"\ufeff{text}")

    assert edited == f"\ufeff{with_uv_line(text)}"
    assert (uv_provider(f"\ufeff{text}"), uv_provider(edited)) == (None, "subprocess")
    assert without_line(edited, UV_LINE) == f"\ufeff{text}"


def test_a_byte_order_mark_is_named_for_which_pip_refuses_its_settings() -> None:
    with pytest.raises(UnreadableSettingsError, match="begun with a byte order mark, which pip refuses"):
        with_pip_line("\ufeff[global]\n")


@pytest.mark.parametrize("text", [*PIP_FILES, *(text.replace("\n", "\r\n") for text in PIP_FILES)])
def test_pip_settings_gain_the_provider_and_lose_nothing(text: str) -> None:
    before, after = configparser.RawConfigParser(), configparser.RawConfigParser()
    before.read_string(text)

    after.read_string(with_pip_line(text))

    assert after["global"]["keyring-provider"] == "subprocess"
    after.remove_option("global", "keyring-provider")
    assert {name: dict(after[name]) for name in before.sections()} == {
        name: dict(before[name]) for name in before.sections()
    }


@pytest.mark.parametrize("text", ["[global]\nx = 1\n[global]\ny = 2\n", "no section\n"])
def test_pip_settings_that_pip_would_refuse_are_not_edited(text: str) -> None:
    with pytest.raises(UnreadableSettingsError):
        with_pip_line(text)


@pytest.mark.parametrize(
    ("text", "then"),
    [("a\nb\nc\n", "a\nc\n"), ("  b  \n", ""), ("bb\n", "bb\n"), ("b\nb\n", "b\n"), ("a\nb", "a\n")],
)
def test_only_the_one_line_is_taken_out(text: str, then: str) -> None:
    assert without_line(text, "b") == then
