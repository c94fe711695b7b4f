"""Readers of subtitle files that share nothing with what writes them: strict ones, and FFmpeg's."""

import io
import re
from dataclasses import dataclass

import av

SUBRIP_TIMES = re.compile(r"(\d{2,}):(\d\d):(\d\d),(\d{3}) --> (\d{2,}):(\d\d):(\d\d),(\d{3})")
WEBVTT_TIMES = re.compile(r"(\d{2,}):(\d\d):(\d\d)\.(\d{3}) --> (\d{2,}):(\d\d):(\d\d)\.(\d{3})")
VOICE = re.compile(r"<v ([^<>\n]+)>")
ESCAPES = {"&lt;": "<", "&gt;": ">", "&amp;": "&"}


@dataclass(frozen=True)
class ShownCue:
    """What a player shows. `voice`: who is named by a voice tag."""

    start_ms: int
    end_ms: int
    lines: tuple[str, ...]
    voice: str | None = None


def read_subrip(text: str) -> list[ShownCue]:
    """Numbered from 1, one blank line between cues, no line that could be taken for another's times."""
    cues = []
    for number, block in enumerate(_blocks(text), start=1):
        counted, times, *lines = block
        assert counted == str(number)
        assert lines
        assert not any("-->" in line for line in lines)
        cues.append(ShownCue(*_times(SUBRIP_TIMES, times), tuple(lines)))
    return cues


def read_webvtt(text: str) -> list[ShownCue]:
    """With times in every block but the header, and no markup besides a voice tag that begins the cue."""
    header, *blocks = _blocks(text)
    assert header == ["WEBVTT"]
    cues = []
    for times, *lines in blocks:
        assert lines
        voice = VOICE.match(lines[0])
        lines[0] = VOICE.sub("", lines[0], count=1) if voice else lines[0]
        assert not re.search(r"[<>]|&(?!lt;|gt;|amp;)", "\n".join(lines))
        shown = tuple(_unescaped(line) for line in lines)
        cues.append(ShownCue(*_times(WEBVTT_TIMES, times), shown, _unescaped(voice[1]) if voice else None))
    return cues


def read_by_ffmpeg(content: bytes, form: str) -> list[ShownCue]:
    """What FFmpeg's demuxer makes of a file; `form`: `srt` or `webvtt`, as FFmpeg names them."""
    cues = []
    with av.open(io.BytesIO(content), format=form) as container:
        for packet in container.demux():
            if packet.pts is not None and packet.time_base is not None and packet.duration is not None:
                start, duration = packet.pts * packet.time_base * 1000, packet.duration * packet.time_base * 1000
                cues.append(ShownCue(int(start), int(start + duration), tuple(bytes(packet).decode().splitlines())))
    return cues


def _blocks(text: str) -> list[list[str]]:
    assert text == "" or text.endswith("\n")
    return [block.removesuffix("\n").split("\n") for block in text.split("\n\n")] if text else []


def _times(pattern: re.Pattern[str], line: str) -> tuple[int, int]:
    match = pattern.fullmatch(line)
    assert match, line
    hours, minutes, seconds, ms, *end = (int(part) for part in match.groups())
    return _ms(hours, minutes, seconds, ms), _ms(*end)


def _ms(hours: int, minutes: int, seconds: int, ms: int) -> int:
    assert minutes < 60
    assert seconds < 60
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + ms


def _unescaped(text: str) -> str:
    return re.sub("|".join(ESCAPES), lambda found: ESCAPES[found[0]], text)
