"""The names of speakers in a transcript for readers."""

from adapters.speech.timed_words import columns_of, shown
from adapters.speech.transcript import Transcript

_LONGEST_COLUMNS = 20
"""Half of a subtitle's line is left for what is said."""


def labels_of(transcript: Transcript) -> dict[str | None, str]:
    """The label of each speaker. Empty, as no labels are needed, if there is only one speaker or none is known."""
    speakers = {segment.speaker for segment in transcript.segments}
    if len(speakers) == 1:
        return {}
    labels = {speaker: _label(speaker) for speaker in speakers if speaker is not None}
    return {speaker: label for speaker, label in labels.items() if label}


def _label(speaker: str) -> str:
    label = shown(speaker)
    while columns_of(label) > _LONGEST_COLUMNS:
        label = label[:-1]
    return label.strip()
