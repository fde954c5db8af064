"""What CI runs a part of, so that it stays short: the rest runs at night, `python -m tests -m nightly`.

A test that repeats over many values shows most of what it can with a few of them. Those that stay are spread evenly
over all, so that every dimension of a product has some.
"""

from __future__ import annotations

from collections import defaultdict

import pytest

CASES = {
    "access/test_axe.py::test_it_is_accessible": 36,
    "access/test_by_keyboard.py::test_answering_each_type": 3,
    "access/test_xss_forms.py::test_what_a_person_types_stays_text": 0,
    "cloud/test_budget.py::test_others_may_spend_seventy_an_hour_and_creates_still_go_out": 2,
    "cloud/test_listing.py::test_a_hundred_waiting_are_served_by_one_page": 1,
    "cloud/test_listing.py::test_wide_spans_take_turns": 1,
    "cloud/test_reading.py::test_whatever_its_habits_only_a_persons_approve_approves": 30,
    "cloud/test_sharing.py::test_when_the_poller_goes_another_goes_on": 0,
    "cluster/test_cluster.py::test_whatever_fails_each_question_is_kept_decided_and_told_once": 0,
    "inbox/test_answers.py::test_a_type_takes_what_fits_and_keeps_what_does_not": 4,
    "inbox/test_shown.py::test_letters_of_another_alphabet_that_look_alike_are_marked_and_explained": 2,
    "local/test_bad_states.py::test_a_database_of_a_newer_version_is_refused_and_left_alone": 0,
    "local/test_bad_states.py::test_a_database_replaced_by_garbage_is_named_and_left_alone": 0,
    "local/test_bad_states.py::test_a_truncated_database_is_named_and_left_alone": 1,
    "local/test_full_disk.py::test_a_disk_that_refuses_to_grow_files_is_named_and_the_service_goes_on_afterwards": 0,
    "local/test_full_disk.py::test_a_full_disk_is_named_at_a_later_start_and_nothing_is_lost": 0,
    "local/test_imposter.py::test_a_squatter_on_the_port_decides_nothing": 1,
    "local/test_many_open.py::test_each_overdue_request_is_closed_once_however_often_the_service_starts": 0,
    "local/test_starting.py::test_ten_clients_that_call_at_once_share_one_service_and_one_list": 0,
    "local/test_versions.py::test_an_older_service_inside_an_agents_process_is_replaced_as_well": 0,
    "sdk/test_contract.py::test_many_at_once_with_progress": 2,
    "sdk/test_contract.py::test_several_wait_and_each_hears_of_its_own": 1,
    "sdk/test_reviews_samples.py::test_a_sample_runs_as_it_stands": 8,
    "served/test_accounts.py::test_guessing_becomes_slow_and_locks_nobody_out": 1,
    "served/test_serve.py::test_sigterm_gives_every_waiting_call_its_handle": 1,
    "served/test_starting.py::test_a_server_killed_while_it_starts_holds_nobody_up": 0,
    "service/test_deadlines.py::test_more_than_one_batch_is_swept": 1,
    "service/test_fuzz.py::test_every_operation_answers_as_described": 2,
    "service/test_outbox.py::test_many_that_hang_leave_room_for_the_others": 1,
    "service/test_wakeups.py::test_a_stream_that_is_open_but_silent_is_not_trusted": 0,
    "service/test_wakeups.py::test_with_every_wake_up_dropped_all_decisions_still_arrive": 1,
    "test_cli.py::test_a_demo_that_is_ended_early_leaves_nothing": 1,
    "test_cli.py::test_answering_and_signing_in_need_a_person_at_a_terminal": 1,
    "tools/test_asking.py::test_a_no_is_a_result_and_not_an_approval": 2,
    "tools/test_asking.py::test_a_wait_that_ends_gives_a_handle_and_the_next_step": 1,
    "tools/test_asking.py::test_an_approval_reaches_the_agent_with_who_when_and_how": 2,
    "tools/test_asking.py::test_progress_says_in_words_what_is_waited_for": 1,
    "tools/test_cloud.py::test_a_persons_decision_in_the_app_reaches_the_agent": 1,
    "tools/test_compat.py::test_results_have_the_documented_shapes": 2,
    "tools/test_compat_added.py::test_a_call_can_wait_and_returns_what_the_person_answered": 2,
    "tools/test_dialog.py::test_a_client_without_forms_is_led_to_the_page_and_opening_it_answers_nothing": 1,
    "tools/test_dialog.py::test_a_dialog_that_is_not_filled_in_decides_nothing": 3,
    "tools/test_dialog.py::test_a_form_filled_in_wrongly_decides_nothing_and_is_told": 1,
    "tools/test_dialog.py::test_a_host_that_never_shows_its_dialogs_loses_nothing": 1,
    "tools/test_dialog.py::test_of_fifty_races_each_has_one_decision_and_both_sides_know_it": 1,
    "tools/test_dialog.py::test_whoever_is_first_decides_and_a_late_dialog_is_told_the_truth": 1,
    "tools/test_errors.py::test_a_wrong_key_and_a_dead_server_are_told_with_what_to_do": 1,
    "tools/test_looking.py::test_loops_and_requests_are_listed_with_the_inbox_and_no_secret": 1,
    "tools/test_resources.py::test_requests_and_loops_are_read_as_they_stand": 1,
    "tools/test_rounds.py::test_a_wait_goes_on_beyond_the_hosts_limit_and_asks_once": 1,
    "tools/test_rounds.py::test_after_eight_rounds_there_is_a_handle_and_the_model_saw_one_call": 1,
}  # fmt: skip
"""By a test's place below this folder: how many of its cases run in every CI."""


def mark_the_rest(items: list[pytest.Item]) -> None:
    """Mark what only runs at night."""
    found: defaultdict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        place, _, name = item.nodeid.removeprefix("tests/").partition("::")
        if item.get_closest_marker("nightly") is None:
            found[f"{place}::{name.partition('[')[0]}"].append(item)
    for name, count in CASES.items():
        cases = found[name]
        for index, item in enumerate(cases):
            if (index * count) // len(cases) == ((index - 1) * count) // len(cases):
                item.add_marker(pytest.mark.nightly)
