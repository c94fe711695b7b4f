"""What of a recording is recognized on its own: its channels mixed, or each speaker's channels apart.

A recording with one channel is read once; one with more is read once to compare its channels, and once per voice.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain

import numpy as np

from adapters.audio.decoding import Samples, sound_blocks
from adapters.audio.mixing import FRAME_SAMPLES, mixed
from adapters.speech.channel_levels import ChannelLevels, Frames, SpeakerChannels, separate_speakers
from adapters.speech.port import OpenAudio
from adapters.speech.transcript import TranscriptSegment


@dataclass(frozen=True, slots=True)
class Voice:
    """`blocks` gives its sound, 16 kHz mono, as long as the recording; call it once."""

    blocks: Callable[[], Iterator[Samples]]


@dataclass(frozen=True, slots=True)
class Voices:
    """All voices of a recording: one, or several separate speakers.

    `is_plain`: whoever mixes the recording's channels in the usual way hears the same.
    """

    voices: tuple[Voice, ...]
    is_plain: bool

    def named(self, segments: Sequence[Sequence[TranscriptSegment]]) -> list[TranscriptSegment]:
        """The voices' segments, in the voices' order, as those of one recording.

        Separate speakers are called S1, S2 and so on, in the order in which they first speak.
        """
        if len(self.voices) == 1:
            return list(segments[0])
        speaking = sorted((one for one in segments if one), key=lambda one: (one[0].start, one[0].end))
        return [
            segment.model_copy(update={"speaker": f"S{number}"})
            for number, one in enumerate(speaking, start=1)
            for segment in one
        ]


def voices_of(open_audio: OpenAudio) -> Voices:
    """The voices of a recording. Raises: AudioError, OSError, as their blocks do, too."""
    blocks = sound_blocks(open_audio)
    first = next(blocks, None)
    if first is None or len(first) == 1:
        whole = chain([] if first is None else [first], blocks)
        return Voices((Voice(partial(mixed, whole)),), is_plain=True)
    levels = ChannelLevels.of(chain([first], blocks))
    speakers = separate_speakers(levels)
    if not speakers:
        voice = Voice(lambda: mixed(sound_blocks(open_audio)))
        return Voices((voice,), is_plain=not levels.would_cancel)
    voices = tuple(Voice(partial(_heard_alone, open_audio, speaker)) for speaker in speakers)
    return Voices(voices, is_plain=False)


def _heard_alone(open_audio: OpenAudio, speaker: SpeakerChannels) -> Iterator[Samples]:
    own = (block[list(speaker.channels)] for block in sound_blocks(open_audio))
    return _gated(mixed(own), speaker.is_open)


def _gated(blocks: Iterable[Samples], is_open: Frames) -> Iterator[Samples]:
    """The sound where the gate is open, and silence elsewhere; it opens and closes within a frame."""
    gains = np.concatenate([is_open[:1], is_open, is_open[-1:]]).astype(np.float32)
    edges = (np.arange(len(gains), dtype=np.float64) - 0.5) * FRAME_SAMPLES
    start = 0
    for block in blocks:
        end = start + len(block)
        first, after = start // FRAME_SAMPLES, -(-end // FRAME_SAMPLES)
        near = gains[first : after + 2]
        if near.all():
            yield block
        else:
            gain = np.interp(np.arange(start, end), edges[first : after + 2], near)
            yield np.rint(block * gain).astype(np.int16)
        start = end
