"""What comes out when chunks are stitched."""

import contextlib
import hashlib
import io
import pickle
import resource
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.audio import chunk_bytes
from adapters.audio.errors import AudioError, ChecksumMismatch, NotAudio
from adapters.audio.stitching import StitchedAudio, stitch
from tests.adapters.audio import samples
from tests.adapters.audio.samples import (
    EVERY_FORMAT,
    cut,
    decoded,
    decoded_samples,
    encoded,
    opener,
    openers,
    tone,
    wav,
)

LENGTHS = (48_777, 48_000, 31_111)
FILES = {kind: [encoded(kind, tone(length)) for length in LENGTHS] for kind in EVERY_FORMAT}
EXACT = (samples.WAV, samples.WAV_24, samples.FLAC, samples.OGG_FLAC)
WITH_DELAY_AND_PADDING = (samples.OGG_VORBIS, samples.MP3, samples.M4A)
WITHIN_MS = {samples.OGG_OPUS: 41, samples.WEBM: 41, samples.OGG_VORBIS: 15}  # FFmpeg's Vorbis encoder leaves padding
MP3_WITHOUT_A_NOTE = encoded(samples.MP3, tone(48_000), muxer_options={"write_xing": "0", "id3v2_version": "0"})
# The same folder serves every example: each writes its file anew.
same_folder = settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def stitched(chunks: Sequence[bytes], folder: Path) -> tuple[StitchedAudio, bytes]:
    output = folder / "stitched"
    result = stitch(openers(chunks), output)
    return result, output.read_bytes()


@pytest.mark.parametrize("kind", EVERY_FORMAT)
def test_a_single_chunk_comes_back_as_it_is(kind: str, tmp_path: Path) -> None:
    result, content = stitched(FILES[kind][:1], tmp_path)
    assert content == FILES[kind][0]
    assert result.method == "concatenated"
    assert result.duration_ms == pytest.approx(LENGTHS[0] / 48, abs=33)


@pytest.mark.parametrize("kind", EVERY_FORMAT)
@same_folder
@given(positions=st.lists(st.integers(1, 60_000), max_size=12))
def test_slices_restore_the_file_wherever_it_was_cut(kind: str, positions: list[int], tmp_path: Path) -> None:
    whole = FILES[kind][0]
    result, content = stitched(cut(whole, *positions), tmp_path)
    assert hashlib.sha256(content).digest() == hashlib.sha256(whole).digest()
    assert result.method == "concatenated"


@pytest.mark.parametrize("kind", [kind for kind in EVERY_FORMAT if kind != samples.ADTS])
def test_whole_files_become_one_of_known_length(kind: str, tmp_path: Path) -> None:
    result, content = stitched(FILES[kind], tmp_path)
    true_ms = sum(LENGTHS) / 48
    assert result.method == ("reencoded" if kind in WITH_DELAY_AND_PADDING else "remuxed")
    assert result.duration_ms == pytest.approx(true_ms, abs=WITHIN_MS.get(kind, 1))
    assert decoded_samples(content) / 48 == pytest.approx(result.duration_ms, abs=1)
    with av.open(io.BytesIO(content), "r") as container:
        assert container.duration is not None
        assert container.duration / 1000 == pytest.approx(result.duration_ms, abs=33)


def test_whole_files_of_bare_aac_frames_follow_one_another(tmp_path: Path) -> None:
    result, content = stitched(FILES[samples.ADTS], tmp_path)
    assert content == b"".join(FILES[samples.ADTS])
    assert decoded_samples(content) / 48 == pytest.approx(result.duration_ms, abs=1)


@pytest.mark.parametrize("kind", EVERY_FORMAT)
def test_stitching_again_gives_the_same_bytes(kind: str, tmp_path: Path) -> None:
    assert stitched(FILES[kind], tmp_path) == stitched(FILES[kind], tmp_path)


@pytest.mark.parametrize("kind", EXACT)
def test_lossless_files_are_joined_to_the_sample(kind: str, tmp_path: Path) -> None:
    _, content = stitched(FILES[kind], tmp_path)
    expected = np.concatenate([tone(length) for length in LENGTHS], axis=1)
    assert np.array_equal(decoded(content), expected)


@same_folder
@given(lengths=st.lists(st.integers(0, 3000), min_size=2, max_size=6), channels=st.integers(1, 2))
def test_joined_wav_files_have_exactly_all_samples(lengths: list[int], channels: int, tmp_path: Path) -> None:
    sounds = [tone(length, channels=channels) for length in lengths]
    result, content = stitched([wav(sound) for sound in sounds], tmp_path)
    joined = np.concatenate(sounds, axis=1)
    assert content == wav(joined)
    assert result.duration_ms == round(joined.shape[1] / 16)


@same_folder
@given(lengths=st.lists(st.integers(5000, 40_000), min_size=2, max_size=5))
def test_joined_opus_is_within_20_ms_a_join_of_its_chunks(lengths: list[int], tmp_path: Path) -> None:
    result, content = stitched([encoded(samples.OGG_OPUS, tone(length)) for length in lengths], tmp_path)
    joins = len(lengths) - 1
    assert abs(result.duration_ms - sum(lengths) / 48) <= 20 * joins + 1
    assert decoded_samples(content) / 48 == pytest.approx(result.duration_ms, abs=1)


@pytest.mark.parametrize("pre_skip", [312, 960, 3840])
def test_a_long_run_up_of_opus_is_not_heard_at_every_join(pre_skip: int, tmp_path: Path) -> None:
    chunk = with_pre_skip(encoded(samples.OGG_OPUS, tone(48_001)), pre_skip)
    heard_ms = stitched([chunk], tmp_path)[0].duration_ms
    result, _ = stitched([chunk] * 6, tmp_path)
    assert abs(result.duration_ms - 6 * heard_ms) <= 20 * 5 + 1


def test_flac_files_whose_last_blocks_are_short_stay_playable_from_any_point(tmp_path: Path) -> None:
    _, content = stitched(
        [encoded(samples.FLAC, tone(length, rate=16_000), rate=16_000) for length in (50_001, 70_000)], tmp_path
    )
    with av.open(io.BytesIO(content), "r") as container:
        container.seek(4_000_000)
        frame = next(container.decode(audio=0))
        assert frame.pts is not None
        start = int(frame.pts)
        assert start <= 64_000
        expected = np.concatenate([tone(50_001, rate=16_000), tone(70_000, rate=16_000)], axis=1)
        assert np.array_equal(frame.to_ndarray(), expected[:, start : start + frame.samples])


@pytest.mark.parametrize(
    ("kind", "alone", "joined"),
    [
        (samples.OGG_OPUS, "audio/ogg", "audio/ogg"),
        (samples.WAV, "audio/wav", "audio/wav"),
        (samples.FLAC, "audio/flac", "audio/flac"),
        (samples.MP3, "audio/mpeg", "audio/flac"),
        (samples.ADTS, "audio/aac", "audio/aac"),
        (samples.M4A, "audio/mp4", "audio/flac"),
        (samples.WEBM, "audio/webm", "audio/ogg"),
        ("matroska aac", "audio/matroska", "audio/flac"),
    ],
)
def test_the_content_type_is_that_of_the_bytes(kind: str, alone: str, joined: str, tmp_path: Path) -> None:
    chunk = encoded(kind, tone(48_000))
    assert stitched([chunk], tmp_path)[0].content_type == alone
    assert stitched([chunk] * 2, tmp_path)[0].content_type == joined


def test_slices_of_several_files_make_one_recording(tmp_path: Path) -> None:
    first, second = (wav(tone(length)) for length in (30_000, 20_000))
    result, content = stitched([*cut(first, 9_000, 20_000), *cut(second, 15_000)], tmp_path)
    assert result.method == "remuxed"
    assert content == wav(np.concatenate([tone(30_000), tone(20_000)], axis=1))


MIXTURES = {
    "codecs": [FILES[samples.OGG_OPUS][0], FILES[samples.MP3][1]],
    "rates": [wav(tone(48_000)), wav(tone(24_000, rate=8_000), rate=8_000)],
    "channels": [wav(tone(48_000)), wav(tone(48_000, channels=2))],
    "bit depths": [FILES[samples.WAV][0], FILES[samples.WAV_24][1]],
    "rates of bare frames": [FILES[samples.MP3][0], encoded(samples.MP3, tone(32_000, rate=16_000), rate=16_000)],
}


@pytest.mark.parametrize("mixture", MIXTURES)
def test_files_too_unlike_to_be_joined_are_encoded_anew(mixture: str, tmp_path: Path) -> None:
    chunks = MIXTURES[mixture]
    each_ms = [stitched([chunk], tmp_path)[0].duration_ms for chunk in chunks]
    result, content = stitched(chunks, tmp_path)
    assert (result.method, result.content_type, result.codec) == ("reencoded", "audio/flac", "flac")
    assert result.duration_ms == pytest.approx(sum(each_ms), abs=33)
    with av.open(io.BytesIO(content), "r") as container:
        assert decoded_samples(content) * 1000 / container.streams.audio[0].rate == pytest.approx(
            result.duration_ms, abs=1
        )


def test_a_wav_and_a_flac_file_are_joined_without_loss(tmp_path: Path) -> None:
    _, content = stitched([FILES[samples.WAV][0], FILES[samples.FLAC][1]], tmp_path)
    assert np.array_equal(decoded(content), np.concatenate([tone(length) for length in LENGTHS[:2]], axis=1))


class TestHeadersThatLie:
    @pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 100, 0x7FFFFFFF])
    def test_a_live_wav_is_as_long_as_its_sound(self, size: int, tmp_path: Path) -> None:
        live = with_sizes(wav(tone(40_000)), size)
        result, content = stitched(cut(live, 20_000, 50_000), tmp_path)
        assert content == wav(tone(40_000))
        assert result.duration_ms == 2500

    def test_live_wavs_join_into_one_with_right_sizes(self, tmp_path: Path) -> None:
        live = [with_sizes(wav(tone(length)), 0xFFFFFFFF) for length in (16_000, 8_001)]
        _, content = stitched(live, tmp_path)
        assert content == wav(np.concatenate([tone(16_000), tone(8_001)], axis=1))

    def test_a_slice_of_sound_that_reads_like_a_wav_header_is_no_new_file(self, tmp_path: Path) -> None:
        inner = np.frombuffer(wav(tone(4_000)), np.int16).reshape(1, -1)
        whole = wav(np.concatenate([tone(6_000), inner, tone(5_000)], axis=1))
        at = whole.index(b"RIFF", 1)
        result, content = stitched(cut(whole, at, at + 4_000), tmp_path)
        assert (result.method, content) == ("concatenated", whole)

    def test_a_slice_that_begins_with_an_ogg_page_is_no_new_file(self, tmp_path: Path) -> None:
        whole = FILES[samples.OGG_OPUS][0]
        pages = [at for at in range(1, len(whole)) if whole.startswith(b"OggS", at)]
        result, content = stitched(cut(whole, *pages), tmp_path)
        assert (result.method, content) == ("concatenated", whole)

    def test_a_slice_that_begins_with_a_box_is_no_new_file(self, tmp_path: Path) -> None:
        whole = FILES[samples.M4A][0]
        boxes = [whole.index(name) - 4 for name in (b"free", b"mdat", b"moov")]
        result, content = stitched(cut(whole, *boxes), tmp_path)
        assert (result.method, content) == ("concatenated", whole)

    @pytest.mark.parametrize("kind", [samples.MP3, samples.ADTS])
    def test_a_slice_that_begins_with_a_frame_is_no_new_file(self, kind: str, tmp_path: Path) -> None:
        whole = FILES[kind][0]
        frames = [at for at in range(1, len(whole)) if whole[at] == 0xFF and whole[at + 1 : at + 2] > b"\xe0"]
        result, content = stitched(cut(whole, *frames[::7]), tmp_path)
        assert (result.method, content) == ("concatenated", whole)

    def test_tags_of_later_mp3_files_do_not_change_the_length(self, tmp_path: Path) -> None:
        tagged = encoded(
            samples.MP3, tone(48_000), metadata={"title": "Café"}, muxer_options={"write_id3v1": "1", "write_xing": "0"}
        )
        plain, _ = stitched([MP3_WITHOUT_A_NOTE] * 3, tmp_path)
        result, content = stitched([tagged] * 3, tmp_path)
        assert (result.method, result.duration_ms) == ("remuxed", plain.duration_ms)
        assert decoded_samples(content) / 48 == pytest.approx(result.duration_ms, abs=1)
        assert content.count(b"ID3") == content.count(b"Xing") == 0
        assert content.count(b"Info") == 1

    def test_delay_and_padding_that_mp3_files_note_are_not_heard_between_them(self, tmp_path: Path) -> None:
        result, content = stitched(FILES[samples.MP3], tmp_path)
        assert result.duration_ms == pytest.approx(sum(LENGTHS) / 48, abs=1)
        assert decoded_samples(content) == sum(decoded_samples(file) for file in FILES[samples.MP3])

    def test_an_mp4_with_its_index_in_front_is_cut_and_restored_too(self, tmp_path: Path) -> None:
        path = tmp_path / "front.m4a"
        with (
            av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as muxed,
            av.open(io.BytesIO(FILES[samples.M4A][0]), "r") as source,
        ):
            target = muxed.add_stream_from_template(source.streams.audio[0])
            for packet in source.demux(audio=0):
                if packet.size:
                    packet.stream = target
                    muxed.mux_one(packet)
        whole = path.read_bytes()
        assert whole.index(b"moov") < whole.index(b"mdat")
        result, content = stitched(cut(whole, 30, 1_000, 9_000), tmp_path)
        assert content == whole
        assert result.duration_ms == pytest.approx(LENGTHS[0] / 48, abs=1)

    def test_a_live_webm_without_a_length_is_measured_by_its_packets(self, tmp_path: Path) -> None:
        live = encoded(samples.WEBM, tone(96_000), can_seek=False, muxer_options={"live": "1"})
        with av.open(io.BytesIO(live), "r") as container:
            assert container.duration is None
        result, content = stitched(cut(live, 700, 5_000, 9_000), tmp_path)
        assert content == live
        assert result.duration_ms == pytest.approx(2_000, abs=20)

    def test_a_wav_with_notes_before_its_sound_and_after_it_is_read(self, tmp_path: Path) -> None:
        note = b"LIST" + (26).to_bytes(4, "little") + b"INFOISFT" + (14).to_bytes(4, "little") + b"A recorder 1.0"
        plain = wav(tone(9_000))
        noted = plain[:12] + note + plain[12:] + note
        noted = noted[:4] + (len(noted) - 8).to_bytes(4, "little") + noted[8:]
        result, content = stitched([noted, noted], tmp_path)
        assert content == wav(np.concatenate([tone(9_000)] * 2, axis=1))
        assert result.duration_ms == round(18_000 / 16)


NO_AUDIO = {
    "a picture": b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00" + bytes(range(256)) * 200,
    "text": b"Dear Sir or Madam, this is no sound at all.\n" * 300,
    "noise": np.random.default_rng(7).bytes(70_000),
    "frame-like noise": b"\xff\xfb\x90\x64" + np.random.default_rng(8).bytes(70_000),
    "nothing": b"",
    "one byte": b"O",
}


class TestChunksThatAreNotAudio:
    @pytest.mark.parametrize("content", NO_AUDIO.values(), ids=NO_AUDIO)
    def test_alone_it_is_refused(self, content: bytes, tmp_path: Path) -> None:
        with pytest.raises(AudioError, match="Chunk 1 is ") as caught:
            stitched([content], tmp_path)
        assert caught.value.reason == "not_audio"

    @pytest.mark.parametrize("content", list(NO_AUDIO.values())[:5], ids=list(NO_AUDIO)[:5])
    @pytest.mark.parametrize("kind", EVERY_FORMAT)
    def test_among_whole_files_it_is_left_out_and_named(self, kind: str, content: bytes, tmp_path: Path) -> None:
        first, second, _ = FILES[kind]
        for chunks, number in (([content, first], 1), ([first, content, second], 2), ([first, second, content], 3)):
            files = [chunk for chunk in chunks if chunk is not content]
            result, written = stitched(chunks, tmp_path)
            assert [damage.chunk_number for damage in result.damage] == [number]
            assert result.damage[0].reason == "not_audio"
            assert result.damage[0].message.startswith(f"Chunk {number} ")
            assert written == stitched(files, tmp_path)[1]

    @pytest.mark.parametrize("kind", [samples.OGG_OPUS, samples.MP3, samples.ADTS])
    def test_among_slices_it_is_left_out_and_named(self, kind: str, tmp_path: Path) -> None:
        first, second = cut(FILES[kind][0], len(FILES[kind][0]) // 2)
        result, written = stitched([first, NO_AUDIO["a picture"], second], tmp_path)
        assert [damage.message for damage in result.damage] == [
            "Chunk 2 is a JPEG picture, not audio; it was left out."
        ]
        assert decoded_samples(written) >= 0.9 * decoded_samples(FILES[kind][0])

    @pytest.mark.parametrize("numbers", [(2, 3, 4), (3, 7, 11)])
    def test_it_is_called_by_the_number_that_is_given(self, numbers: tuple[int, ...], tmp_path: Path) -> None:
        chunks = openers([FILES[samples.WAV][0], b"", FILES[samples.WAV][0]])
        (found,) = stitch(chunks, tmp_path / "audio", numbers=numbers).damage
        assert (found.chunk_number, found.message.split(" is ")[0]) == (numbers[1], f"Chunk {numbers[1]}")
        with pytest.raises(NotAudio, match=f"Chunk {numbers[0]} "):
            stitch(openers([b"<html>"]), tmp_path / "audio", numbers=numbers[:1])

    def test_no_chunks_at_all_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(NotAudio, match="no chunks"):
            stitched([], tmp_path)

    def test_a_film_without_sound_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(AudioError, match="Chunk 1 has no sound track") as caught:
            stitched([silent_film()], tmp_path)
        assert caught.value.reason == "unsupported_audio"

    def test_a_known_format_that_is_not_read_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(AudioError, match=r"Chunk 1 is DSS .*, which is not supported; send it as WAV"):
            stitched([b"\x02dss" + bytes(range(256)) * 20], tmp_path)

    @pytest.mark.parametrize("kind", EVERY_FORMAT)
    @same_folder
    @given(data=st.data())
    def test_damage_never_shows_as_anything_but_an_audio_error(
        self, kind: str, data: st.DataObject, tmp_path: Path
    ) -> None:
        damaged = bytearray(FILES[kind][2])
        for at in data.draw(st.lists(st.integers(0, len(damaged) - 1), max_size=20)):
            damaged[at] ^= data.draw(st.integers(1, 255))
        kept = data.draw(st.integers(1, len(damaged)))
        with contextlib.suppress(AudioError):
            stitched([bytes(damaged[:kept]), FILES[kind][1]], tmp_path)

    def test_its_errors_cross_processes_whole(self) -> None:
        for error in (NotAudio(chunk_number=3, detail="is empty"), ChecksumMismatch(expected="aa", actual="bb")):
            again = pickle.loads(pickle.dumps(error))  # noqa: S301
            assert (str(again), vars(again)) == (str(error), vars(error))


class TestChecksum:
    @pytest.mark.parametrize("spelled", [str.lower, str.upper])
    def test_the_right_one_is_accepted_in_either_case(self, spelled: Callable[[str], str], tmp_path: Path) -> None:
        chunks = FILES[samples.OGG_OPUS]
        md5 = hashlib.md5(b"".join(chunks), usedforsecurity=False).hexdigest()
        result = stitch(openers(chunks), tmp_path / "stitched", checksum_md5=spelled(md5))
        assert result.chunks_md5 == md5

    def test_a_wrong_one_is_an_integrity_failure_and_nothing_is_written(self, tmp_path: Path) -> None:
        with pytest.raises(ChecksumMismatch) as caught:
            stitch(openers(FILES[samples.WAV]), tmp_path / "stitched", checksum_md5="0" * 32)
        assert caught.value.reason == "integrity_failure"
        assert caught.value.expected == "0" * 32
        assert list(tmp_path.iterdir()) == []


class TestTroubleOfTheMachine:
    @pytest.mark.parametrize("chunks", [*FILES.values(), MIXTURES["codecs"]], ids=[*EVERY_FORMAT, "mixed"])
    def test_a_full_disk_is_an_os_error_and_leaves_nothing(self, chunks: list[bytes], tmp_path: Path) -> None:
        with largest_file(2_000), pytest.raises(OSError, match="File too large"):
            stitched(chunks, tmp_path)
        assert list(tmp_path.iterdir()) == []

    def test_a_chunk_that_can_not_be_read_is_an_os_error_and_leaves_nothing(self, tmp_path: Path) -> None:
        good = opener(FILES[samples.WAV][0])
        with pytest.raises(OSError, match="the disk gave out"):
            stitch([good, _Broken, good], tmp_path / "stitched")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("kind", EVERY_FORMAT)
    def test_a_copy_that_can_not_be_read_is_an_os_error_at_any_point(
        self, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        chunks = openers([FILES[kind][0], FILES[kind][1], FILES[kind][0]])
        copies = FailingCopies()
        monkeypatch.setattr(chunk_bytes, "open_unbuffered", copies)
        stitch(chunks, tmp_path / "stitched")
        (tmp_path / "stitched").unlink()
        assert copies.opens > 2
        for working in range(copies.opens):
            monkeypatch.setattr(chunk_bytes, "open_unbuffered", FailingCopies(working_opens=working))
            with pytest.raises(OSError, match="the disk gave out"):
                stitch(chunks, tmp_path / "stitched")
            assert list(tmp_path.iterdir()) == []


class FailingCopies:
    """Files that open and are read some times, and then fail as those on a broken disk do."""

    def __init__(self, *, working_opens: int | None = None) -> None:
        self._working_opens = working_opens
        self.opens = 0

    def __call__(self, path: Path) -> BinaryIO:
        self.opens += 1
        works = self._working_opens is None or self.opens <= self._working_opens
        return path.open("rb") if works else _Broken()


class _Broken(io.BytesIO):
    def read(self, *_: object) -> bytes:
        raise OSError("the disk gave out")


@contextlib.contextmanager
def largest_file(size_bytes: int) -> Iterator[None]:
    """No file can be written past this size: the nearest to a full disk that needs no disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def with_sizes(content: bytes, size: int) -> bytes:
    """A WAV as a live recorder leaves it, its sizes never filled in."""
    field = size.to_bytes(4, "little")
    return content[:4] + field + content[8:40] + field + content[44:]


def with_pre_skip(content: bytes, pre_skip: int) -> bytes:
    """An Ogg Opus file that asks for another pre-skip; its checksum is corrected."""
    at = content.index(b"OpusHead") + 10
    changed = bytearray(content[:at] + pre_skip.to_bytes(2, "little") + content[at + 2 :])
    changed[22:26] = bytes(4)
    value = 0
    for byte in changed[: changed.index(b"OggS", 4)]:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value & 0x80000000 else 0)) & 0xFFFFFFFF
    changed[22:26] = value.to_bytes(4, "little")
    return bytes(changed)


def silent_film() -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame(32, 32, "yuv420p")))
        container.mux(stream.encode(None))
    return file.getvalue()
