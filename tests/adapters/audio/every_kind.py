"""A sound in every pair of container and codec that is read."""

from dataclasses import dataclass

from tests.adapters.audio.samples import Samples, encoded

_FRAGMENTED = (("movflags", "+frag_keyframe+empty_moov+default_base_moof"), ("frag_duration", "200000"))


@dataclass(frozen=True, slots=True)
class Kind:
    """A container and a codec, by FFmpeg's names of its muxer and encoder, and a rate in Hz that both can take.

    `is_exact`: every sample comes back. `note` tells kinds apart that differ in options only.
    """

    muxer: str
    codec: str
    rate: int = 16_000
    channels: int = 1
    is_exact: bool = False
    options: tuple[tuple[str, str], ...] = ()
    note: str = ""
    can_seek: bool = True

    def __str__(self) -> str:
        return " ".join(filter(None, (self.muxer, self.codec, self.note)))

    def made(self, sound: Samples) -> bytes:
        """The sound (at this kind's rate, as (channels, samples)) as a file, the same bytes each time."""
        return encoded(
            f"{self.muxer} {self.codec}",
            sound,
            rate=self.rate,
            muxer_options={"fflags": "+bitexact", **dict(self.options)},
            can_seek=self.can_seek,
        )


EVERY_KIND = (
    Kind("ogg", "libopus"),
    Kind("ogg", "vorbis", channels=2),
    Kind("ogg", "flac", is_exact=True),
    Kind("wav", "pcm_s16le", is_exact=True),
    Kind("wav", "pcm_u8"),
    Kind("wav", "pcm_s24le", is_exact=True),
    Kind("wav", "pcm_s32le", is_exact=True),
    Kind("wav", "pcm_f32le", is_exact=True),
    Kind("wav", "pcm_f64le", is_exact=True),
    Kind("wav", "pcm_alaw"),
    Kind("wav", "pcm_mulaw"),
    Kind("wav", "adpcm_ima_wav"),
    Kind("wav", "adpcm_ms"),
    Kind("wav", "libmp3lame"),
    Kind("wav", "pcm_s16le", is_exact=True, note="live", can_seek=False),
    Kind("w64", "pcm_s16le", is_exact=True),
    Kind("flac", "flac", is_exact=True),
    Kind("mp3", "libmp3lame"),
    Kind("adts", "aac"),
    Kind("ipod", "aac"),
    Kind("ipod", "alac", is_exact=True),
    Kind("mp4", "aac", options=_FRAGMENTED, note="fragmented"),
    Kind("mp4", "libmp3lame"),
    Kind("mp4", "libopus"),
    Kind("mp4", "flac", is_exact=True),
    Kind("mp4", "ac3", rate=48_000),
    Kind("mov", "pcm_s16le", is_exact=True),
    Kind("mov", "pcm_s16be", is_exact=True),
    Kind("mov", "pcm_mulaw"),
    Kind("mov", "pcm_alaw"),
    Kind("mov", "adpcm_ima_qt"),
    Kind("3gp", "libopencore_amrnb", rate=8_000),
    Kind("3gp", "aac"),
    Kind("webm", "libopus"),
    Kind("webm", "vorbis", channels=2),
    Kind("webm", "libopus", options=(("live", "1"),), note="live", can_seek=False),
    Kind("matroska", "aac"),
    Kind("matroska", "flac", is_exact=True),
    Kind("matroska", "libmp3lame"),
    Kind("matroska", "pcm_s16le", is_exact=True),
    Kind("matroska", "ac3", rate=48_000),
    Kind("mpegts", "aac"),
    Kind("mpegts", "libmp3lame"),
    Kind("mpegts", "mp2", rate=48_000),
    Kind("mpegts", "libopus", rate=48_000),
    Kind("mpeg", "mp2", rate=48_000),
    Kind("mp2", "mp2", rate=48_000),
    Kind("aiff", "pcm_s16be", is_exact=True),
    Kind("caf", "pcm_s16le", is_exact=True),
    Kind("caf", "alac", is_exact=True),
    Kind("au", "pcm_mulaw"),
    Kind("amr", "libopencore_amrnb", rate=8_000),
    Kind("flv", "aac"),
    Kind("avi", "pcm_s16le", is_exact=True),
    Kind("ac3", "ac3", rate=48_000),
    Kind("eac3", "eac3", rate=48_000),
    Kind("tta", "tta", is_exact=True),
    Kind("wv", "wavpack", is_exact=True),
)
"""Every pair of container and codec that is read and that can be made here."""
