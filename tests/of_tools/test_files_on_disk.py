import shutil
import threading

from tests.files_on_disk import content_below, disk_bytes


def test_files_and_folders_that_go_while_one_looks_are_passed_over(tmp_path):
    (tmp_path / "stays" / "below").mkdir(parents=True)
    (tmp_path / "stays" / "below" / "words").write_bytes(b"those that stay")
    looked = threading.Event()

    def come_and_go():
        while not looked.is_set():
            for number in range(20):
                folder = tmp_path / f"recording-{number}" / "below"
                folder.mkdir(parents=True)
                (folder / "words").write_bytes(b"those that go")
            for number in range(20):
                shutil.rmtree(tmp_path / f"recording-{number}")

    service = threading.Thread(target=come_and_go)
    service.start()
    try:
        for _ in range(200):
            assert b"those that stay" in content_below(tmp_path, "wor*")
            assert disk_bytes(tmp_path) > 0
    finally:
        looked.set()
        service.join()
    assert content_below(tmp_path) == b"those that stay"
    assert content_below(tmp_path, "chunk-*") == b""
