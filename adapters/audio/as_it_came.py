"""What is known of a whole file that was decoded while it came, and whether that holds for the file as it is stored.

It holds for the same bytes (compare the digests) where they are one file of a form that is decoded alike with and
without seeking: then neither a survey nor the sound has to be found again.
"""

from dataclasses import dataclass
from fractions import Fraction

from adapters.audio.container import Container
from adapters.audio.demuxing import links_of, track_of, tracks_in
from adapters.audio.sound_only import sound_only
from adapters.audio.survey import Sound, Survey, seconds_claimed
from adapters.audio.whole_files import WholeFile

_READ_ALIKE = (Container.OGG, Container.MATROSKA, Container.FLAC, Container.WAV)


@dataclass(frozen=True, slots=True, kw_only=True)
class CameWhole:
    """A file of one sound track that has come to its end without damage, gaps or complaint.

    `sha256`: of all its bytes, in hex. `channels`: those that its header tells.
    """

    sha256: str
    container: Container
    channels: int
    sound: Sound


def is_as_it_came(file: WholeFile, came: CameWhole) -> bool:
    """Whether a file of the same bytes is decoded to what came. Raises: what `tracks_in` raises; OSError."""
    if file.container is not came.container or file.container not in _READ_ALIKE or len(links_of(file)) != 1:
        return False
    found = tracks_in(file)
    is_same_track = found.playable == {came.sound.index: came.channels} and not found.unknown
    return is_same_track and sound_only(file) == file.run


def survey_as_it_came(file: WholeFile, came: CameWhole, *, most_seconds: Fraction | None) -> Survey | None:
    """What `survey` finds of a file of the same bytes, without decoding it; None if it must be decoded to know.

    Raises: what `tracks_in` raises; OSError from its reader.
    """
    if not is_as_it_came(file, came):
        return None
    with track_of(file, came.sound.index) as track:
        seconds = max(came.sound.seconds, seconds_claimed(file, track))
    if most_seconds is not None and seconds > most_seconds:
        return None
    return Survey(file=file, sounds=(came.sound,), damage=(), is_whole=True)
