"""Mixes channels down to one, so that nothing that is heard on any of them is lost.

Half the sum of two channels is silence if one of them is inverted, as happens with crossed wires, and one cable or one
file of several may be. So each channel is added with a sign: where the signs so far would cancel a good part of the
sound, other signs are taken, with which the channels add up at least as well as if they had nothing to do with each
other. Such signs always exist: if turning any one channel makes the sum no louder, the sum has at least the channels'
energies added up. This holds for delayed and phase-shifted copies, too. Plain cancelling is noticed within 20 ms, and
cancelling that noise conceals within a third of a second; two people who speak on two channels are no reason to change.

What the ear hardly hears decides nothing: hum and an offset, the same on all channels, are taken out before channels
are compared. Only channels that have sounded so far count: one that is dead, or the empty ones of 5.1, cost the others
no loudness.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]
Sound = npt.NDArray[np.float32]

FRAME_PARTS = 5
PART_SAMPLES = 64
FRAME_SAMPLES = FRAME_PARTS * PART_SAMPLES
"""20 ms at 16 kHz: signs hold for a frame at least. Without its straight line, each 4 ms lacks an offset and a hum."""

_CROSSFADE_SAMPLES = 160
_KEPT_IN_A_FRAME = 0.1
_KEPT_FOR_LONG = 0.5
"""The parts of the channels' energies, added up, that the signs must give: other ones leave a trace when they begin."""
_LONG_FRAMES = 16
_AUDIBLE_ENERGY = 2.0**2
"""Per sample, in steps of 16 bits: dither, which is all that an empty channel has, is below it."""
_MOST_TURNS = 1_000


def mixed(blocks: Iterable[Samples]) -> Iterator[Samples]:
    """Mono blocks from blocks of (channels, samples), always of the same number of channels, at about 16 kHz.

    One channel passes through unchanged; of two ordinary ones, it is their mean. Memory does not grow. Blocks come out
    as long as they went in but for less than a frame, which waits for the next block.
    """
    mixer: _Mixer | None = None
    held: Samples | None = None
    for block in blocks:
        if len(block) == 1:
            yield block[0]
            continue
        mixer = mixer or _Mixer(len(block))
        joined = block if held is None else np.concatenate([held, block], axis=1)
        whole = joined.shape[1] - joined.shape[1] % FRAME_SAMPLES
        held = joined[:, whole:]
        if whole:
            yield mixer.mix(joined[:, :whole])
    if mixer is not None and held is not None and held.shape[1]:
        yield mixer.mix_rest(held)


def without_hum(sound: Sound) -> Sound:
    """The sound without offset and hum; its last axis, whole frames, becomes two: frames, and samples of a frame."""
    parts = sound.reshape(*sound.shape[:-1], -1, FRAME_PARTS, PART_SAMPLES)
    line = np.arange(PART_SAMPLES, dtype=np.float32) - np.float32(PART_SAMPLES - 1) / 2
    slopes = (parts @ line) / (line @ line)
    straightened: Sound = parts - parts.mean(axis=-1, keepdims=True) - slopes[..., np.newaxis] * line
    return straightened.reshape(*sound.shape[:-1], -1, FRAME_SAMPLES)


@dataclass(slots=True)
class _Weights:
    """How each channel is added: its sign, and whether it has sounded so far."""

    signs: Sound
    has_sounded: npt.NDArray[np.bool_]

    @property
    def factors(self) -> Sound:
        counted = self.has_sounded if self.has_sounded.any() else np.ones_like(self.has_sounded)
        factors: Sound = (self.signs * counted / np.count_nonzero(counted)).astype(np.float32)
        return factors

    def lose(self, covariances: npt.NDArray[np.floating], kept: float) -> npt.NDArray[np.bool_]:
        """Where less than the `kept` part of the channels' energies is left."""
        total = np.trace(covariances, axis1=1, axis2=2)
        left = np.einsum("i,fij,j->f", self.signs, covariances, self.signs)
        lost: npt.NDArray[np.bool_] = (left < kept * total) & (total > _AUDIBLE_ENERGY)
        return lost


class _Mixer:
    def __init__(self, channels: int) -> None:
        self._weights = _Weights(np.ones(channels, np.float32), np.zeros(channels, np.bool_))
        self._factors: Sound | None = None
        self._before = np.zeros((0, channels, channels), np.float32)
        """Covariances of up to `_LONG_FRAMES` - 1 frames before, with the present weights."""

    def mix(self, block: Samples) -> Samples:
        """Whole frames of (channels, samples)."""
        sound = block.astype(np.float32)
        framed = without_hum(sound)
        covariances = np.einsum("ift,jft->fij", framed, framed) / FRAME_SAMPLES
        energies = np.einsum("fii->fi", covariances)
        result = np.empty(block.shape[1], np.float32)
        first = 0
        while first < len(covariances):
            until = first + self._frames_that_stay(covariances[first:], energies[first:])
            self._mix_into(result, sound, first, until)
            self._stay(covariances[first:until])
            if until < len(covariances):
                self._change(covariances[until], energies[until])
                self._mix_into(result, sound, until, until + 1)
                until += 1
            first = until
        return _as_samples(result)

    def mix_rest(self, block: Samples) -> Samples:
        """Less than a frame, at the sound's end: too short to judge, unless it is all there is."""
        if self._factors is None:
            padded = np.pad(block, ((0, 0), (0, FRAME_SAMPLES - block.shape[1])))
            return self.mix(padded)[: block.shape[1]]
        return _as_samples(self._factors @ block.astype(np.float32))

    def _frames_that_stay(self, covariances: Sound, energies: Sound) -> int:
        """How many frames may be mixed as the one before them."""
        begins = ((energies > _AUDIBLE_ENERGY) & ~self._weights.has_sounded).any(axis=1)
        changes = np.flatnonzero(
            begins | self._weights.lose(covariances, _KEPT_IN_A_FRAME) | self._lose_for_long(covariances)
        )
        return int(changes[0]) if len(changes) else len(covariances)

    def _lose_for_long(self, covariances: Sound) -> npt.NDArray[np.bool_]:
        """For each frame, whether much was lost in the third of a second that ends with it, if that long is known."""
        known = np.concatenate([self._before, covariances]).astype(np.float64)
        sums = np.cumsum(np.concatenate([np.zeros_like(known[:1]), known]), axis=0)
        long = (sums[_LONG_FRAMES:] - sums[:-_LONG_FRAMES]) / _LONG_FRAMES
        lose = self._weights.lose(long, _KEPT_FOR_LONG)
        return np.concatenate([np.zeros(len(covariances), np.bool_), lose])[-len(covariances) :]

    def _stay(self, covariances: Sound) -> None:
        self._before = np.concatenate([self._before, covariances])[-(_LONG_FRAMES - 1) :]

    def _change(self, covariance: Sound, energies: Sound) -> None:
        """Take other weights from this frame on."""
        self._weights.has_sounded |= energies > _AUDIBLE_ENERGY
        long = np.concatenate([self._before, covariance[np.newaxis]])
        for considered, kept in ((covariance, _KEPT_IN_A_FRAME), (long.mean(axis=0), _KEPT_FOR_LONG)):
            if self._weights.lose(considered[np.newaxis], kept)[0]:
                self._weights.signs = _best_signs(considered, self._weights.signs)
                self._before = self._before[:0]
                return
        self._stay(covariance[np.newaxis])

    def _mix_into(self, result: Sound, sound: Sound, first: int, after: int) -> None:
        """Mix frames with the present weights, which take over from the ones before within some milliseconds."""
        if first == after:
            return
        start, end = first * FRAME_SAMPLES, after * FRAME_SAMPLES
        factors = self._weights.factors
        result[start:end] = factors @ sound[:, start:end]
        if self._factors is not None and not np.array_equal(factors, self._factors):
            fading = sound[:, start : start + _CROSSFADE_SAMPLES]
            share = np.linspace(0, 1, fading.shape[1], dtype=np.float32)
            result[start : start + fading.shape[1]] = (1 - share) * (self._factors @ fading) + share * (
                factors @ fading
            )
        self._factors = factors


def _best_signs(covariance: Sound, signs: Sound) -> Sound:
    """Signs with which turning any one channel makes the sum no louder. The loudest channel keeps its sign."""
    shared = covariance.astype(np.float64)
    best = signs.astype(np.float64)
    nothing = 1e-9 * float(np.trace(shared))
    for _ in range(_MOST_TURNS):  # each turn makes the sum louder, so this ends by itself, but for rounding
        if not any(_turn_if_better(best, shared, channel, nothing) for channel in range(len(best))):
            break
    loudest = int(np.diag(shared).argmax())
    turned: Sound = (best * best[loudest] * signs[loudest]).astype(np.float32)
    return turned


def _turn_if_better(
    signs: npt.NDArray[np.float64], covariance: npt.NDArray[np.float64], channel: int, nothing: float
) -> bool:
    own = covariance[channel, channel] * signs[channel]
    if signs[channel] * (covariance[channel] @ signs - own) >= -nothing:
        return False
    signs[channel] = -signs[channel]
    return True


def _as_samples(sound: Sound) -> Samples:
    """Never clipped: the weights add up to one."""
    return np.rint(sound).astype(np.int16)
