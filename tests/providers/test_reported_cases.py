"""The cases of vendors' tools and hosts that people reported in public, each with the test that feeds it."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
_VENDORS = "tests/providers/test_vendors_of_the_field.py::"
_NOISY = _VENDORS + "test_a_noisy_answer_is_served"
_FAILS = _VENDORS + "test_a_failure_is_told_with_what_to_type"
_FORMS = "tests/providers/test_credential_formats.py::test_every_form_of_json_is_found_in_text"


class Reported(NamedTuple):
    """`source` is where it was reported or documented, `outcome` what a person gets.

    `fed` stands in the file of `test`, as it was seen there.
    """

    source: str
    fed: str
    outcome: str
    test: str


REPORTED = {
    "CodeArtifact's dual-stack host": Reported(
        *("keyrings.codeartifact#36, codeartifact-gradle-plugin#822", ".codeartifact.", "served"),
        "tests/providers/test_recognise.py::test_codeartifact_has_both_network_forms_of_its_host",
    ),
    "a session of `aws login` without awscrt": Reported(
        "aws-cli#9949", "botocore[crt]", "told: pip install", _FAILS
    ),
    "AWS_PROFILE of the shell": Reported(
        *("keyrings.codeartifact#8", "AWS_PROFILE", "a new sign-in is noticed"),
        "tests/providers/codeartifact/test_codeartifact.py::"
        "test_a_variable_that_chooses_who_signs_in_changes_the_marks",
    ),
    "CODEARTIFACT_AUTH_TOKEN": Reported(
        *("AWS's and uv's pages", "CODEARTIFACT_AUTH_TOKEN", "served"),
        "tests/providers/codeartifact/test_codeartifact.py::"
        "test_a_token_of_another_program_is_read_where_it_is",
    ),
    "az signed in by --identity": Reported(
        *("azure-cli#26775", "Tenant shouldn't be specified", "served"),
        _VENDORS + "test_az_signed_in_as_the_machine_is_asked_once_more_without_the_tenant",
    ),
    "a damaged cache of MSAL": Reported(
        *(
            "azure-cli#21848, #20749, #23155, #29996",
            "msal_token_cache.json",
            "told: rm -f ...",
        ),
        "tests/providers/azure/test_az_errors.py::"
        "test_a_damaged_token_cache_is_named_with_the_line_that_removes_it",
    ),
    "colours after the JSON": Reported("azure-sdk-for-python#18664", "ESC[0m after it", "served", _NOISY),
    "CRLF in WSL": Reported("az.cmd in WSL", "CRLF (az.cmd in WSL)", "served", _NOISY),
    "an az whose interpreter is gone": Reported(
        *("azure-sdk-for-net#12841", "cannot be run", "told: the interpreter"),
        "tests/providers/azure/test_azure_cli.py::test_az_that_is_there_and_cannot_be_run_is_no_missing_az",
    ),
    "Azure ML's identity": Reported(
        *("azure-sdk-for-python#30427", "DEFAULT_IDENTITY_CLIENT_ID", "served"),
        "tests/providers/azure/test_applications.py::test_the_identity_of_an_azure_ml_compute_is_the_one_it_names",
    ),
    "console messages of azd": Reported("azure-dev#7700", "consoleMessage", "served", _NOISY),
    "gcloud without an end": Reported(
        *("gcloud 528", '"token_expiry": None', "served, asked again after minutes"),
        "tests/providers/google/test_google.py::test_a_token_without_an_end_is_no_endless_one",
    ),
    "a dead refresh token of Artifactory": Reported(
        *("jfrog-cli#2490", '"NOT_FOUND"', "told"),
        "tests/providers/test_artifactory.py::test_a_dead_refresh_token_is_told_by_the_answers_body",
    ),
    "a token as OAuth prints it": Reported("RFC 6749, section 5.1", '"expires_in"', "served", _FORMS),
    "a token as Vault prints it": Reported("Vault's API", '"lease_duration"', "served", _FORMS),
    "a token as az prints it": Reported("az account get-access-token", '"accessToken"', "served", _FORMS),
    "a token as aws prints it": Reported(
        "aws codeartifact get-authorization-token", '"authorizationToken"', "served", _FORMS
    ),
    "Cloudsmith in a job": Reported(
        *("Cloudsmith's API, Openid Create; cloudsmith-cli#267", "oidc", "served"),
        "tests/providers/test_cloudsmith.py::test_the_assertion_of_every_kind_of_job_is_exchanged",
    ),
    "jf's own servers": Reported(
        *("jfrog-cli, `jf atc`", "atc --server-id=acme", "served"),
        "tests/providers/test_jfrog_cli.py::test_jf_is_asked_for_a_token_of_an_hour",
    ),
    "Artifactory with a role of AWS": Reported(
        *("JFrog's rotation for AWS, POST /access/api/v1/aws/token", "role", "served"),
        "tests/providers/test_jfrog_aws.py::test_a_role_is_exchanged_for_a_token",
    ),
    "a token in the place of a user name": Reported(
        *("pages of Fury and Cloudsmith", "ghp_", "in no hint"),
        "tests/ctl/test_shown_commands.py::test_a_command_is_shown_without_its_passwords",
    ),
}
"""21 cases, as they were found in public in November 2026."""


@pytest.mark.parametrize("case", REPORTED.values(), ids=REPORTED)
def test_each_reported_case_is_fed_to_the_test_that_is_named(case: Reported) -> None:
    file, _, name = case.test.partition("::")
    text = (ROOT / file).read_text(encoding="utf-8")

    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    [named] = [
        node for node in ast.parse(text).body if isinstance(node, functions) and node.name == name
    ]  # at the top, where pytest collects it
    assert name.startswith("test_")
    assert not [mark for mark in named.decorator_list if "skip" in ast.unparse(mark)]
    assert case.fed in text


def test_there_are_twenty_one_cases() -> None:
    assert len(REPORTED) == 21
