"""The guide to backing up and restoring PostgreSQL and a bucket: its steps, one after another, with real servers."""

import os
import shutil

import pytest

from tests.end_to_end.service_process import ServiceProcess, short_speech, slices
from tests.end_to_end.test_download import download, uploaded
from tests.guides.guides import block
from tests.guides.shell import checkout, run


@pytest.mark.slow
async def test_database_data_directory_and_bucket_are_backed_up_lost_and_restored_step_by_step(
    tmp_path, database, postgres, own_s3, s3_credentials
):
    stores = {"DATABASE_URL": database, "BLOB_URL": f"{own_s3.new_bucket()}/tapes?endpoint={own_s3.endpoint}"}
    service = ServiceProcess(tmp_path / "data", stores)
    folder = tmp_path / "checkout"
    folder.mkdir()
    checkout(folder, service.data_dir)
    settings = stores | {"DATA_DIR": str(service.data_dir)}
    (folder / "new.env").write_text("".join(f"export TAPEDECK_{name}='{value}'\n" for name, value in settings.items()))
    programs = {"PATH": f"{postgres.programs}:{os.environ['PATH']}"}
    bucket, copy = own_s3.files_of(stores["BLOB_URL"]), tmp_path / "copy"

    try:
        api = (await service.start()).api()
        recording = await uploaded(api, slices(short_speech(), 3))
        known = await api.get(recording), await api.transcript(recording)
        assert service.stop() == 0
        run(block("service/runtime/README.md", "PostgreSQL and a bucket", "sh", number=1), folder, **programs)
        shutil.copytree(bucket, copy)
        assert (folder / "backup.dump").stat().st_mode & 0o777 == 0o600
        assert (folder / "backup-data.tar").stat().st_mode & 0o777 == 0o600

        postgres.empty_database(database)
        shutil.rmtree(service.data_dir)
        for path in bucket.iterdir():
            shutil.rmtree(path)
        run(block("service/runtime/README.md", "PostgreSQL and a bucket", "sh", number=2), folder, **programs)
        run(block("service/runtime/README.md", "PostgreSQL and a bucket", "sh", number=3), folder)
        shutil.copytree(copy, bucket, dirs_exist_ok=True)
        last = block("service/runtime/README.md", "PostgreSQL and a bucket", "sh", number=4)
        said = run(last, folder).stdout
        assert said.splitlines()[:2] == [
            "0 differences between the index and the bucket were mended.",
            "0 blobs were erased that the log says were erased before.",
        ]
        assert said.endswith("; 0 more are stored.\n")

        api = (await service.start()).api()
        assert (await api.get(recording), await api.transcript(recording)) == known
        assert (await download(api, recording)).body == short_speech()
        await uploaded(api, slices(short_speech(), 2))
    finally:
        service.kill()
