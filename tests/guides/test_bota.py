"""Bota's guide: its walk-through runs as it stands."""

from service.sample import spoken_text
from service.sample.word_error_rate import word_error_rate
from tests.guides.guides import block
from tests.guides.shell import checkout, run


def test_the_walk_through_runs_as_it_stands(service, tmp_path):
    script = block("service/dialects/bota/README.md", "A recording by hand", "sh")
    ran = run(script, checkout(tmp_path, service.data_dir, whole_sample=True))
    assert ran.stderr == ""
    finalized, status, transcript, events, same = ran.stdout.strip().splitlines()
    assert status == "completed"
    assert '"status":"uploaded"' in finalized
    assert word_error_rate(spoken_text(), transcript) <= 0.02
    assert '"type":"Transcribed"' in events
    assert same == "The audio is the audio that was sent."
