"""Which files the chunks hold, and which chunks are no part of any."""

import contextlib
import io
import sys
from collections.abc import Sequence
from types import FrameType

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.audio.chunk_bytes import ChunkRun, MeasuredChunks
from adapters.audio.container import Container
from adapters.audio.demuxing import links_of
from adapters.audio.errors import AudioError, NotAudio
from adapters.audio.wav import read_wave
from adapters.audio.whole_files import FoundFiles, whole_files
from tests.adapters.audio.kinds import KINDS, WITHOUT_A_BEGINNING, file_of
from tests.adapters.audio.samples import cut, openers, tone, wav

JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00" + bytes(range(256)) * 20
TEXT = b"Dear Sir or Madam, this is no sound at all.\n" * 60
ADTS_OF_13_BYTES = bytes.fromhex("fff1504001bffc") + bytes(6)
NOISE = np.random.default_rng(7).bytes(6_000)
LIKE_SOUND = Container.WAV, Container.W64, Container.AIFF, Container.AU, Container.CAF, Container.AVI


def found(chunks: Sequence[bytes]) -> FoundFiles:
    return whole_files(MeasuredChunks.of(openers(chunks)))


def contents(files: FoundFiles) -> list[bytes]:
    return [content(file.run) for file in files.files]


def content(run: ChunkRun) -> bytes:
    with run.open() as reader:
        return reader.read()


def refused(chunks: Sequence[bytes]) -> str:
    with pytest.raises(AudioError) as caught:
        found(chunks)
    return str(caught.value)


def tenths(whole: bytes) -> list[bytes]:
    return [whole[index * len(whole) // 10 : (index + 1) * len(whole) // 10] for index in range(10)]


def messages(files: FoundFiles) -> list[str]:
    return [damage.message for damage in files.damage]


class TestFilesInAnyChunks:
    # The same bodies each time: among all that there could be, a few can be taken apart in two right ways.
    @settings(deadline=None, max_examples=150, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
    @given(
        names=st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=5),
        data=st.data(),
    )
    def test_each_is_found_whole(self, names: list[str], data: st.DataObject) -> None:
        wholes: list[bytes] = []
        chunks: list[bytes] = []
        body = b""
        before = ""
        for name in names:
            if name in WITHOUT_A_BEGINNING and (
                before in WITHOUT_A_BEGINNING or before.startswith(("AVI", "MP3", "MPEG-PS"))
            ):
                continue  # two of them are one stream, as far as bytes tell
            whole = file_of(name, data.draw(st.sampled_from([0.4, 0.7, 1.1])))
            if body and (name in WITHOUT_A_BEGINNING or (name.startswith("Ogg") and before.startswith("Ogg"))):
                chunks.append(body)
                body = b""
            positions = data.draw(st.lists(st.integers(1, len(whole) - 1), max_size=8))
            pieces = cut(body + whole, *(len(body) + position for position in positions))
            chunks += pieces[:-1]
            body = pieces[-1]
            if data.draw(st.booleans()):
                chunks.append(body)
                body = b""
            wholes.append(whole)
            before = name
        result = found([*chunks, body] if body else chunks)
        assert contents(result) == wholes
        assert result.damage == ()

    @pytest.mark.parametrize("name", [name for name in KINDS if name not in WITHOUT_A_BEGINNING])
    def test_several_of_a_kind_in_one_chunk_are_each_found(self, name: str) -> None:
        wholes = [file_of(name, seconds) for seconds in (0.7, 0.4, 1.1)]
        result = found([b"".join(wholes)])
        if name.startswith("Ogg"):
            wholes = [b"".join(wholes)]  # a chain, which is one file
        assert contents(result) == wholes
        assert all(file.run.numbers_in(range(file.run.size_bytes)) == (1,) for file in result.files)

    def test_a_stream_whose_rate_changes_is_two(self) -> None:
        low, high = file_of("MP3 at 22 kHz"), file_of("MP3 without tags")
        assert contents(found([low + high])) == [low, high]

    def test_a_byte_range_tells_which_chunks_hold_it(self) -> None:
        whole = file_of("WAV")
        run = found([JPEG, *cut(whole, 1_000, 5_000)]).files[0].run
        assert run.numbers_in(range(1_000)) == (2,)
        assert run.numbers_in(range(999, 1_001)) == (2, 3)
        assert run.numbers_in(range(999, len(whole))) == (2, 3, 4)
        assert run.numbers_in(range(5_000, 5_001)) == (4,)


class TestChunksThatAreNone:
    @pytest.mark.parametrize(
        ("junk", "said"),
        [
            (bytes(3_000), "holds nothing but zeros"),
            (JPEG, "is a JPEG picture, not audio"),
            (TEXT, "is text, not audio"),
            (b"\x02dss" + NOISE, "is DSS (Olympus dictation), which is not supported; send it as WAV"),
            (b"", "is empty"),
        ],
    )
    @pytest.mark.parametrize("name", [name for name in KINDS if KINDS[name].container not in LIKE_SOUND])
    def test_between_files_each_is_named_and_left_out(self, name: str, junk: bytes, said: str) -> None:
        first, second = file_of(name, 0.4), file_of(name, 0.7)
        result = found([first, junk, second])
        assert [message.startswith(f"Chunk 2 {said}") for message in messages(result)] == [True]
        assert messages(result)[0].endswith("; it was left out.")
        heard = b"".join(contents(result))
        assert heard in (first + second, first + junk + second)

    @pytest.mark.parametrize("junk", [bytes(3_000), JPEG, TEXT], ids=["zeros", "picture", "text"])
    @pytest.mark.parametrize("name", ["Ogg Opus", "FLAC", "MP3", "ADTS", "MPEG-TS", "AMR", "WebM", "live WebM", "M4A"])
    def test_put_between_slices_it_is_taken_out(self, name: str, junk: bytes) -> None:
        slices = tenths(file_of(name, 1.1))
        result = found([*slices[:5], junk, *slices[5:]])
        assert [damage.chunk_number for damage in result.damage] == [6]
        assert contents(result) == [file_of(name, 1.1)]

    @pytest.mark.parametrize("name", ["MP3", "ADTS", "FLAC", "MPEG-TS", "WebM", "live WebM", "M4A", "fragmented MP4"])
    def test_in_the_place_of_a_slice_it_costs_no_other_slice(self, name: str) -> None:
        slices = tenths(file_of(name, 1.1))
        slices[4] = bytes(len(slices[4]))
        result = found(slices)
        assert messages(result) == ["Chunk 5 holds nothing but zeros; it was left out."]
        [file] = result.files
        assert file.run.numbers_in(range(file.run.size_bytes))[-1] == 10
        assert len(content(file.run)) in (len(b"".join(slices)), len(b"".join(slices)) - len(slices[4]))

    def test_samples_may_be_any_bytes(self) -> None:
        silent = wav(np.concatenate([tone(9_000), np.zeros((1, 9_000), np.int16), tone(8_000)], axis=1))
        result = found(cut(silent, 18_100, 30_000))
        assert contents(result) == [silent]
        assert result.damage == ()

    def test_if_there_is_no_file_at_all_the_most_telling_reason_is_given(self) -> None:
        assert refused([b"", bytes(5_000), b"\x02dss" + NOISE]).startswith("Chunk 3 is DSS")
        assert refused([bytes(5_000)]) == "Chunk 1 holds nothing but zeros."
        assert refused([NOISE]) == "Chunk 1 is not audio."
        with pytest.raises(NotAudio, match="has no chunks"):
            found([])


class TestFilesWithoutTheirBeginning:
    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            ("WebM", "a WebM"),
            ("live WebM", "a WebM"),
            ("Ogg FLAC", "an Ogg"),
            ("fragmented MP4", "an MP4"),
            ("FLAC", "a FLAC"),
        ],
    )
    def test_the_middle_of_one_is_told(self, name: str, kind: str) -> None:
        whole = file_of(name, 1.1)
        said = f"is the middle of {kind} file whose beginning is missing."
        assert refused([whole[len(whole) // 3 :]]) == f"Chunk 1 {said}"
        result = found([file_of("WAV"), JPEG, whole[len(whole) // 3 :]])
        assert messages(result)[-1] == f"Chunk 3 {said[:-1]}; it was left out."

    def test_a_cluster_at_the_start_is_one_too(self) -> None:
        whole = file_of("live WebM")
        cluster = whole.index(b"\x1f\x43\xb6\x75")
        assert refused([whole[cluster:]]) == "Chunk 1 is the middle of a WebM file whose beginning is missing."

    def test_bare_frames_need_no_beginning(self) -> None:
        whole = file_of("ADTS", 1.1)
        result = found([bytes(3_000), *tenths(whole)[1:]])
        assert [damage.chunk_number for damage in result.damage] == [1]
        assert whole.endswith(contents(result)[0])

    def test_an_mp4_without_its_index_is_told(self) -> None:
        whole = file_of("M4A")
        assert (
            refused([whole[: whole.index(b"moov") - 4]]) == "Chunk 1 is of an MP4 file whose index (moov) is missing."
        )


class TestWavHeadersThatLie:
    def test_bare_samples_behind_a_whole_wav_belong_to_it(self) -> None:
        whole = wav(tone(48_000))
        first = wav(tone(48_000)[:, :16_000])
        chunks = [first, *cut(whole[44 + 32_000 :], 32_000)]
        result = found(chunks)
        assert contents(result) == [b"".join(chunks)]
        assert samples_in(b"".join(chunks)) == 48_000

    def test_two_recorders_that_do_so_are_two_files(self) -> None:
        sound = wav(tone(30_000))[44:]
        first, second = wav(tone(20_000)), wav(tone(10_000))
        result = found([first, sound[:30_000], sound[30_000:], second, sound])
        assert contents(result) == [first + sound, second + sound]

    def test_a_wav_that_other_files_follow_is_none(self) -> None:
        first, second = wav(tone(20_000)), file_of("M4A")
        assert contents(found([first, second])) == [first, second]
        assert contents(found([first + second])) == [first, second]

    @pytest.mark.parametrize("wrong_by", [-1, 0, 1, 2])
    def test_notes_behind_the_sound_are_none_whatever_their_size_says(self, wrong_by: int) -> None:
        note = (
            b"LIST"
            + (26 + wrong_by).to_bytes(4, "little")
            + b"INFOISFT"
            + (14).to_bytes(4, "little")
            + b"A recorder 1.0"
        )
        assert samples_in(wav(tone(9_000)) + note) == 9_000

    @pytest.mark.parametrize("tail", [bytes(1), bytes(60_000), NOISE[:3_000]])
    def test_zeros_and_a_little_junk_behind_the_sound_are_none(self, tail: bytes) -> None:
        assert samples_in(wav(tone(9_000)) + tail) == 9_000

    @pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFFF])
    def test_notes_end_a_sound_of_unknown_length(self, size: int) -> None:
        live = wav(tone(9_000))
        live = live[:40] + size.to_bytes(4, "little") + live[44:]
        note = b"LIST" + (26).to_bytes(4, "little") + b"INFOISFT" + (14).to_bytes(4, "little") + b"A recorder 1.0"
        assert samples_in(live + note) == 9_000

    def test_live_ones_in_one_chunk_are_each_found(self) -> None:
        lives = [file_of("live WAV", seconds) for seconds in (0.4, 0.7, 0.4)]
        assert contents(found([b"".join(lives)])) == lives


def samples_in(whole: bytes) -> int:
    wave = read_wave(io.BytesIO(whole), len(whole))
    assert wave is not None
    return wave.samples


class TestMadeUpBytes:
    """However many headers are made up, the work stays in proportion to the bytes."""

    @pytest.mark.parametrize(
        "unit",
        [
            b"\xff",
            bytes.fromhex("fffb9064"),
            bytes.fromhex("fff15040"),
            wav(tone(4)),
            wav(tone(4))[:40] + b"\xff\xff\xff\xff",
            b"\0\0\0\x10ftypM4A \0\0\0\0",
            b"\0\0\0\x08moov\0\0\0\x08mdat",
            b"\x1aE\xdf\xa3\x8b\x42\x82\x88matroska\x18\x53\x80\x67\x01" + b"\xff" * 7,
            b"\x1fC\xb6u\x01" + b"\xff" * 7 + b"\xe7\x81\0\xa3\x9f\x81\0\0\0",
            b"OggS\0\x02" + b"\xff" * 21,
            b"fLaC\x80\0\0\x22" + bytes.fromhex("1200120000085e002c8c0ac442f0") + bytes(20),
            b"ID3\x04\0\0\0\0\0\x01!",
            b"\x47\x40\0\x10" + bytes(184),
        ],
    )
    def test_little_is_read_again(self, unit: bytes) -> None:
        read = [self._bytes_read(unit * (size // len(unit))) for size in (60_000, 240_000)]
        assert read[1] <= 5 * read[0] + 500_000

    @pytest.mark.slow
    @pytest.mark.parametrize("chunks", [1, 100])
    @pytest.mark.parametrize(
        "unit",
        [
            ADTS_OF_13_BYTES * 3 + b"\0",
            b"ID3\4\0\0\0\0\0\0",
            b"Xing",
            b"#!AMR\n",
            b"FLV\x01\x04\0\0\0\x09",
            b"RIFF\x04\0\0\0AVI LIST",
        ],
    )
    def test_little_is_called(self, unit: bytes, chunks: int) -> None:
        calls = [_calls(unit * (size // len(unit)), chunks) for size in (60_000, 120_000)]
        assert calls[1] <= 4_000_000
        assert calls[1] <= 2.5 * calls[0]

    def test_a_search_that_finds_nothing_is_not_made_anew_at_every_chunk(self) -> None:
        chunk = ADTS_OF_13_BYTES * 3 + bytes(4_000)
        read = []
        for count in (50, 100):
            chunks = [CountedChunk(chunk) for _ in range(count)]
            with contextlib.suppress(AudioError):
                whole_files(MeasuredChunks.of(chunks))
            read.append(sum(one.bytes_read for one in chunks))
        assert read[1] <= 2.5 * read[0]

    def test_of_too_many_files_in_one_chunk_some_are_left_out_and_told_of(self) -> None:
        result = found([file_of("FLAC"), b"#!AMR\n" * 3_000, file_of("WAV")])
        assert messages(result) == ["Chunk 2 holds too many files; the last ones were left out."]
        assert contents(result)[-1] == file_of("WAV")

    def test_of_very_many_links_of_an_ogg_file_the_last_ones_stay_together(self) -> None:
        body = file_of("Ogg Opus", 0.4) * 1_500
        [file] = found([body]).files
        links = links_of(file)
        assert 1_000 < len(links) < 1_500
        assert sum(link.run.size_bytes for link in links) == len(body)

    def _bytes_read(self, body: bytes) -> int:
        counted = CountedChunk(body)
        measured = MeasuredChunks.of([counted])
        counted.bytes_read = 0
        with contextlib.suppress(AudioError):
            whole_files(measured)
        return counted.bytes_read


def _calls(body: bytes, chunks: int) -> int:
    """How many functions are called to find the files in a body."""
    size = len(body) // chunks
    measured = MeasuredChunks.of(openers(cut(body, *range(size, len(body), size))))
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        with contextlib.suppress(AudioError):
            whole_files(measured)
    finally:
        sys.setprofile(before)
    return calls


class CountedChunk:
    def __init__(self, body: bytes) -> None:
        self._body = body
        self.bytes_read = 0

    def __call__(self) -> io.BytesIO:
        counted = self

        class Reader(io.BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:
                block = super().read(size)
                counted.bytes_read += len(block)
                return block

        return Reader(self._body)
