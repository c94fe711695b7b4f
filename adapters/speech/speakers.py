"""How speakers are called where a transcript is read."""

from adapters.speech.timed_words import columns_of, shown
from adapters.speech.transcript import Transcript

_LONGEST_COLUMNS = 20
"""Half a line of a subtitle stays for what is said."""


def labels_of(transcript: Transcript) -> dict[str | None, str]:
    """The label of each speaker. Empty where one speaker says everything, or none is known: then nobody needs one."""
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
