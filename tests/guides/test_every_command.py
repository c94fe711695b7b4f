"""Every command and every block in every guide is executed by a test, or by CI itself; the tables here say where."""

import re
import shlex

import pytest
from click import Command, Context, Group
from click.testing import CliRunner

from service.cli import main
from tests.guides.guides import blocks, commands, guides, has_test, spans, taken_blocks
from tests.guides.shell import make
from tests.places import REPOSITORY

CI = ".ci/run"

MAKE = {
    "bench": "tests/guides/test_benches.py::test_each_part_of_make_bench_prints_its_measurements",
    "bench-ingest": "tests/guides/test_benches.py::test_make_bench_ingest_measures_or_says_what_it_needs",
    "bench-kafka": "tests/guides/test_benches.py::test_make_bench_kafka_measures_publishing_and_latency",
    "bench-notes": "tests/of_tools/note_model/test_bench.py::test_make_bench_notes_measures_consultations_of_ones_own",
    "bench-scale": "tests/guides/test_benches.py::test_make_bench_scale_compares_the_log_with_a_bare_insert",
    "bench-words": "tests/guides/test_benches.py::test_make_bench_words_measures_recordings_of_ones_own",
    "demo": CI,
    "format": "tests/guides/test_make.py::test_make_schemas_and_format_change_nothing_that_is_committed",
    "help": "tests/guides/test_make.py::test_the_first_commands_of_those_who_contribute_work",
    "kafka": "tests/of_tools/kafka/test_make_kafka.py::"
    "test_a_kafka_of_ones_own_answers_until_ctrl_c_and_takes_its_data_along",
    "lint": CI,
    "note-model": "tests/of_tools/note_model/test_training.py::test_the_committed_weights_are_what_the_data_gives",
    "run": "tests/guides/test_make.py::test_make_run_starts_the_service_and_kafka_is_set_by_the_environment",
    "schemas": "tests/guides/test_make.py::test_make_schemas_and_format_change_nothing_that_is_committed",
    "screenshots": "tests/of_tools/test_screenshots.py::"
    "test_make_screenshots_takes_the_views_that_are_asked_for_at_both_widths_in_light_and_dark",
    "soak": "tests/guides/test_make.py::test_make_soak_runs_as_little_as_it_is_told_to",
    "soak-abuse": "tests/of_tools/soak/test_abuse.py::test_make_soak_abuse_runs_as_few_attacks_as_it_is_told_to",
    "soak-arriving": "tests/of_tools/soak/test_arriving.py::test_make_soak_arriving_does_as_few_as_it_is_told_to",
    "soak-audio": "tests/of_tools/soak/test_audio.py::test_make_soak_audio_runs_as_few_as_it_is_told_to_and_one_again",
    "soak-cluster": "tests/of_tools/soak/test_cluster.py::test_make_soak_cluster_does_as_few_faults_as_it_is_told_to",
    "soak-ingest": "tests/guides/test_benches.py::test_make_soak_ingest_kills_the_service_as_often_as_it_is_told_to",
    "soak-kafka": "tests/end_to_end/test_kafka.py::"
    "test_the_publisher_killed_at_random_moments_and_the_broker_restarted_every_event_comes_once",
    "soak-webhooks": "tests/end_to_end/test_webhook_crash.py::"
    "test_killed_in_the_middle_and_with_two_dead_endpoints_the_others_get_every_delivery",
    "test": CI,
    "test-processes": CI,
    "test-scaled-out": CI,
    "test-slow": CI,
}
"""Targets of make -> what runs them, the long ones at a small size."""

TAPEDECK = {
    "blobs check": "tests/guides/test_runtime.py::"
    "test_a_copy_of_the_data_directory_is_whole_and_the_service_starts_on_it",
    "blobs mend": "tests/end_to_end/test_bucket.py::"
    "test_a_lost_index_stops_the_start_and_is_made_anew_by_taking_the_bucket_over",
    "blobs usage": "tests/service/cli/test_blobs.py::test_usage_says_what_is_live_and_what_is_dead",
    "console": "tests/end_to_end/test_console.py::"
    "test_the_link_of_a_development_machine_signs_in_with_one_click_and_only_once",
    "consume": "tests/guides/test_messages.py::test_the_command_that_follows_the_topic_prints_one_line_per_event",
    "copy": "tests/guides/test_runtime.py::test_a_service_is_copied_as_the_guide_says",
    "demo": CI,
    "download": "tests/guides/test_cli.py::test_a_recording_is_uploaded_shown_and_downloaded",
    "events": "tests/guides/test_cli.py::test_a_recording_is_uploaded_shown_and_downloaded",
    "keys create": "tests/guides/test_every_command.py::test_every_way_to_make_a_key_that_is_named_makes_one",
    "keys list": "tests/guides/test_runtime.py::test_a_key_is_made_and_listed",
    "keys revoke": "tests/service/cli/test_keys.py::test_a_key_of_each_kind_is_made_listed_and_revoked_at_once",
    "live": "tests/guides/test_cli.py::test_a_recording_is_uploaded_shown_and_downloaded",
    "publish": "tests/end_to_end/test_kafka.py::"
    "test_the_publisher_killed_at_random_moments_and_the_broker_restarted_every_event_comes_once",
    "rebuild orders": "tests/adapters/test_note_orders.py::"
    "test_a_view_rebuilt_by_the_command_is_the_one_that_was_there_before",
    "rebuild sessions": "tests/adapters/test_ambient_sessions.py::"
    "test_a_view_rebuilt_by_the_command_is_the_one_that_was_there_before",
    "rebuild search": "tests/service/followers/test_search_follower.py::"
    "test_an_index_rebuilt_by_the_command_finds_what_it_found_before",
    "quotas reset": "tests/guides/test_runtime.py::test_a_projects_quotas_are_set_shown_and_reset",
    "quotas set": "tests/guides/test_runtime.py::test_a_projects_quotas_are_set_shown_and_reset",
    "quotas show": "tests/guides/test_runtime.py::test_a_projects_quotas_are_set_shown_and_reset",
    "rebuild summaries": "tests/guides/test_runtime.py::"
    "test_a_copy_of_the_data_directory_is_whole_and_the_service_starts_on_it",
    "rebuild usage": "tests/adapters/test_usage.py::"
    "test_a_view_rebuilt_by_the_command_is_the_one_that_was_there_before",
    "retry": "tests/service/cli/test_recordings.py::test_a_failed_recording_is_retried_to_its_transcript",
    "serve": "tests/guides/test_make.py::test_make_run_starts_the_service_and_kafka_is_set_by_the_environment",
    "show": "tests/guides/test_cli.py::test_a_recording_is_uploaded_shown_and_downloaded",
    "transcript": "tests/guides/test_cli.py::test_a_recording_is_uploaded_shown_and_downloaded",
    "upload": "tests/guides/test_cli.py::test_a_recording_is_uploaded_shown_and_downloaded",
    "work": "tests/end_to_end/test_work_elsewhere.py::"
    "test_a_busy_service_has_its_work_done_and_what_a_killed_worker_had_begun_another_does",
}
"""Commands of tapedeck -> what runs them."""

DRAWINGS = {
    ("README.md", "How it works", "mermaid", 1): "tests/guides/test_contents.py::"
    "test_the_picture_names_the_rooms_and_the_dialects",
    ("domain/README.md", "A recording's life", "mermaid", 1): "tests/service/generators/test_life_diagram.py::"
    "test_the_domains_guide_shows_a_recordings_life_as_the_code_has_it",
}


def test_every_block_is_taken_by_a_test():
    """By a call of `block` with the block's own name, or it is a drawing that a test compares."""
    assert {each.name for each in blocks()} == taken_blocks().keys() | DRAWINGS.keys()


@pytest.mark.parametrize("line", commands("make"))
def test_every_target_of_make_is_there_and_something_runs_it(line):
    target, *rest = shlex.split(line)
    planned = make(REPOSITORY, "-n", target, *rest)
    assert planned.returncode == 0, planned.stderr
    runner = MAKE[target]
    if runner == CI:
        assert f"make {target}" in (REPOSITORY / CI).read_text().splitlines()
    else:
        assert has_test(runner), runner


@pytest.mark.parametrize("line", commands("tapedeck"))
def test_every_command_of_tapedeck_takes_its_options_and_something_runs_it(line):
    words = line.replace("$(", "(").split()
    name, command = command_of(words)
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    assert {word for word in words if re.match(r"--?[a-z]", word)} <= known
    if name and "--help" not in words:
        assert TAPEDECK[name] == CI or has_test(TAPEDECK[name]), TAPEDECK[name]


@pytest.mark.parametrize("table", [MAKE, TAPEDECK])
def test_the_tables_name_nothing_that_no_guide_names(table):
    if table is MAKE:
        named = {shlex.split(line)[0] for line in commands("make")}
    else:
        named = {command_of(line.split())[0] for line in commands("tapedeck")} - {""}
    assert table.keys() == named


def test_every_way_to_make_a_key_that_is_named_makes_one(tmp_path):
    """Outside of blocks, which are run as they stand."""
    lines = [line for line in commands("tapedeck") if line.startswith("keys create") and '"' not in line]
    assert len(lines) >= 3
    for line in lines:
        made = CliRunner().invoke(
            main, shlex.split(line.replace("…", "1")), env={"TAPEDECK_DATA_DIR": str(tmp_path / "data")}
        )
        assert made.exit_code == 0, (line, made.output)


@pytest.mark.parametrize("line", ["serve --help", "upload --help"])
def test_help_is_printed(line):
    shown = CliRunner().invoke(main, line.split())
    assert shown.exit_code == 0
    assert "Usage:" in shown.output


def test_no_other_program_is_asked_for_in_a_sentence():
    """What people are to type beyond make and tapedeck is in a block, where a test can run it."""
    programs = r"(?:\.venv/bin/)?(?:python3?|pip|uv|curl|node|npm|docker|git|apt|apt-get|mvn|java|sh|cp|rm|kill)"
    asked = {f"{guide}: {span}" for guide in guides() for span in spans(guide) if re.match(rf"{programs} ", span)}
    assert asked == {"README.md: kill -9", "service/runtime/README.md: kill -9"}


def command_of(words: list[str]) -> tuple[str, Command]:
    """The command that a line names, and its name; without one, tapedeck itself."""
    command: Command = main
    names = []
    for word in words:
        below = command.get_command(Context(command), word) if isinstance(command, Group) else None
        if below is None:
            break
        command = below
        names.append(word)
    if names == ["rebuild"]:
        names.append(words[1])
    return " ".join(names), command
