"""`tapedeck work` where it cannot work."""

from click.testing import CliRunner

from service.cli import main


def test_without_stores_that_other_machines_reach_it_says_what_is_needed(monkeypatch, tmp_path):
    monkeypatch.setenv("TAPEDECK_DATA_DIR", str(tmp_path))
    for log_url in (None, "postgresql://tapedeck@localhost/tapedeck"):
        if log_url is not None:
            monkeypatch.setenv("TAPEDECK_DATABASE_URL", log_url)
        ran = CliRunner().invoke(main, ["work"])
        assert ran.exit_code == 1
        assert ran.stderr == (
            "Error: TAPEDECK_DATABASE_URL must be postgresql://… and TAPEDECK_BLOB_URL s3://…, gs://… or az://…, as "
            "for the service: only there do several machines reach the log and the recordings.\n"
        )


def test_in_a_database_without_a_log_it_says_so(monkeypatch, tmp_path, database):
    monkeypatch.setenv("TAPEDECK_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("TAPEDECK_DATABASE_URL", database)
    monkeypatch.setenv("TAPEDECK_BLOB_URL", "s3://recordings")
    ran = CliRunner().invoke(main, ["work"])
    assert ran.exit_code == 1
    assert "set TAPEDECK_DATA_DIR and TAPEDECK_DATABASE_URL as for the service" in ran.stderr
