"""How loud each channel of a recording is at each time, and whether its channels are separate speakers.

They are in a call recording with one party per channel: at nearly all times one channel is clearly louder than all
others, and more than one channel is it for some time. In a recording of one room, in music, and where one channel is a
copy of another or empty, they are not.

Channels may be recorded at very different levels, and each may hold the others softly: by an echo, up to a third of a
second late, or because the speakers sit in one room. So levels are compared twice: as they are, and relative to the
loudest of each channel. A channel's own steady noise does not count as sound.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from adapters.audio.mixing import FRAME_SAMPLES, Samples, without_hum

Levels = npt.NDArray[np.int16]
"""In half decibels of full scale."""
Frames = npt.NDArray[np.bool_]

_STEPS = 2
"""Per decibel."""
_SOFTEST = -127 * _STEPS
_SILENCE = np.int16(4 * _SOFTEST)
_FRAME_SECONDS = 0.02

_AUDIBLE = -75 * _STEPS
_NOISE_PERCENTILE = 10
_LOUD_PERCENTILE = 98
_ABOVE_NOISE = 6 * _STEPS
_CLEARLY_ABOVE_NOISE = 10 * _STEPS
_BELOW_LOUDEST = 25 * _STEPS

_CLEAR_MARGIN = 10 * _STEPS
_ALIKE = 6 * _STEPS
_ALIKE_SHARE = 0.8
_CLEAR_SHARE = 0.5
_SHORTEST_FRAMES = round(1.0 / _FRAME_SECONDS)
_SMALLEST_SHARE = 0.02
_WORTH_HEARING_FRAMES = round(0.2 / _FRAME_SECONDS)

_ECHO_FRAMES = round(0.3 / _FRAME_SECONDS)
_AHEAD_FRAMES = 2
_CROSSTALK_PERCENTILE = 25
_CROSSTALK_VARIES = 10 * _STEPS
_LEAST_GATE = 6 * _STEPS
_SHORTEST_OWN_FRAMES = 4
_BEFORE_FRAMES = round(0.12 / _FRAME_SECONDS)
_AFTER_FRAMES = round(0.24 / _FRAME_SECONDS)


@dataclass(frozen=True, slots=True)
class ChannelLevels:
    """For every 20 ms, in half decibels below full scale: each channel, as (channels, frames), and their plain mean.

    A byte per channel and frame: an hour of stereo takes half a megabyte.
    """

    channels: npt.NDArray[np.uint8]
    mean: npt.NDArray[np.uint8]

    @classmethod
    def of(cls, blocks: Iterable[Samples]) -> "ChannelLevels":
        """Of sound as (channels, samples), 16 kHz, in blocks of whole frames but for the last."""
        parts = [_levels(block) for block in blocks]
        levels = np.concatenate(parts, axis=1) if parts else np.zeros((1, 0), np.uint8)
        return cls(levels[:-1], levels[-1])

    @property
    def would_cancel(self) -> bool:
        """Whether plain mixing, as others do it, loses a good part of the sound."""
        energies = _energy(self.channels)
        fair = energies.sum(axis=0) / len(energies) ** 2
        sounds = energies.max(axis=0, initial=0) > 10 ** (_AUDIBLE / _STEPS / 10)
        lost = sounds & (_energy(self.mean) < _LOST * fair)
        return bool(np.count_nonzero(lost) > _SMALLEST_SHARE * np.count_nonzero(sounds))


_LOST = 0.1


@dataclass(frozen=True, slots=True)
class SpeakerChannels:
    """The channels of one speaker, and in which frames they are heard: not where they hold another speaker's echo."""

    channels: tuple[int, ...]
    is_open: Frames


def separate_speakers(levels: ChannelLevels) -> tuple[SpeakerChannels, ...]:
    """Two or more, in order of their channels, or none if the channels are not those of separate speakers."""
    if len(levels.channels) < 2 or not levels.channels.shape[1]:  # noqa: PLR2004 - one channel is one
        return ()
    absolute = -levels.channels.astype(np.int16)
    loudest = np.percentile(absolute, _LOUD_PERCENTILE, axis=1, keepdims=True).astype(np.int16)
    sounding = _sounding(absolute, loudest)
    for compared in (absolute, absolute - loudest):
        if found := _separated(compared, sounding):
            return found
    return ()


def _levels(block: Samples) -> npt.NDArray[np.uint8]:
    sound = block.astype(np.float32) / 32768
    both = np.concatenate([sound, sound.mean(axis=0, keepdims=True)])
    framed = without_hum(np.pad(both, ((0, 0), (0, -both.shape[1] % FRAME_SAMPLES))))
    energies = np.maximum(np.square(framed).mean(axis=2), 10 ** (_SOFTEST / _STEPS / 10))
    levels: npt.NDArray[np.uint8] = np.rint(np.maximum(-10 * _STEPS * np.log10(energies), 0)).astype(np.uint8)
    return levels


def _energy(levels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    energies: npt.NDArray[np.float64] = 10 ** (levels / (-10.0 * _STEPS))
    return energies


@dataclass(frozen=True, slots=True)
class _Sounding:
    """Where each channel has more than its own noise, and where clearly more."""

    perhaps: Frames
    surely: Frames


def _sounding(levels: Levels, loudest: Levels) -> _Sounding:
    noise = np.percentile(levels, _NOISE_PERCENTILE, axis=1, keepdims=True).astype(np.int16)
    surely = levels > np.maximum(noise + _CLEARLY_ABOVE_NOISE, loudest - _BELOW_LOUDEST)
    return _Sounding(levels > noise + _ABOVE_NOISE, surely & (levels > _AUDIBLE))


def _separated(levels: Levels, sounding: _Sounding) -> tuple[SpeakerChannels, ...]:
    groups = _groups(levels, sounding.surely)
    if len(groups) < 2:  # noqa: PLR2004 - one speaker is not separate from another
        return ()
    heard = np.where(sounding.perhaps, levels, _SILENCE)
    own = np.stack([levels[list(group)].max(axis=0) for group in groups])
    sound = np.stack([heard[list(group)].max(axis=0) for group in groups])
    surely = np.stack([sounding.surely[list(group)].any(axis=0) for group in groups])
    others = np.stack([_held(np.delete(sound, number, axis=0).max(axis=0)) for number in range(len(groups))])
    owned = surely & (own - others >= _CLEAR_MARGIN)
    seconds = owned.sum(axis=1)
    substantial = (seconds >= _SHORTEST_FRAMES) & (seconds >= _SMALLEST_SHARE * seconds.sum())
    is_clear = seconds.sum() >= _CLEAR_SHARE * surely.any(axis=0).sum()
    if np.count_nonzero(substantial) < 2 or not is_clear:  # noqa: PLR2004 - as above
        return ()
    return tuple(
        SpeakerChannels(
            group, _gate(own[number], sound[number], others[number], owned[np.arange(len(groups)) != number])
        )
        for number, group in enumerate(groups)
        if seconds[number] >= _WORTH_HEARING_FRAMES
    )


def _groups(levels: Levels, surely: Frames) -> list[tuple[int, ...]]:
    """Channels that hold the same, such as the two of a stereo track, belong together. Empty channels are left out."""
    groups: list[list[int]] = []
    for channel in np.flatnonzero(surely.any(axis=1)):
        for group in groups:
            sounds = surely[group[0]] | surely[channel]
            alike = np.abs(levels[group[0]] - levels[channel])[sounds] <= _ALIKE
            if np.count_nonzero(alike) >= _ALIKE_SHARE * len(alike):
                group.append(int(channel))
                break
        else:
            groups.append([int(channel)])
    return [tuple(group) for group in groups]


def _held(levels: Levels) -> Levels:
    """The loudest of each time and what its echo may come from."""
    return _widest(levels, before=_AHEAD_FRAMES, after=_ECHO_FRAMES)


def _widest(values: Levels, *, before: int, after: int) -> Levels:
    """The greatest value from `after` frames earlier to `before` frames later: it spreads that far before and after."""
    padded = np.pad(values, (after, before), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, before + after + 1)
    widest: Levels = windows.max(axis=1)
    return widest


def _gate(own: Levels, sound: Levels, others: Levels, others_own: Frames) -> Frames:
    """Open where nobody else sounds, where the channel is louder than what it holds of the others, and around that.

    `own`, `sound`: the channel's levels, and the same with silence for its own noise. `others_own`: by speaker.
    """
    margins = (others - own)[others_own.any(axis=0)]
    typical = float(np.percentile(margins, _CROSSTALK_PERCENTILE)) if len(margins) else np.inf
    threshold = max(_LEAST_GATE, typical - _CROSSTALK_VARIES)
    speaks = ((sound > _SILENCE) & (sound >= others - threshold)).astype(np.int16)
    # What begins softly is heard a little earlier in its echo than on a noisier channel of its own.
    lasting = -_widest(-speaks, before=_SHORTEST_OWN_FRAMES - 1, after=0)
    opened = _widest(lasting, before=_BEFORE_FRAMES, after=_AFTER_FRAMES + _SHORTEST_OWN_FRAMES - 1)
    return (others <= _SILENCE) | (opened > 0)
