"""A transcript as subtitles: SubRip (.srt) and WebVTT (.vtt). `cues.py` decides what is shown when.

A blank line, or `-->`, within a cue would end it, and WebVTT reads `<`, `>` and `&` as markup. Cues are made of words
without control characters, so no line is blank; the rest is escaped in WebVTT, and SubRip, which knows no escapes, gets
an arrow (→) for `-->`. With several speakers, WebVTT names them in voice tags, `<v S1>`; SubRip has none, so there a
turn begins with `S1: `, as guides advise where colours cannot tell speakers apart.
"""

from adapters.speech.cues import Cue, cues_of
from adapters.speech.transcript import Transcript


def subrip(transcript: Transcript) -> str:
    """The SubRip file; empty if nothing was said."""
    return "\n".join(_subrip_cue(number, cue) for number, cue in enumerate(cues_of(transcript), start=1))


def webvtt(transcript: Transcript) -> str:
    """The WebVTT file; only its header if nothing was said. Source: W3C, "WebVTT: The Web Video Text Tracks Format"."""
    return "\n".join(["WEBVTT\n", *(_webvtt_cue(cue) for cue in cues_of(transcript))])


def _subrip_cue(number: int, cue: Cue) -> str:
    label = f"{cue.speaker}: " if cue.speaker and cue.begins_turn else ""
    text = (label + "\n".join(cue.lines)).replace("-->", "→")
    return f"{number}\n{_time(cue.start_ms, ',')} --> {_time(cue.end_ms, ',')}\n{text}\n"


def _webvtt_cue(cue: Cue) -> str:
    voice = f"<v {_escaped(cue.speaker)}>" if cue.speaker else ""
    text = voice + _escaped("\n".join(cue.lines))
    return f"{_time(cue.start_ms, '.')} --> {_time(cue.end_ms, '.')}\n{text}\n"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _time(moment_ms: int, point: str) -> str:
    seconds, ms = divmod(moment_ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{ms:03}"
