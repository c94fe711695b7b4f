"""Short files of every kind that is read, each with its container; more kinds than are stitched without re-encoding."""

from dataclasses import dataclass
from functools import cache

from adapters.audio.container import Container
from tests.adapters.audio import samples
from tests.adapters.audio.samples import encoded, tone, wav


@dataclass(frozen=True, slots=True)
class Kind:
    container: Container
    form: str
    """FFmpeg's muxer and encoder."""
    rate: int = 48_000
    options: tuple[tuple[str, str], ...] = ()
    can_seek: bool = True


KINDS = {
    "Ogg Opus": Kind(Container.OGG, samples.OGG_OPUS),
    "Ogg Vorbis": Kind(Container.OGG, samples.OGG_VORBIS),
    "Ogg FLAC": Kind(Container.OGG, samples.OGG_FLAC),
    "WAV": Kind(Container.WAV, samples.WAV),
    "WAV, 24 bits": Kind(Container.WAV, samples.WAV_24),
    "WAV, ADPCM": Kind(Container.WAV, "wav adpcm_ima_wav"),
    "WAV, MP3": Kind(Container.WAV, "wav libmp3lame"),
    "WAV, µ-law": Kind(Container.WAV, "wav pcm_mulaw"),
    "RF64": Kind(Container.WAV, samples.WAV, options=(("rf64", "always"),)),
    "live WAV": Kind(Container.WAV, samples.WAV, can_seek=False),
    "FLAC": Kind(Container.FLAC, samples.FLAC),
    "MP3": Kind(Container.MP3, samples.MP3),
    "MP3 at 22 kHz": Kind(Container.MP3, samples.MP3, rate=22_050),
    "MP3 without tags": Kind(Container.MP3, samples.MP3, options=(("write_xing", "0"), ("id3v2_version", "0"))),
    "MP2": Kind(Container.MP3, "mp2 mp2"),
    "ADTS": Kind(Container.ADTS, samples.ADTS),
    "M4A": Kind(Container.MP4, samples.M4A),
    "MOV": Kind(Container.MP4, "mov pcm_s16le"),
    "MP4 with MP3": Kind(Container.MP4, "mp4 libmp3lame"),
    "3GP": Kind(Container.MP4, "3gp libopencore_amrnb", rate=8_000),
    "fragmented MP4": Kind(
        Container.MP4, "mp4 aac", options=(("movflags", "empty_moov+default_base_moof"), ("frag_duration", "200000"))
    ),
    "WebM": Kind(Container.MATROSKA, samples.WEBM),
    "live WebM": Kind(Container.MATROSKA, samples.WEBM, options=(("live", "1"),), can_seek=False),
    "Matroska with FLAC": Kind(Container.MATROSKA, "matroska flac"),
    "W64": Kind(Container.W64, "w64 pcm_s16le"),
    "AIFF": Kind(Container.AIFF, "aiff pcm_s16be"),
    "CAF": Kind(Container.CAF, "caf pcm_s16be"),
    "CAF with ALAC": Kind(Container.CAF, "caf alac"),
    "Sun audio": Kind(Container.AU, "au pcm_s16be"),
    "AMR": Kind(Container.AMR, "amr libopencore_amrnb", rate=8_000),
    "MPEG-TS": Kind(Container.MPEG_TS, "mpegts aac"),
    "M2TS": Kind(Container.MPEG_TS, "mpegts aac", options=(("mpegts_m2ts_mode", "1"),)),
    "MPEG-PS": Kind(Container.MPEG_PS, "vob mp2"),
    "AVI": Kind(Container.AVI, "avi pcm_s16le"),
    "AVI with MP3": Kind(Container.AVI, "avi libmp3lame"),
    "FLV": Kind(Container.FLV, "flv aac", rate=44_100),
    "AC-3": Kind(Container.AC3, "ac3 ac3"),
    "E-AC-3": Kind(Container.EAC3, "eac3 eac3"),
    "WavPack": Kind(Container.WAVPACK, "wv wavpack"),
    "TTA": Kind(Container.TTA, "tta tta"),
}

SECONDS = 0.7

WITHOUT_A_BEGINNING = ("ADTS", "MP3 without tags", "MP2", "AC-3", "E-AC-3", "MPEG-TS", "M2TS", "MPEG-PS")
"""Nothing but a chunk's start tells that another file of the same kind begins."""


@cache
def file_of(name: str, seconds: float = SECONDS) -> bytes:
    kind = KINDS[name]
    sound = tone(int(seconds * kind.rate), rate=kind.rate)
    if name == "live WAV":
        content = wav(sound, rate=kind.rate)
        return content[:4] + b"\xff" * 4 + content[8:40] + b"\xff" * 4 + content[44:]
    return encoded(kind.form, sound, rate=kind.rate, muxer_options=dict(kind.options), can_seek=kind.can_seek)
