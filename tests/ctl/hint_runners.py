"""Which test types each line that people can be told to type, by the line as `hint_source` reads it."""

from __future__ import annotations

from tests.ctl.test_typed_hints import FOREIGN, OWN

_TYPED = "tests/ctl/test_typed_hints.py::"
_LISTEN = "tests/server/test_listen.py::"
_SHIM = "tests/contract/test_repairs.py::test_the_line_that_a_shim_tells_gets_the_answer"
_FOLDER = "tests/contract/test_repairs.py::test_daemon_names_a_folder_for_the_socket_alone_and_that_repairs"
_WHY = "tests/e2e/test_why_in_the_field.py::test_cause_and_place_are_named_and_the_line_repairs_it"
_VENDORS = "tests/providers/test_vendors_of_the_field.py::test_every_hint_is_a_line_that_a_shell_runs"
_REPEATED = (
    "tests/providers/test_vendors_of_the_field.py::"
    "test_a_failure_that_is_not_known_is_repeated_by_its_hint_without_showing_a_token"
)
_REAL_AZ = "tests/providers/azure/test_real_az_signed_in.py::test_the_real_az_knows_every_option_of_the_hints"
_SCREENS = "tests/e2e/test_states_on_screens.py::test_line_that_is_told_repairs_the_feed"
_SHOWN = _TYPED + "test_a_line_that_shows_a_file_shows_it_whatever_its_name"
_SERVICE = "tests/ctl/test_service.py::"
_UNDO = "tests/ctl/test_undo_log.py::test_undo_script_does_the_same_when_brokerctl_is_gone"
_UNDO_KEEPS = "tests/ctl/test_undo_log.py::test_undo_script_names_what_was_changed_and_leaves_it"
_SECRETS = "tests/providers/test_secret_reader.py::"
_PIPELINE = "tests/providers/azure/test_pipeline_hints.py::test_each_agent_has_its_lines"
_JOB = _SECRETS + "test_a_variable_that_a_job_lacks_is_mapped_in_its_pipelines_file"
_SET_UP = "tests/ctl/test_setup.py::"
_EXEC = "tests/ctl/test_exec.py::"

RUNNERS: dict[str, str] = {
    **dict.fromkeys(OWN, _TYPED + "test_a_line_of_brokerctls_own_does_what_it_says"),
    **dict.fromkeys(FOREIGN, _TYPED + "test_a_line_of_another_program_reaches_it_as_it_is_written"),
    "aws --version": (
        "tests/providers/codeartifact/test_codeartifact.py::"
        "test_an_aws_cli_that_cannot_be_run_is_told_in_place_of_a_sign_in_with_it"
    ),
    "aws configure": _VENDORS,
    "aws configure sso": _VENDORS,
    "aws login": _VENDORS,
    "aws sso login": _VENDORS,
    "aws sso login{}": _VENDORS,
    "az account set": _VENDORS,
    "az account show": "tests/ctl/test_no_processes.py::test_an_az_that_finds_no_process_is_not_signed_out",
    "az account show --debug": _REAL_AZ,
    "az ad app credential reset --id {}": _REAL_AZ,
    "az ad app credential reset --id {} --append --cert {}": _REAL_AZ,
    "az ad app federated-credential list --id APP_ID": _REAL_AZ,
    "az ad app federated-credential list --id {}{}": _REAL_AZ,
    "az login": _SCREENS,
    "azd auth login": _VENDORS,
    "gcloud auth application-default login": _VENDORS,
    "gcloud auth login": _VENDORS,
    "gcloud auth login {}": _VENDORS,
    "rm -f {}/{} && {}": (
        "tests/providers/azure/test_real_az_signed_in.py::test_the_hint_for_a_damaged_cache_repairs_it"
    ),
    "{} {}": _REPEATED,
    "{}{}": _REPEATED,
    "{} --{}": "tests/e2e/test_sign_in.py::test_a_browser_signs_in_that_only_the_shell_opens",
    "brokerctl doctor --fix": (
        "tests/ctl/test_doctor_clients.py::test_keyring_provider_is_turned_on_by_the_fix"
    ),
    "brokerctl exec -- COMMAND": _EXEC + "test_command_sees_a_private_broker",
    "brokerctl exec -- uv sync": _EXEC + "test_uv_syncs_a_frozen_project_whose_files_lie_elsewhere",
    "brokerctl login {}": (
        "tests/e2e/test_sign_in.py::test_a_code_signs_in_and_every_feed_of_the_organisation_is_ready"
    ),
    "brokerctl restart": _SERVICE + "test_restart_is_another_process",
    "brokerctl setup": _SET_UP + "test_link_leads_to_this_installations_shim",
    "brokerctl setup --clients": (
        "tests/ctl/test_client_backends.py::test_client_gets_our_backend_and_teardown_takes_it_away"
    ),
    "brokerctl setup --replace": _SET_UP + "test_keyring_that_was_replaced_still_gets_what_is_not_ours",
    "brokerctl setup {}": "tests/systemd/test_all_users.py::test_units_are_without_a_complaint_of_systemd",
    "brokerctl setup {} --replace": (
        "tests/ctl/test_target_root.py::test_another_keyring_stays_until_it_is_said"
    ),
    "sudo brokerctl setup --all-users": (
        "tests/systemd/test_all_users.py::test_the_doctor_finds_nothing_wrong"
    ),
    "brokerctl share {} --for {} --name {}": (
        "tests/e2e/test_shares.py::"
        "test_container_goes_on_through_the_end_a_renewal_and_a_restart_of_the_daemon"
    ),
    "brokerctl start": _SERVICE + "test_broker_starts_answers_and_stops",
    "brokerctl exec --gateway -- {}": (
        "tests/e2e/test_why_in_the_field.py::"
        "test_the_last_line_runs_the_command_behind_the_gateway_and_that_succeeds"
    ),
    "brokerctl why -- uv sync": _WHY,
    "brokerctl why -- {}": _WHY,
    "brokerd --socket": _FOLDER,
    "chmod 600 {}": _SECRETS + "test_a_file_that_every_user_may_read_is_refused_with_the_cure",
    "chmod 700 {}": _LISTEN + "test_an_open_directory_is_refused_and_the_hint_repairs_it",
    "chmod go-w {}": (
        "tests/config/test_files.py::test_a_file_that_others_can_write_is_refused_with_the_repair"
    ),
    "chmod {} {}": _SHIM,
    "correct {}": (
        "tests/ctl/test_doctor_clients.py::"
        "test_settings_that_keep_a_client_from_starting_are_told_in_place_of_its_provider"
    ),
    "df -h {}": _LISTEN + "test_no_room_for_a_new_file_is_a_line_that_shows_where",
    'eval "export HOME=~$(id -un)"': "tests/contract/test_places.py::test_no_place_at_all_is_a_clear_error",
    'export PATH={}:"$PATH"': _WHY,
    "export SSL_CERT_FILE=$({} -P -m certifi)": (
        "tests/ctl/test_exec_gateway.py::test_a_system_without_authorities_is_told_what_brings_them"
    ),
    "export TOKEN_BROKER_SOCKET=": _FOLDER,
    "export TOKEN_BROKER_SOCKET=/a/shorter/path": _SHIM,
    "export TOKEN_BROKER_SOCKET={}": (
        "tests/contract/test_repairs.py::test_shim_names_a_folder_for_the_socket_alone_and_that_repairs"
    ),
    "export TOKEN_BROKER_TRUST_UID={} if you trust it": _SHIM,
    "export {}=true": (
        "tests/ctl/test_poetry_settings.py::"
        "test_a_poetry_that_asks_no_keyring_is_told_with_its_place_and_the_line_that_makes_it_ask"
    ),
    "export {}={}": _WHY,
    "kill -9 {}": _SERVICE + "test_killed_broker_leaves_nothing_that_stops_the_next",
    "kill {}": "tests/ctl/test_doctor_broker.py::test_second_broker_is_found_unless_it_is_private",
    "ls -l {}": _SHOWN,
    "ls -ld {}": _SHOWN,
    "mkdir -p {};": _TYPED + "test_the_line_that_fills_a_file_keeps_it_for_its_owner",
    "umask 077; {}cat > {}": _TYPED + "test_the_line_that_fills_a_file_keeps_it_for_its_owner",
    "mv {} {}": _LISTEN + "test_a_file_for_a_directory_is_refused",
    "sudo mv {} {}": _LISTEN + "test_a_directory_of_another_user_is_refused",
    "ps -fp {}": (
        "tests/ctl/test_setup_lock.py::test_second_one_ends_after_a_while_and_names_the_process_that_is_at_it"
    ),
    "remove {} of {}": _WHY,
    'authenticate = "always"': _WHY,
    'url = "{}"': _WHY,
    "mv {} {}.not-mine": (
        "tests/contract/test_trust.py::test_folder_for_a_socket_is_told_with_a_line_that_clears_the_place"
    ),
    "rm -f {}": _LISTEN + "test_a_pipe_for_a_lock_is_refused",
    "rmdir {}": (
        "tests/config/test_files.py::"
        "test_a_folder_in_its_place_is_told_apart_and_an_empty_one_removed_by_the_line"
    ),
    "rm {}": _LISTEN + "test_a_symbolic_link_for_a_directory_is_refused",
    "sh {}": _UNDO,
    "sh {}/undo.sh (when brokerctl is gone)": _UNDO,
    "ln -s {} {} && rm -f {}": _UNDO_KEEPS,
    "systemctl --user status {}": "tests/systemd/test_after_setup.py::"
    "test_start_stop_and_restart_go_by_the_service_manager",
    "umask 077; mkdir -p {}; touch {}": (
        "tests/config/test_files.py::test_a_file_that_was_named_must_exist_and_the_line_makes_it"
    ),
    "unset TOKEN_BROKER_SOCKET": _SHIM,
    "unset {}": _WHY,
    "uv pip install --python {} {}": (
        "tests/host/test_installation.py::test_the_line_installs_both_packages_from_the_folder_of_wheels"
    ),
    "uv pip check --python {}": (
        "tests/host/test_installation.py::test_where_there_is_no_pip_uv_names_what_is_missing"
    ),
    "uv build --all-packages --out-dir wheels": (
        "tests/test_install_page.py::test_the_page_is_followed_from_wheels_to_uninstall"
    ),
    "uv lock": _WHY,
    "pip pip install --keyring-provider subprocess --index-url {} PACKAGE": (
        "tests/e2e/test_installs.py::test_client_installs_through_the_shim"
    ),
    "uv uv pip install --keyring-provider subprocess --index-url {} PACKAGE": (
        "tests/e2e/test_installs.py::test_client_installs_through_the_shim"
    ),
    "add to the job in .github/workflows: permissions: { id-token: write, contents: read } "
    "and env: { {} }": _PIPELINE,
    "add to the step in azure-pipelines.yml: env: { SYSTEM_ACCESSTOKEN: $(System.AccessToken) }": _PIPELINE,
    'add to its [[feed]], in place of "env:{}": "file:~/.config/token-broker/secrets/{}"': _SECRETS
    + "test_a_variable_that_a_service_lacks_is_led_to_a_file_and_not_to_a_secret_in_the_configuration",
    'export {}="$(cat)"': _SECRETS + "test_a_variable_that_a_private_broker_lacks_is_typed_into_its_shell",
    'add to the job in .github/workflows: env: { {}: "${{ secrets.{} }}" }': _JOB,
    "add to the step in azure-pipelines.yml: env: { {}: $({}) }": _JOB,
    'add to its [[feed]] ({}): secret = "{}"': _TYPED + "test_a_line_for_the_configuration_makes_it_work",
    'add to its [[feed]], in place of its secret: secret = "file:~/.config/token-broker/NAME"': (
        _TYPED + "test_a_line_for_the_configuration_makes_it_work"
    ),
    'also = ["{}"]': _TYPED + "test_a_line_for_the_configuration_makes_it_work",
    "${EDITOR:-vi} {}": _SECRETS + "test_a_netrc_that_cannot_be_used_is_led_to_the_editor",
    "add to {}: machine {} login {} password ...": (
        "tests/providers/test_secret_reader.py::test_the_line_for_a_netrc_without_an_answer_makes_it_answer"
    ),
    "add to {}: [Service] LoadCredentialEncrypted={}": (
        "tests/systemd/test_system_broker.py::"
        "test_a_member_gets_the_feed_by_the_shim_and_its_secret_from_the_unit"
    ),
}
"""A new line needs a row, and a row needs a test."""

OF_SCRIPTS = {
    "launchctl bootout {}/$(id -u)/{} 2>/dev/null": _UNDO,
    "systemctl stop {} {} 2>/dev/null": _UNDO,
    'systemctl --user daemon-reload 2>/dev/null [ "$(id -u)" != 0 ] || systemctl daemon-reload 2>/dev/null '
    'rm -r "$here"': _UNDO,
}
"""Lines of undo.sh, which is run whole."""

NOT_TYPED = {
    "check the address {}": "what a person looks at, in their own file or command",
    "check the name {}; {}": "what a person looks at, in their own file or command",
    "ask for it: {}": "who may change the system broker's file",
    "brokerctl doctor --fix repairs {}.": "a sentence that names a line of RUNNERS",
    "docker {}": "the heading of the container's line",
    "pip {}": "a client and its version",
    "pip {} asked no keyring program here; pip 26.2 and later do": "a sentence about a client",
    "pip {}.{} of the active environment": "a client and its version",
    "systemctl --user": "the name of a command in a refusal",
}
"""Literals that begin as a line does and are none."""
