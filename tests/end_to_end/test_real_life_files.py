"""Files as phones, browsers, call recorders and wearables really make them, through the API: nothing is lost silently.

Two stretches of the project's sample are spoken in them, called A and B.
"""

import io
import re
from dataclasses import dataclass
from difflib import SequenceMatcher

import av
import numpy as np
import orjson
import pytest

from tests.end_to_end.dorsum_client import Dorsum, stored_chunks
from tests.places import SHARED_DATA

CASES = SHARED_DATA / "cases"
pytestmark = pytest.mark.skipif(
    not CASES.is_dir(), reason="needs the shared folder of real-life files beside the checkout"
)

A = "good morning doctor i"
B = "mostly on the right side of my head is"
ENOUGH_OF_THE_WORDS = 0.6
"""Another processor may hear another word here or there."""
WITHIN_MS = 20
FIRST_WORD_SECONDS = 1.5
"""How long after a stretch begins its first words are spoken, at most."""


@dataclass(frozen=True)
class Case:
    """Files, one chunk each, with the length that is right. `b_from`: the second at which B begins."""

    files: tuple[str, ...]
    seconds: float
    said: tuple[str, ...]
    b_from: float | None = None


RIGHT = {
    "two AMR files in 3GP": Case(("01-a.3gp", "01-b.3gp"), 6.0, (A, B), b_from=3.0),
    "two tracks": Case(("02-two-tracks.mov",), 6.5, (A, B), b_from=3.5),
    "two tracks, sent twice": Case(("02-two-tracks.mov", "02-two-tracks.mov"), 13.0, (A, B, A, B), b_from=10.0),
    "a WAV header and bare samples": Case(("04-chunk1.wav", "04-chunk2.raw", "04-chunk3.raw"), 6.0, (A, B), b_from=3.0),
    "an M4A trimmed by its edit list": Case(("05-trimmed.m4a",), 2.03, ()),
    "an M4A trimmed by its edit list, twice": Case(("05-trimmed.m4a", "05-trimmed.m4a"), 4.06, ()),
    "a pause of ten seconds in Opus": Case(("06-gap.opus",), 16.04, (A, B), b_from=13.0),
    "stereo with one channel inverted": Case(("08-inverted.wav",), 3.0, (A,)),
    "two WAVs in one body": Case(("09-two-wavs.wav",), 6.0, (A, B), b_from=3.0),
    "ADTS of two rates": Case(("10-rates.aac",), 6.11, (A, B), b_from=3.05),
    "a WAV with a LIST one byte too large": Case(("11-list-size.wav",), 3.0, (A,)),
    "an MP3 with zeros behind its tag": Case(("12-id3-zeros.mp3",), 3.05, (A,)),
    "MPEG-TS": Case(("13-a.ts",), 3.05, (A,)),
    "8 kHz, then 16 kHz": Case(("16-8k.wav", "16-16k.wav"), 6.0, (A, B), b_from=3.0),
}


def read(*names: str) -> list[bytes]:
    return [(CASES / name).read_bytes() for name in names]


async def sent(api, chunks):
    """The recording once it has ended, and its last answer."""
    recording = await api.upload(chunks)
    answer = await api.finalize(recording, len(chunks))
    assert answer.status == 200, answer
    return await api.ended(recording)


async def downloaded(api, recording):
    link = await api.get(recording, "/download-url")
    return (await api.call("GET", link["download_url"], key=False)).body


async def document(api, recording):
    answer = await api.call("GET", f"/v1/transcriptions/{recording['transcription_id']}?format=json")
    assert answer.status == 200, answer
    return answer.json


@pytest.mark.slow
@pytest.mark.parametrize("name", RIGHT)
async def test_it_is_heard_whole_and_at_its_time(api, name):
    case = RIGHT[name]
    recording = await sent(api, read(*case.files))
    assert (recording["status"], recording["failure"]) == ("completed", None)
    within = WITHIN_MS * len(case.files)
    assert recording["duration_ms"] == pytest.approx(
        case.seconds * 1000, abs=within if case.files != ("13-a.ts",) else 60
    )
    transcript = await document(api, recording)
    assert transcript["duration_ms"] == pytest.approx(recording["duration_ms"], abs=WITHIN_MS)
    assert share_heard(" ".join(case.said), transcript["text"]) >= ENOUGH_OF_THE_WORDS, transcript["text"]
    assert all(segment["end"] * 1000 <= recording["duration_ms"] + WITHIN_MS for segment in transcript["segments"])
    if case.b_from is not None:
        assert case.b_from - 0.3 <= start_of_b(transcript) <= case.b_from + FIRST_WORD_SECONDS


def share_heard(said, heard):
    """The share of the words said that were heard, in their order."""
    expected, found = words(said), words(heard)
    if not expected:
        return 1.0
    return words_in_common(expected, found) / len(expected)


def words_in_common(left, right):
    """How long the longest sequence is that both have in it."""
    lengths = [0] * (len(right) + 1)
    for word in left:
        before = 0
        for index, other in enumerate(right):
            before, lengths[index + 1] = (
                lengths[index + 1],
                before + 1 if word == other else max(lengths[index], lengths[index + 1]),
            )
    return lengths[-1]


def words(text):
    return re.findall(r"[a-z']+", text.lower())


def start_of_b(transcript):
    """When the last run of B's words begins, in seconds."""
    timed = [(words(word["text"]), word["start"]) for segment in transcript["segments"] for word in segment["words"]]
    flat = [(one, start) for spelled, start in timed for one in spelled]
    expected = words(B)
    best = max(
        range(len(flat)),
        key=lambda first: (
            sum(block.size for block in _matches(expected, [one for one, _ in flat[first : first + len(expected)]])),
            first,
        ),
    )
    found = [one for one, _ in flat[best : best + len(expected)]]
    first = next(block.b for block in _matches(expected, found) if block.size)
    return flat[best + first][1]


def _matches(expected, found):
    return SequenceMatcher(None, expected, found, autojunk=False).get_matching_blocks()


async def test_what_an_edit_list_cut_away_is_not_in_the_joined_file(api):
    (trimmed,) = read("05-trimmed.m4a")
    joined = mono(await downloaded(api, await sent(api, [trimmed, trimmed])))
    played = mono(trimmed)
    for start in (0, 32_512):
        assert likeness(played[:30_000], joined[start : start + 30_000 + 640]) > 0.95


@pytest.mark.slow
async def test_the_better_of_two_rates_keeps_its_band(api):
    """B, at 16 kHz, has sound above 4 kHz; A, at 8 kHz, cannot have any."""
    content = await downloaded(api, await sent(api, read("16-8k.wav", "16-16k.wav")))
    with av.open(io.BytesIO(content), "r") as container:
        assert container.streams.audio[0].rate == 16_000
    joined, (original,) = mono(content), read("16-16k.wav")
    above = energy_above_4_khz(joined[3 * 16_000 :])
    assert above == pytest.approx(energy_above_4_khz(mono(original)), rel=0.05)
    assert above > 100 * energy_above_4_khz(joined[: 3 * 16_000 - 800])


@pytest.mark.slow
async def test_both_tracks_are_in_the_joined_file(api):
    (two_tracks,) = read("02-two-tracks.mov")
    content = await downloaded(api, await sent(api, [two_tracks, two_tracks]))
    with av.open(io.BytesIO(content), "r") as container:
        channels = sum(stream.channels for stream in container.streams.audio)
    assert channels >= 2


@pytest.mark.slow
async def test_a_damaged_chunk_costs_no_more_than_itself_and_is_named(api):
    chunks = read(*(f"15-chunk{number:02}.aac" for number in range(1, 11)))
    recording = await sent(api, chunks)
    assert recording["status"] == "completed"
    assert [damaged["number"] for damaged in recording["damage"]] == [5]
    assert 2_700 <= recording["duration_ms"] <= 3_200
    assert (await document(api, recording))["duration_ms"] == pytest.approx(recording["duration_ms"], abs=WITHIN_MS)
    assert await downloaded(api, recording)


async def test_a_webm_without_its_beginning_is_told_so(api):
    recording = await sent(api, read("14-headless.webm"))
    assert recording["status"] == "failed"
    assert "beginning" in recording["failure"]["message"]
    assert "WebM" in recording["failure"]["message"]


async def test_a_form_sent_to_an_upload_url_is_refused_at_once(api):
    recording = await api.create()
    (form,) = read("18-form.bin")
    content_type = "multipart/form-data; boundary=----WebKitFormBoundaryX"
    answer = await api.put(recording, 1, form, **{"Content-Type": content_type})
    assert answer.status in (400, 415)
    assert answer.error["message"]
    assert (await api.get(recording, "/chunks"))["data"] == []


async def test_the_integers_of_a_muted_microphone_are_stored_as_sent(service):
    body = orjson.loads((CASES / "19-dorsum-quiet.json").read_bytes())
    session = Dorsum.of(service)
    answer = await session.post(body | {"session_id": session.session_id})
    assert answer.status == 200, answer
    recordings = (await service.api().call("GET", "/v1/recordings?limit=50")).json["data"]
    (recording,) = [one for one in recordings if one.get("external_id") == session.session_id]
    (stored,) = await stored_chunks(service, recording["id"].removeprefix("rec_"))
    assert np.array_equal(np.frombuffer(stored, "<i2"), body["chunk"])


def mono(content):
    """What a player makes of it, at 16 kHz and with its channels summed."""
    resampler = av.AudioResampler("s16", "mono", 16_000)
    with av.open(io.BytesIO(content), "r") as container:
        frames = [*container.decode(audio=0), None]
        blocks = [one.to_ndarray().reshape(-1) for frame in frames for one in resampler.resample(frame)]
    return np.concatenate(blocks).astype(np.float64)


def likeness(part, whole):
    """The highest correlation of `part` with any stretch of `whole`, 1 for the same."""
    size = len(part) + len(whole)
    products = np.fft.irfft(np.fft.rfft(whole, size) * np.conj(np.fft.rfft(part, size)), size)
    shifts = len(whole) - len(part) + 1
    powers = np.array([np.sum(whole[shift : shift + len(part)] ** 2) for shift in range(shifts)])
    return float((products[:shifts] / np.sqrt(powers * np.sum(part**2) + 1)).max())


def energy_above_4_khz(sound):
    spectrum = np.abs(np.fft.rfft(sound)) ** 2
    return float(spectrum[np.fft.rfftfreq(len(sound), 1 / 16_000) > 4_200].sum())
