"""Files that cost far more to read than to send: what a decoder gets to see of them, and what becomes of them."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np
import pytest

from adapters.audio import nested_boxes, notes_in_boxes
from adapters.audio.decoding import file_of, sound_blocks
from adapters.audio.errors import NotAudio
from adapters.audio.sound_only import sound_only
from adapters.audio.stitching import StitchedAudio, stitch
from tests.adapters.audio import samples
from tests.adapters.audio.samples import cut, encoded, opener, openers, tone
from tests.tools.abuse import boxes
from tests.tools.abuse.boxes import EMPTY_PARTS, HOSTILE, NOTES, STREAMS

MEBIBYTE = 1 << 20
RATE = 16_000


class Counting:
    """A file, and how much of it is read in how many steps."""

    def __init__(self, reader: BinaryIO) -> None:
        self._reader = reader
        self.bytes = self.seeks = 0

    def read(self, size: int) -> bytes:
        block = self._reader.read(size)
        self.bytes += len(block)
        return block

    def seek(self, position: int, whence: int = 0) -> int:
        self.seeks += 1
        return self._reader.seek(position, whence)

    def tell(self) -> int:
        return self._reader.tell()

    def seekable(self) -> bool:
        return True


@pytest.mark.parametrize("name", NOTES)
def test_a_decoder_is_given_no_long_notes_and_no_pictures(name: str) -> None:
    file = file_of(opener(NOTES[name](MEBIBYTE)))
    with sound_only(file).open() as reader:
        counting = Counting(reader)
        with av.open(counting, "r", format=file.container.demuxer) as container:
            sizes = [packet.size for packet in container.demux(audio=0)]
            streams = len(container.streams)
    assert sum(sizes) > 1000
    assert streams == 1
    assert counting.bytes < MEBIBYTE // 4
    assert counting.seeks < 1000


@pytest.mark.parametrize("name", NOTES)
def test_notes_of_any_size_cost_a_recording_nothing(name: str, tmp_path: Path) -> None:
    content = NOTES[name](200_000)
    stitched = stitched_from([content], tmp_path)
    assert (stitched.duration_ms, stitched.damage) == (pytest.approx(500, abs=30), ())
    if name != "aiff_picture":  # AIFF is never kept as it is
        assert (tmp_path / "audio").read_bytes() == content


@pytest.mark.parametrize("kind", samples.EVERY_FORMAT)
def test_with_a_long_comment_a_file_sounds_as_without(kind: str, tmp_path: Path) -> None:
    sound = tone(RATE, rate=RATE)
    plain = encoded(kind, sound, rate=RATE)
    told = encoded(kind, sound, rate=RATE, metadata={"comment": "never mind " * 20_000, "title": "A visit"})
    assert kind == samples.ADTS or len(told) > len(plain) + 200_000  # ADTS has no place for one
    heard = [b"".join(block.tobytes() for block in sound_blocks(opener(content))) for content in (plain, told)]
    assert heard[0] == heard[1]
    stitched = stitched_from([told, told], tmp_path)
    assert stitched.damage == ()
    assert stitched.duration_ms == stitched_from([plain, plain], tmp_path).duration_ms


def test_short_notes_stay_beside_a_picture() -> None:
    """Among them is what iTunes writes of the encoder's delay, without which a player plays too much."""
    delay = boxes.box(
        b"----", boxes.box(b"mean", bytes(4) + b"com.apple.iTunes") + boxes.box(b"name", b"\0\0\0\0iTunSMPB")
    )
    picture = boxes.box(b"covr", boxes.box(b"data", bytes(100_000)))
    content = boxes.with_itunes_items(delay + picture)
    with sound_only(file_of(opener(content))).open() as reader:
        shown = reader.read()
    assert len(shown) == len(content)
    assert (b"iTunSMPB" in shown, b"covr" in shown) == (True, False)


@pytest.mark.parametrize("beyond_bytes", [0, 1, 1000])
def test_a_file_whose_tag_says_that_it_reaches_to_the_end_is_refused_by_name(tmp_path: Path, beyond_bytes: int) -> None:
    sound = encoded(samples.MP3, tone(2 * RATE, rate=RATE), rate=RATE)
    size = len(sound) + beyond_bytes
    tag = b"ID3\x04\0\0" + bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
    with pytest.raises(NotAudio, match="Chunk 1 is damaged: there is no sound behind its tags"):
        stitched_from([tag + sound], tmp_path)


def test_damage_behind_notes_is_told_of_the_chunk_that_it_is_in(tmp_path: Path) -> None:
    content = boxes.with_tags_in_front(encoded(samples.FLAC, tone(4 * RATE, rate=RATE), rate=RATE), 100_000)
    sound = len(content) - 100_000
    chunks = cut(content, *(100_000 + sound * part // 4 for part in (1, 2, 3)))
    middle = len(chunks[2]) // 2
    chunks[2] = chunks[2][:middle] + bytes(3000) + chunks[2][middle + 3000 :]
    assert [damage.chunk_number for damage in stitched_from(chunks, tmp_path).damage] == [3]


@pytest.mark.parametrize("name", EMPTY_PARTS)
def test_a_file_made_of_empty_parts_is_refused_by_name(name: str, tmp_path: Path) -> None:
    with pytest.raises(NotAudio, match=r"it has more .* without sound than any recorder writes"):
        stitched_from([EMPTY_PARTS[name](MEBIBYTE)], tmp_path)
    assert not (tmp_path / "audio").exists()


@pytest.mark.parametrize("name", ["mp4_tiny_boxes", "mp4_tiny_fragments", "webm_tiny_elements"])
def test_few_of_the_empty_parts_are_looked_at(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0

    def counted(look: Callable[..., Any]) -> Callable[..., Any]:
        def looked(*args: Any) -> Any:
            nonlocal looks
            looks += 1
            return look(*args)

        return looked

    for module, look in ((nested_boxes, "mp4_box"), (nested_boxes, "ebml_element"), (notes_in_boxes, "ebml_element")):
        monkeypatch.setattr(module, look, counted(getattr(module, look)))
    content = EMPTY_PARTS[name](MEBIBYTE)
    with pytest.raises(NotAudio):
        stitched_from([content], tmp_path)
    assert 1000 < looks < 20_000  # of 131 072 boxes, or 524 288 elements


def test_a_recording_beside_a_file_of_empty_parts_is_kept(tmp_path: Path) -> None:
    good = encoded(samples.OGG_OPUS, tone(RATE, rate=RATE), rate=RATE)
    stitched = stitched_from([good, EMPTY_PARTS["mp4_tiny_boxes"](MEBIBYTE)], tmp_path)
    assert stitched.duration_ms == pytest.approx(1000, abs=30)
    assert [damage.chunk_number for damage in stitched.damage] == [2]


MEASURE = """
import sys
from functools import partial
from pathlib import Path
from adapters.audio.errors import AudioError
from adapters.audio.stitching import stitch
from tests.adapters.audio.samples import opener, tone, wav
from tests.tools.peak_memory import peak_bytes

output = Path(sys.argv[1])
small = opener(wav(tone(16_000)))
stitch([small, opener(wav(tone(8_000), rate=8_000))], output)
before = peak_bytes()
for name in sys.argv[2:]:
    try:
        stitch([partial(Path(name).open, "rb")], output)
    except AudioError:
        pass
    print(Path(name).name, peak_bytes() - before)
"""


@pytest.mark.slow
def test_pictures_and_empty_streams_take_little_memory(tmp_path: Path) -> None:
    sizes = {name: 24 * MEBIBYTE for name in NOTES if "picture" in name} | dict.fromkeys(STREAMS, MEBIBYTE)
    for name, size in sizes.items():
        (tmp_path / name).write_bytes(HOSTILE[name](size))
    files = [str(tmp_path / name) for name in sizes]
    measured = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path / "stitched"), *files], capture_output=True, text=True, check=True
    )
    grown = {name: int(grown) for name, grown in map(str.split, measured.stdout.splitlines())}
    assert grown.keys() == sizes.keys()
    assert max(grown.values()) < 72 * MEBIBYTE, grown


def stitched_from(contents: list[bytes], folder: Path) -> StitchedAudio:
    return stitch(openers(contents), folder / "audio")


@pytest.mark.parametrize("slice_bytes", [1 << 30, 9_000])
def test_silence_in_fragments_of_one_frame_is_a_recording(slice_bytes: int, tmp_path: Path) -> None:
    """As recorders write it that send each frame at once. Of silence, a frame with its box has fewer than 16 bytes."""
    options = {"movflags": "frag_every_frame+empty_moov+default_base_moof"}
    silence = np.zeros((1, 24 * 48_000), np.int16)
    content = encoded("mp4 libopus", silence, muxer_options=options)
    assert content.count(b"moof") > nested_boxes.MOST_TINY
    stitched = stitched_from(cut(content, *range(slice_bytes, len(content), slice_bytes)), tmp_path)
    assert (stitched.method, stitched.damage) == ("concatenated", ())
    assert stitched.duration_ms == pytest.approx(24_000, abs=100)


@pytest.mark.parametrize("cluster_ms", [0, 5_000])
def test_silence_in_webm_is_a_recording_in_slices_and_twice(cluster_ms: int, tmp_path: Path) -> None:
    """As browsers record it live, without sizes of clusters. A block of silence has 3 bytes of sound."""
    options = {"live": "1"} | ({"cluster_time_limit": str(cluster_ms)} if cluster_ms else {})
    content = encoded(samples.WEBM, np.zeros((1, 30 * 48_000), np.int16), muxer_options=options)
    assert len(content) / 1500 < nested_boxes.TINY_BYTES
    for chunks, seconds in (([content], 30), (cut(content, *range(2000, len(content), 2000)), 30), ([content] * 2, 60)):
        stitched = stitched_from(chunks, tmp_path)
        assert stitched.damage == ()
        assert stitched.duration_ms == pytest.approx(seconds * 1000, abs=100)
