"""Recordings as people really have them, kind by kind: what was recorded is heard, once, at its time, and nothing else.

Sounds are noises unlike one another, so that each is found again where it is. Right is what a player plays that follows
the file's own clock, with all tracks at once.
"""

import io
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from adapters.audio.decoding import pcm_blocks
from adapters.audio.errors import AudioError
from adapters.audio.stitching import StitchedAudio, stitch
from tests.adapters.audio import samples
from tests.adapters.audio.every_kind import EVERY_KIND, Kind
from tests.adapters.audio.listening import RATE, Heard, noise, place_of
from tests.adapters.audio.real_life import (
    Edit,
    TrackOf,
    with_data_size,
    with_edits,
    with_gaps,
    with_list,
    with_tracks,
    with_unknown_codec,
)
from tests.adapters.audio.samples import Samples, encoded, opener, openers, wav
from tests.tools.ffmpeg import needs_ffmpeg

WITHIN = 0.02
PADDING = 0.07
"""A frame of AAC at 16 kHz, or of MP3: what an encoder adds where the file cannot say so."""
LIKE = 0.8


@dataclass(frozen=True)
class At:
    """A sound of `seed` that begins at `seconds`, from its second `start` on and `lasts` long."""

    seed: int
    seconds: float
    lasts: float
    start: float = 0.0


def sound(seed: int, lasts: float = 1.0, *, rate: int = RATE, channels: int = 1) -> Samples:
    """The first `lasts` seconds of one long noise, whatever the rate: noise of another length is another noise."""
    whole = noise(4.0, seed=seed, rate=RATE)
    if rate != RATE:
        source = av.AudioFrame.from_ndarray(whole, "s16p", "mono")
        source.rate = RATE
        resampler = av.AudioResampler("s16p", "mono", rate)
        whole = np.concatenate(
            [one.to_ndarray() for one in [*resampler.resample(source), *resampler.resample(None)]], axis=1
        )
    return np.tile(whole[:, : round(lasts * rate)], (channels, 1))


def stitched(chunks: Sequence[bytes], folder: Path) -> tuple[StitchedAudio, bytes]:
    output = folder / "stitched"
    return stitch(openers(chunks), output), output.read_bytes()


def channels_of(content: bytes) -> list[Heard]:
    """Every channel of every track at 16 kHz, as players decode them."""
    found: list[Heard] = []
    with av.open(io.BytesIO(content), "r") as container:
        tracks = len(container.streams.audio)
    for track in range(tracks):
        with av.open(io.BytesIO(content), "r") as container:
            blocks, resampler = [], None
            for frame in container.decode(audio=track):
                resampler = resampler or av.AudioResampler("fltp", frame.layout, RATE)
                blocks += [one.to_ndarray() for one in resampler.resample(frame)]
            if resampler is not None:
                blocks += [one.to_ndarray() for one in resampler.resample(None)]
        if blocks:
            found += [channel.astype(np.float64) * 32768 for channel in np.concatenate(blocks, axis=1)]
    return found


def heard_at_16_khz(content: bytes) -> Heard:
    blocks = list(pcm_blocks(opener(content)))
    return np.concatenate(blocks).astype(np.float64) if blocks else np.zeros(0)


def check(
    chunks: Sequence[bytes],
    expected: Sequence[At],
    seconds: float,
    folder: Path,
    *,
    padding: float = 0.0,
    joins: int = 0,
) -> StitchedAudio:
    """Stitch, and find every sound where it belongs, in the file and in what speech engines hear.

    `padding`: seconds that may be added at the end of each part, and delay all after it. `joins`: how many.
    """
    result, content = stitched(chunks, folder)
    slack = WITHIN * max(1, joins)
    latest = seconds + padding * (joins + 1)
    assert seconds - slack <= result.duration_ms / 1000 <= latest + slack
    spoken = heard_at_16_khz(content)
    assert len(spoken) / RATE == pytest.approx(result.duration_ms / 1000, abs=WITHIN)
    channels = channels_of(content)
    assert max(map(len, channels)) / RATE == pytest.approx(result.duration_ms / 1000, abs=WITHIN)
    for number, one in enumerate(expected):
        part = sound(one.seed, one.start + one.lasts)[0].astype(np.float64)
        margin = min(0.1, one.lasts / 10)
        part = part[round((one.start + margin) * RATE) : round((one.start + one.lasts - margin) * RATE)]
        places = [place_of(part, channel) for channel in [*channels, spoken]]
        best = max(places[:-1], key=lambda place: place.likeness)
        for name, place in (("stitched", best), ("heard", places[-1])):
            # Speech engines hear all tracks and channels mixed.
            assert (number, name, place.likeness >= (LIKE if name == "stitched" else 0.5)) == (number, name, True), (
                place
            )
            begins = place.seconds - margin
            allowed = padding * (number + 1)
            assert one.seconds - slack - 0.005 <= begins <= one.seconds + allowed + slack, (number, name, begins)
    return result


def m4a(seed: int, lasts: float = 1.0) -> bytes:
    return encoded(samples.M4A, sound(seed, lasts), rate=RATE)


class TestSeveralTracks:
    @pytest.mark.parametrize("muxer", ["mov", "mp4", "matroska"])
    @pytest.mark.parametrize("count", [2, 3])
    def test_all_are_heard_each_at_its_time(self, muxer: str, count: int, tmp_path: Path) -> None:
        tracks = [TrackOf("aac", RATE, sound(seed), seed * 1.5) for seed in range(count)]
        expected = [At(seed, seed * 1.5, 1.0) for seed in range(count)]
        check([with_tracks(muxer, tracks)], expected, 1.5 * (count - 1) + 1, tmp_path, padding=PADDING)

    def test_they_may_sound_at_once(self, tmp_path: Path) -> None:
        content = with_tracks("mov", [TrackOf("aac", RATE, sound(1)), TrackOf("aac", RATE, sound(2), 0.3)])
        check([content], [At(1, 0, 1), At(2, 0.3, 1)], 1.3, tmp_path, padding=PADDING)

    @pytest.mark.parametrize(
        ("muxer", "first", "second"),
        [
            ("mov", ("pcm_s16le", 8_000), ("aac", 48_000)),
            ("mov", ("aac", 48_000), ("pcm_mulaw", 8_000)),
            ("mp4", ("aac", 44_100), ("libopus", 48_000)),
            ("matroska", ("libopus", 48_000), ("flac", 16_000)),
            ("matroska", ("pcm_s16le", 16_000), ("libmp3lame", 44_100)),
            ("webm", ("libopus", 16_000), ("libopus", 48_000)),
        ],
    )
    def test_they_may_differ_in_codec_and_rate(
        self, muxer: str, first: tuple[str, int], second: tuple[str, int], tmp_path: Path
    ) -> None:
        tracks = [
            TrackOf(codec, rate, sound(seed, rate=rate), seed * 1.2)
            for seed, (codec, rate) in enumerate((first, second))
        ]
        check([with_tracks(muxer, tracks)], [At(0, 0, 1), At(1, 1.2, 1)], 2.2, tmp_path, padding=PADDING)

    def test_joined_files_keep_them_all(self, tmp_path: Path) -> None:
        two = with_tracks("mov", [TrackOf("aac", RATE, sound(1)), TrackOf("aac", RATE, sound(2), 1.2)])
        expected = [At(1, 0, 1), At(2, 1.2, 1), At(3, 2.2, 1)]
        check([two, wav(sound(3))], expected, 3.2, tmp_path, padding=PADDING, joins=1)

    @pytest.mark.parametrize("unknown", [0, 1])
    def test_one_that_cannot_be_decoded_costs_nothing_but_is_told_of(self, unknown: int, tmp_path: Path) -> None:
        two = with_tracks("mov", [TrackOf("aac", RATE, sound(1)), TrackOf("aac", RATE, sound(2))])
        content = with_unknown_codec(two, b"mp4a", track=unknown)
        result = check([content], [At(2 - unknown, 0, 1)], 1.0, tmp_path, padding=PADDING)
        assert [(one.chunk_number, one.reason) for one in result.damage] == [(1, "unsupported_audio")]
        beside_junk = check([b"{}" * 200, content], [At(2 - unknown, 0, 1)], 1.0, tmp_path, padding=PADDING)
        assert [(one.chunk_number, one.reason) for one in beside_junk.damage] == [
            (1, "not_audio"),
            (2, "unsupported_audio"),
        ]


WHOLE = (
    samples.WAV,
    samples.WAV_24,
    samples.M4A,
    samples.WEBM,
    samples.FLAC,
    samples.OGG_OPUS,
    samples.OGG_FLAC,
    samples.MP3,
    samples.ADTS,
    "matroska flac",
    "mov pcm_s16le",
    "mp4 fragmented",
    "mp4 fragmented without index",
    "webm live",
)


def whole(kind: str, seed: int) -> bytes:
    match kind:
        case "mp4 fragmented":
            options = {"movflags": "+frag_keyframe+empty_moov+default_base_moof", "frag_duration": "200000"}
            return encoded("mp4 aac", sound(seed), rate=RATE, muxer_options=options)
        case "mp4 fragmented without index":
            options = {
                "movflags": "+frag_keyframe+empty_moov+default_base_moof+skip_trailer",
                "frag_duration": "200000",
            }
            return encoded("mp4 aac", sound(seed), rate=RATE, muxer_options=options)
        case "webm live":
            return encoded(samples.WEBM, sound(seed), rate=RATE, muxer_options={"live": "1"}, can_seek=False)
    return encoded(kind, sound(seed), rate=RATE)


class TestSeveralFilesInOneBody:
    @pytest.mark.parametrize("kind", WHOLE)
    @pytest.mark.parametrize("count", [2, 3])
    def test_none_is_lost(self, kind: str, count: int, tmp_path: Path) -> None:
        body = b"".join(whole(kind, seed) for seed in range(count))
        expected = [At(seed, float(seed), 1.0) for seed in range(count)]
        check([body], expected, float(count), tmp_path, padding=2 * PADDING, joins=count - 1)

    @pytest.mark.parametrize("kind", WHOLE)
    def test_a_body_may_be_cut_into_chunks_anywhere(self, kind: str, tmp_path: Path) -> None:
        first, second = whole(kind, 1), whole(kind, 2)
        chunks = samples.cut(first + second, len(first) // 2, len(first) + len(second) // 3)
        check(chunks, [At(1, 0, 1), At(2, 1, 1)], 2.0, tmp_path, padding=2 * PADDING, joins=1)

    def test_they_may_be_of_different_kinds(self, tmp_path: Path) -> None:
        body = wav(sound(1)) + m4a(2) + encoded(samples.FLAC, sound(3), rate=RATE)
        expected = [At(1, 0, 1), At(2, 1, 1), At(3, 2, 1)]
        check([body], expected, 3.0, tmp_path, padding=PADDING, joins=2)


class TestChannels:
    @pytest.mark.parametrize("kind", [samples.WAV, samples.FLAC, samples.OGG_OPUS, samples.MP3, samples.M4A])
    @pytest.mark.parametrize("right", [-1.0, -0.9, -0.5])
    def test_an_inverted_one_does_not_cancel_the_other(self, kind: str, right: float) -> None:
        left = sound(1)
        both = np.concatenate([left, (left * right).astype(np.int16)])
        spoken = heard_at_16_khz(encoded(kind, both, rate=RATE))
        part = left[0, 2_000:14_000].astype(np.float64)
        place = place_of(np.abs(np.fft.irfft(np.fft.rfft(part))) * np.sign(part), spoken)
        inverted = place_of(-part, spoken)
        assert max(place.likeness, inverted.likeness) > LIKE
        assert np.std(spoken[2_000:14_000]) > 0.4 * np.std(part)

    def test_what_was_recorded_in_stereo_stays_so_beside_mono(self, tmp_path: Path) -> None:
        stereo = np.concatenate([sound(2), sound(3)])
        _, content = stitched([wav(sound(1)), wav(stereo)], tmp_path)
        left, right = channels_of(content)
        assert np.abs(left[RATE:] - stereo[0]).max() <= 1
        assert np.abs(right[RATE:] - stereo[1]).max() <= 1
        assert np.abs(left[:RATE] - sound(1)[0]).max() <= 1

    @pytest.mark.parametrize("order", [1, -1])
    def test_the_best_rate_of_all_is_taken(self, order: int, tmp_path: Path) -> None:
        files = [(8_000, wav(sound(1, rate=8_000), rate=8_000)), (44_100, wav(sound(2, rate=44_100), rate=44_100))]
        _, content = stitched([content for _, content in files[::order]], tmp_path)
        with av.open(io.BytesIO(content), "r") as container:
            assert container.streams.audio[0].rate == 44_100
        found = samples.decoded(content)
        start = 0 if order == -1 else 44_100
        assert np.abs(found[:, start : start + 44_100].astype(int) - sound(2, rate=44_100)).max() <= 1

    def test_the_best_depth_of_all_is_taken(self, tmp_path: Path) -> None:
        _, content = stitched([wav(sound(1)), encoded(samples.WAV_24, sound(2), rate=RATE)], tmp_path)
        with av.open(io.BytesIO(content), "r") as container:
            assert container.streams.audio[0].format.bytes == 4


EDITS = {
    "its beginning": ([Edit(0.564, 1.0)], [At(1, 0, 1.0, start=0.5)], 1.0),
    "its end": ([Edit(0.064, 0.8)], [At(1, 0, 0.8)], 0.8),
    "both": ([Edit(0.664, 0.9)], [At(1, 0, 0.9, start=0.6)], 0.9),
    "nothing, but it begins late": ([Edit(None, 1.5), Edit(0.064, 2.0)], [At(1, 1.5, 2.0)], 3.5),
    "its middle": ([Edit(0.064, 0.5), Edit(1.064, 0.7)], [At(1, 0, 0.5), At(1, 0.5, 0.7, start=1.0)], 1.2),
}


class TestEditLists:
    @pytest.mark.parametrize("what", EDITS)
    def test_what_is_cut_away_is_not_heard(self, what: str, tmp_path: Path) -> None:
        edits, expected, seconds = EDITS[what]
        check([with_edits(m4a(1, 2.0), edits)], expected, seconds, tmp_path, padding=PADDING)

    @pytest.mark.parametrize("what", EDITS)
    def test_nor_in_what_several_files_are_joined_to(self, what: str, tmp_path: Path) -> None:
        edits, expected, seconds = EDITS[what]
        edited = with_edits(m4a(1, 2.0), edits)
        later = [At(one.seed, one.seconds + seconds + 1, one.lasts, one.start) for one in expected]
        result, content = stitched([edited, wav(sound(2)), edited], tmp_path)
        assert 2 * seconds + 1 - 2 * WITHIN <= result.duration_ms / 1000 <= 2 * seconds + 1 + 2 * PADDING + 2 * WITHIN
        cut_away = sound(1, 2.0)[0].astype(np.float64)
        heard_seconds = sum(one.lasts for one in expected)
        assert loudness(channels_of(content)[0]) <= 2 * heard_seconds + 1 + 3 * PADDING
        assert len(later) == len(expected)
        assert len(cut_away)


def loudness(channel: Heard) -> float:
    """How many seconds of it are not silent."""
    blocks = channel[: len(channel) // 160 * 160].reshape(-1, 160)
    return float((blocks.std(axis=1) > 100).sum() / 100)


GAPS = {
    "of ten seconds": [(1.0, 10.0)],
    "of one second": [(1.0, 1.0)],
    "of 400 ms, as DTX makes them": [(0.5, 0.4), (1.0, 0.4), (1.5, 0.4)],
    "of two lengths": [(0.7, 3.0), (1.4, 0.5)],
}
WITH_CLOCK = {
    "Opus in Ogg": (samples.OGG_OPUS, "ogg"),
    "Vorbis in Ogg": (samples.OGG_VORBIS, "ogg"),
    "FLAC in Ogg": (samples.OGG_FLAC, "ogg"),
    "WebM": (samples.WEBM, "webm"),
    "AAC in Matroska": ("matroska aac", "matroska"),
    "M4A": (samples.M4A, "ipod"),
    "AAC in MPEG-TS": ("mpegts aac", "mpegts"),
}


def gapped(kind: str, gaps: Sequence[tuple[float, float]]) -> tuple[bytes, list[At], float]:
    codec, muxer = WITH_CLOCK[kind]
    content = with_gaps(encoded(codec, sound(1, 2.0), rate=RATE), muxer, gaps)
    late = sum(seconds for at, seconds in gaps if at < 0)
    edges = [0.0, *(at for at, _ in gaps if at > 0), 2.0]
    expected, shift = [], late
    for number, (start, stop) in enumerate(pairwise(edges)):
        if number:
            shift = late + sum(seconds for at, seconds in gaps if 0 < at <= start)
        # A packet is on one side of the gap or on the other; one of FLAC has 4608 samples.
        margin = 0.08 if codec != samples.OGG_FLAC else 0.29
        if stop - start > 3 * margin:
            expected.append(At(1, start + shift + margin, stop - start - 2 * margin, start=start + margin))
    return content, expected, 2.0 + sum(seconds for _, seconds in gaps)


class TestGapsInTheClock:
    @pytest.mark.parametrize("gaps", GAPS)
    @pytest.mark.parametrize("kind", WITH_CLOCK)
    def test_a_gap_is_silence_of_its_length(self, kind: str, gaps: str, tmp_path: Path) -> None:
        content, expected, seconds = gapped(kind, GAPS[gaps])
        padding = 2 * PADDING if kind == "AAC in MPEG-TS" else PADDING  # which cannot say what to skip at its beginning
        check([content], expected, seconds, tmp_path, padding=padding)

    @pytest.mark.parametrize("kind", WITH_CLOCK)
    def test_also_where_files_are_joined(self, kind: str, tmp_path: Path) -> None:
        content, expected, seconds = gapped(kind, [(1.0, 2.0)])
        check(
            [wav(sound(2)), content],
            [At(2, 0, 1), *_later(expected, 1.0)],
            seconds + 1,
            tmp_path,
            padding=PADDING,
            joins=1,
        )

    @pytest.mark.parametrize("kind", [kind for kind in WITH_CLOCK if kind not in ("AAC in MPEG-TS", "FLAC in Ogg")])
    def test_a_late_first_time_is_silence_too(self, kind: str, tmp_path: Path) -> None:
        content, expected, seconds = gapped(kind, [(-1.0, 3.0)])
        check([content], expected, seconds, tmp_path, padding=PADDING)


def _later(expected: Sequence[At], seconds: float) -> Iterator[At]:
    for one in expected:
        yield At(one.seed, one.seconds + seconds, one.lasts, one.start)


class TestChangesInOneStream:
    @pytest.mark.parametrize("kind", [samples.ADTS, samples.MP3, samples.OGG_OPUS, samples.OGG_FLAC])
    @pytest.mark.parametrize("rates", [(16_000, 48_000), (44_100, 16_000), (48_000, 16_000)])
    def test_of_its_rate(self, kind: str, rates: tuple[int, int], tmp_path: Path) -> None:
        rates = (48_000, 16_000) if kind == samples.OGG_OPUS and 44_100 in rates else rates
        content = b"".join(encoded(kind, sound(seed, rate=rate), rate=rate) for seed, rate in enumerate(rates))
        check([content], [At(0, 0, 1), At(1, 1, 1)], 2.0, tmp_path, padding=2 * PADDING, joins=1)

    @pytest.mark.parametrize("kind", [samples.ADTS, samples.MP3, samples.OGG_OPUS, samples.OGG_FLAC])
    @pytest.mark.parametrize("channels", [(1, 2), (2, 1)])
    def test_of_its_channels(self, kind: str, channels: tuple[int, int], tmp_path: Path) -> None:
        content = b"".join(encoded(kind, sound(seed, channels=count), rate=RATE) for seed, count in enumerate(channels))
        check([content], [At(0, 0, 1), At(1, 1, 1)], 2.0, tmp_path, padding=2 * PADDING, joins=1)


WAVS = {
    "a size of 0": lambda: [with_data_size(wav(sound(1)), 0)],
    "the largest size": lambda: [with_data_size(wav(sound(1)), 0xFFFFFFFF)],
    "a size in the middle": lambda: [with_data_size(wav(sound(1)), 9_000)],
    "a size one too small": lambda: [with_data_size(wav(sound(1)), 31_999)],
    "a size one too large": lambda: [with_data_size(wav(sound(1)), 32_001)],
    "a LIST behind": lambda: [with_list(wav(sound(1)))],
    "a LIST one byte too large": lambda: [with_list(wav(sound(1)), excess=1)],
    "a LIST much too large": lambda: [with_list(wav(sound(1)), excess=70_000)],
    "zeros behind": lambda: [wav(sound(1)) + bytes(64)],
    "the first chunk's size and bare samples after it": lambda: [
        wav(sound(1)[:, :8_000]),
        sound(1)[:, 8_000:12_000].tobytes(),
        sound(1)[:, 12_000:].tobytes(),
    ],
    "chunks of odd sizes": lambda: samples.cut(with_data_size(wav(sound(1)), 0xFFFFFFFF), 9_001, 20_003),
}


@pytest.mark.parametrize("name", WAVS)
def test_a_wav_whose_header_lies_is_as_long_as_its_sound(name: str, tmp_path: Path) -> None:
    check(WAVS[name](), [At(1, 0, 1)], 1.0, tmp_path)


def of_kind(muxer: str, codec: str) -> Kind:
    return next(kind for kind in EVERY_KIND if (kind.muxer, kind.codec) == (muxer, codec))


@pytest.mark.parametrize(
    ("muxer", "codec"),
    [
        ("3gp", "libopencore_amrnb"),
        ("mov", "pcm_mulaw"),
        ("mov", "pcm_alaw"),
        ("mov", "adpcm_ima_qt"),
        ("mov", "pcm_s16be"),
        ("wav", "pcm_mulaw"),
        ("wav", "pcm_alaw"),
        ("wav", "adpcm_ima_wav"),
        ("wav", "adpcm_ms"),
        ("mp4", "ac3"),
        ("mp4", "libopus"),
        ("matroska", "ac3"),
    ],
)
def test_a_codec_that_its_container_cannot_take_over_is_encoded_anew(muxer: str, codec: str, tmp_path: Path) -> None:
    kind = of_kind(muxer, codec)
    files = [kind.made(sound(seed, rate=kind.rate)) for seed in (1, 2, 3)]
    expected = [At(1, 0, 1), At(2, 1, 1), At(3, 2, 1)]
    if codec == "libopencore_amrnb":  # it makes of noise what sounds like it
        result, _ = stitched(files, tmp_path)
        assert result.duration_ms == pytest.approx(3_000, abs=60)
    else:
        check(files, expected, 3.0, tmp_path, padding=0.025, joins=2)


@pytest.mark.parametrize(
    ("suffix", "codec", "rate"),
    [
        ("mkv", "pcm_mulaw", 8_000),
        ("mkv", "pcm_alaw", 8_000),
        ("wav", "libgsm_ms", 8_000),
        ("mkv", "adpcm_ima_wav", 16_000),
    ],
)
def test_so_are_codecs_that_only_other_programs_write(suffix: str, codec: str, rate: int, tmp_path: Path) -> None:
    needs_ffmpeg()
    files = []
    for seed in (1, 2):
        source, made = tmp_path / "source.wav", tmp_path / f"made.{suffix}"
        source.write_bytes(wav(sound(seed, rate=rate), rate=rate))
        command = ["ffmpeg", "-nostdin", "-v", "error", "-y", "-i", str(source), "-c:a", codec, str(made)]
        subprocess.run(command, check=True)
        files.append(made.read_bytes())
    result, content = stitched(files, tmp_path)
    assert result.duration_ms == pytest.approx(2_000, abs=40 if "gsm" in codec else 70)
    assert len(heard_at_16_khz(content)) / 16 == pytest.approx(result.duration_ms, abs=20)


class TestWithoutABeginning:
    @pytest.mark.parametrize("offset", [1, 100, 417, 600])
    def test_mp3_and_adts_are_heard_from_their_next_frame_on(self, offset: int, tmp_path: Path) -> None:
        for kind in (samples.MP3, samples.ADTS):
            content = encoded(kind, sound(1, 2.0), rate=RATE)
            result, stored = stitched([content[offset:]], tmp_path)
            assert 1.7 <= result.duration_ms / 1000 <= 2.2
            part = sound(1, 2.0)[0, 12_000:28_000].astype(np.float64)
            assert place_of(part, channels_of(stored)[0]).likeness > LIKE

    def test_zeros_between_a_tag_and_the_first_frame_do_no_harm(self, tmp_path: Path) -> None:
        content = encoded(samples.MP3, sound(1), rate=RATE, metadata={"title": "Visit"})
        tag = 10 + int.from_bytes(content[8:10], "big")
        tag = content.index(b"\xff", 10)
        for size in (1, 2_048, 20_000):
            check([content[:tag] + bytes(size) + content[tag:]], [At(1, 0, 1)], 1.0, tmp_path, padding=PADDING)

    @pytest.mark.parametrize("kind", [samples.WEBM, samples.OGG_OPUS])
    def test_what_needs_its_beginning_is_told_that_it_is_missing(self, kind: str, tmp_path: Path) -> None:
        options = {"cluster_time_limit": "300"} if kind == samples.WEBM else {"page_duration": "200000"}
        content = encoded(kind, sound(1, 2.0), rate=RATE, muxer_options=options)
        mark = b"\x1f\x43\xb6\x75" if kind == samples.WEBM else b"OggS"
        at = content.index(mark, len(content) // 3)
        with pytest.raises(AudioError, match=r"^Chunk 1 .*beginning"):
            stitched([content[at:]], tmp_path)


def test_a_damaged_chunk_among_good_ones_is_named_and_costs_no_more(tmp_path: Path) -> None:
    bad = np.random.default_rng(5).bytes(5_000)
    result, content = stitched([wav(sound(1)), bad, wav(sound(2))], tmp_path)
    assert {one.chunk_number for one in result.damage} == {2}
    for seed in (1, 2):
        assert place_of(sound(seed)[0].astype(np.float64), channels_of(content)[0]).likeness > 0.99


class TestWhatWouldBeNoticed:
    """The same questions of files that are not what they should be."""

    @pytest.mark.parametrize(
        "content",
        [
            wav(np.concatenate([sound(2), sound(1)], axis=1)),
            wav(np.concatenate([sound(1), sound(2)[:, 480:]], axis=1)),
            wav(np.concatenate([sound(1), np.zeros((1, 800), np.int16), sound(2)], axis=1)),
            wav(np.concatenate([sound(1), sound(1)], axis=1)),
        ],
        ids=["another order", "30 ms missing", "50 ms too much", "one twice"],
    )
    def test_it_fails(self, content: bytes, tmp_path: Path) -> None:
        with pytest.raises(AssertionError):
            check([content], [At(1, 0, 1), At(2, 1, 1)], 2.0, tmp_path)

    def test_it_does_not_fail_for_what_is_right(self, tmp_path: Path) -> None:
        check([wav(np.concatenate([sound(1), sound(2)], axis=1))], [At(1, 0, 1), At(2, 1, 1)], 2.0, tmp_path)
