"""The benchmarks that guides name run, each as small as it can be: what they say at this size means nothing."""

import re
import shutil
from unittest.mock import patch

import pytest

from tests.end_to_end.service_process import short_speech
from tests.guides.guides import section
from tests.guides.shell import make
from tests.left_out import skip_outside_ci
from tests.places import REPOSITORY
from tests.tools.bench import (
    beside,
    deciding,
    event_listeners,
    head_start,
    listening,
    lists,
    live_words,
    replaying,
    samples,
    scale,
    scale_chunks,
    searching,
    slices,
    uploading,
)
from tests.tools.bench import kafka as kafka_bench
from tests.tools.bench.__main__ import BENCHES

SMALL = {
    "deciding": patch.multiple(deciding, SIZES=(2, 5, 9), STEPS=10, SAMPLES=1, NUMBERS=range(1, 41)),
    "replaying": patch.multiple(replaying, EVENTS=300, SAMPLES=1),
    "uploading": patch.multiple(uploading, CHUNKS=60, EDGE=20, ROUNDS=1),
    "head-start": patch.multiple(head_start, SECONDS=5, AT_ONCE=1, SECONDS_OF_EACH=3),
    "event-listeners": patch.multiple(
        event_listeners,
        ROUNDS=1,
        SECONDS=0.1,
        RECORDINGS=3,
        KINDS=(event_listeners.NONE, event_listeners.Kind("3", 3, to_one=True), event_listeners.Kind("2", 2)),
    ),
    "beside": patch.multiple(beside, ROUNDS=1, SECONDS=0.2, SPOKEN=1, SPOKEN_SECONDS=100),
    "listening": patch.multiple(listening, LISTENERS=3, SECONDS=0.2, RECORDINGS=(1, 3)),
    "live-words": patch.multiple(live_words, NAMES=("533-1066-0000.flac",)),
    "lists": patch.multiple(lists, SIZES=(5, 50), PAGES=2),
    "samples": patch.multiple(samples, REQUESTS=1, AT_ONCE=1),
    "searching": patch.multiple(searching, SIZES=(100, 200), ROUNDS=1, BATCH=70),
    "slices": patch.multiple(slices, FEW=5, MANY=20, ROUNDS=1),
}


@pytest.fixture(autouse=True)
def the_collector_stays_as_it_is(monkeypatch):
    """Benches settle it for a process of their own; this one has other tests to run."""
    for bench in (replaying, kafka_bench):
        monkeypatch.setattr(bench, "settle_collector", lambda: None)


@pytest.mark.slow
@pytest.mark.parametrize("name", BENCHES)
def test_each_part_of_make_bench_prints_its_measurements(name, capsys):
    if name == "live-words" and not live_words.SPEECH.is_dir():
        skip_outside_ci("There is no ../shared/data/speech beside this checkout.")
    with SMALL[name]:
        BENCHES[name]()
    assert capsys.readouterr().out.count("\n") >= 3


@pytest.mark.slow
def test_make_bench_words_measures_recordings_of_ones_own(tmp_path):
    """The folder is as the guide says it is."""
    assert "`natural.tsv`" in section("tests/tools/bench/README.md", "Words")
    (tmp_path / "visit.wav").write_bytes(short_speech())
    (tmp_path / "natural.tsv").write_text("visit.wav\tgood morning\n")
    options = f"{tmp_path} --engines tapedeck --conditions clean --sets read --no-half-hour"
    measured = make(REPOSITORY, "bench-words", f"ARGS={options}")
    assert measured.returncode == 0, measured.stderr
    assert re.search(r"^read +clean +\d", measured.stdout, re.MULTILINE)


def test_make_bench_words_names_its_options():
    shown = make(REPOSITORY, "bench-words", "ARGS=--help")
    assert "--no-half-hour" in shown.stdout


@pytest.mark.slow
def test_make_bench_ingest_measures_or_says_what_it_needs():
    measured = make(REPOSITORY, "bench-ingest", ROUNDS="1", SECONDS="1", SIZES_KIB="4", CLIENTS="1")
    if shutil.which("wrk"):
        assert measured.returncode == 0, measured.stderr
        assert "4 KiB, 1 clients" in measured.stdout
    else:
        assert measured.returncode != 0
        assert "wrk" in measured.stderr


@pytest.mark.slow
def test_make_soak_ingest_kills_the_service_as_often_as_it_is_told_to():
    soaked = make(REPOSITORY, "soak-ingest", KILLS="1", CHUNKS="100")
    assert soaked.returncode == 0, soaked.stdout + soaked.stderr
    assert "1 kills: " in soaked.stdout


@pytest.mark.slow
async def test_make_bench_kafka_measures_publishing_and_latency(kafka, tmp_path, capsys):
    """With the Kafka that all tests share, in place of one of its own."""
    small = patch.multiple(kafka_bench, RECORDINGS=2, CHUNKS=9, ROUNDS=1, MEASURED_EVENTS=100)
    with small:
        await kafka_bench.publishing(tmp_path, kafka.bootstrap_servers)
        await kafka_bench.latency(tmp_path, kafka.bootstrap_servers)
    shown = capsys.readouterr().out
    assert "20 events published" in shown
    assert "100 chunks at " in shown


@pytest.mark.slow
def test_make_bench_scale_compares_the_log_with_a_bare_insert(postgres, s3, capsys):
    assert postgres.is_running  # so there can be one of the bench's own, too
    assert s3.is_running
    of_chunks = patch.multiple(scale_chunks, ROUNDS=1, SECONDS=1, CLIENTS=2)
    with patch.multiple(scale, WRITERS=(1, 2), COMMITS=4, EVENTS_A_COMMIT=3, ROUNDS=1), of_chunks:
        scale.main()
    shown = capsys.readouterr().out
    assert "2 writers: " in shown
    assert shown.count("log : bare insert") == 2
    for speed in ("half", "full"):
        assert len(re.findall(rf"^  commit until .*, {speed} speed +median -?\d.* ms   p99 ", shown, re.MULTILINE)) == 4
    if shutil.which("wrk"):
        for profile in ("embedded", "scaled out"):
            assert [f"{profile}, {count} API processes: " in shown for count in (1, 2)] == [True, True]
        assert shown.count("rate, it : discarding with as many") == 4
        assert shown.count("rate, it : its profile with one") == 2
    else:
        assert "chunks: skipped" in shown


def test_the_guide_names_every_part_of_make_bench():
    (row,) = [
        line for line in section("tests/tools/bench/README.md", "Benchmarks").splitlines() if "make bench`" in line
    ]
    assert [name for name in BENCHES if name in row] == list(BENCHES)
