"""The words that clients have for what they stream (D). What the chunks really are is told by their bytes.

The word only ends the upload URL's path, and stands for the media type until the chunks are stitched.
"""

import re
from collections.abc import Mapping

DEFAULT = "opus"

_KNOWN: Mapping[str, str] = {
    **{codec: codec for codec in ("opus", "ogg", "wav", "flac", "mp3", "aac", "m4a", "webm")},
    "opus_16k": "opus",
    "opus_8k": "opus",
    "oga": "ogg",
    "wave": "wav",
    "x-wav": "wav",
    "mpeg": "mp3",
    "mp4": "m4a",
    "x-m4a": "m4a",
}
_BARE_SAMPLES = re.compile(r"(pcm|l16|raw)\b|pcm_", re.ASCII)


def streamed_as(word: str) -> str:
    """The codec that `word` names: one of the vendor's, a file's suffix, or a media type with or without parameters.

    Raises: ValueError with a sentence, also for bare samples: without a header nobody could tell their rate later.
    """
    plain = word.lower().partition(";")[0].strip().removeprefix("audio/").removeprefix(".")
    if codec := _KNOWN.get(plain):
        return codec
    if _BARE_SAMPLES.match(plain):
        raise ValueError("Bare samples do not say what they are: stream them as wav")
    raise ValueError(f"Input should be one of {', '.join(_KNOWN)}")
