"""Why a command can be refused. Each error is a value: its fields are for programs, its sentence is for people."""


class RecordingError(Exception):
    """A command was refused. Nothing was recorded."""


class RecordingNotFound(RecordingError):
    def __init__(self) -> None:
        super().__init__("There is no such recording.")


class RecordingAlreadyOpened(RecordingError):
    def __init__(self) -> None:
        super().__init__("A recording with this name already exists, with other facts; choose another name.")


class RecordingExpired(RecordingError):
    def __init__(self, expires_at: str) -> None:
        super().__init__(f"The recording accepted uploads until {expires_at}; create a new one.")
        self.expires_at = expires_at


class RecordingClosed(RecordingError):
    """Other bytes came for a chunk of a complete recording, while it is stitched or after it was used as it is."""

    def __init__(self, number: int, *, is_stitched: bool) -> None:
        because = (
            "it was stitched as it was stored, so no other bytes are accepted for it; create a new recording for them."
            if is_stitched
            else "it cannot be replaced while the recording is being stitched; it can be once stitching has failed or "
            "has named it as damaged."
        )
        super().__init__(f"The recording is complete, and chunk {number} differs from what was stored: {because}")
        self.number = number
        self.is_stitched = is_stitched


class ChunkNumberOutOfRange(RecordingError):
    def __init__(self, number: int, max_chunks: int) -> None:
        super().__init__(f"Chunk number {number} is not between 1 and {max_chunks}.")
        self.number = number
        self.max_chunks = max_chunks


class ChunkBeyondTotal(RecordingError):
    """A chunk came with a number above the declared total."""

    def __init__(self, number: int, total_chunks: int) -> None:
        super().__init__(f"Chunk number {number} is above the {total_chunks} chunks that were declared.")
        self.number = number
        self.total_chunks = total_chunks


class RecordingTooLarge(RecordingError):
    """A chunk came with which the recording would have more bytes than it may."""

    def __init__(self, most_bytes: int) -> None:
        super().__init__(
            f"With this chunk, the recording would have more than {most_bytes} bytes, the most of one recording; "
            "the chunk was not stored."
        )
        self.most_bytes = most_bytes


class ReplacedTooOften(RecordingError):
    """Other bytes came for a stored chunk, after chunks of the recording had been replaced as often as they may be."""

    def __init__(self, number: int, replacements: int) -> None:
        super().__init__(
            f"Chunk {number} is stored with other bytes, and they are kept: chunks of the recording were replaced "
            f"{replacements} times, which is the most; create a new recording for other bytes."
        )
        self.number = number
        self.replacements = replacements


class RestartedTooOften(RecordingError):
    """The recording was retried or asked for in other languages as often as it may be."""

    def __init__(self, restarts: int) -> None:
        super().__init__(
            f"The recording was retried or asked for in another language {restarts} times, which is the most; what is "
            "stored of it stays. Create a new recording of the same audio."
        )
        self.restarts = restarts


class ChunkSizeDiffers(RecordingError):
    """Bytes of another size than was announced came in place of ones that have it."""

    def __init__(self, number: int, *, expected_bytes: int, arrived_bytes: int) -> None:
        super().__init__(
            f"{expected_bytes} bytes were announced, and {arrived_bytes} arrived. They were not stored, because what "
            "is stored has the size that was announced for it."
        )
        self.number = number
        self.expected_bytes = expected_bytes
        self.arrived_bytes = arrived_bytes


class ChunkWithoutBytes(RecordingError):
    """Chunks of metadata only, in places where bytes must be: between the first chunk and the last."""

    def __init__(self, numbers: tuple[int, ...]) -> None:
        named = ", ".join(map(str, numbers))
        super().__init__(f"Only the first and the last chunk may be without content; send that of {named}.")
        self.numbers = numbers


class NamedRequestDiffers(RecordingError):
    """A request came with the name of an earlier one, but another chunk."""

    def __init__(self, number: int) -> None:
        super().__init__(f"Chunk {number} came with this Idempotency-Key but other bytes; give each chunk its own key.")
        self.number = number


class ChunkNotStored(RecordingError):
    """A result came for bytes that are not the chunk's."""

    def __init__(self, number: int) -> None:
        super().__init__(f"Chunk {number} is not stored with the bytes that this result is for.")
        self.number = number


class TotalChunksOutOfRange(RecordingError):
    def __init__(self, total_chunks: int, max_chunks: int) -> None:
        super().__init__(f"total_chunks {total_chunks} is not between 1 and {max_chunks}.")
        self.total_chunks = total_chunks
        self.max_chunks = max_chunks


class ChunkMismatch(RecordingError):
    """What was declared is not what has arrived."""

    def __init__(self, *, missing: tuple[int, ...], extra: tuple[int, ...]) -> None:
        parts = [
            f"{name} {', '.join(map(str, numbers))}"
            for name, numbers in (("missing:", missing), ("more than declared:", extra))
            if numbers
        ]
        super().__init__(f"The chunks do not match total_chunks; {'; '.join(parts)}.")
        self.missing = missing
        self.extra = extra


class AlreadyFinalized(RecordingError):
    def __init__(self, total_chunks: int) -> None:
        super().__init__(
            f"The recording was finalized with other parameters (total_chunks {total_chunks}); they cannot change."
        )
        self.total_chunks = total_chunks


class NotFailed(RecordingError):
    """`damaged`: the chunks that stitching could not use; after one is replaced, there is something to retry."""

    def __init__(self, damaged: tuple[int, ...] = ()) -> None:
        numbers = ", ".join(map(str, damaged))
        super().__init__(
            f"The recording has not failed; replace a damaged chunk ({numbers}) first, then retry."
            if damaged
            else "The recording has not failed, so there is nothing to retry."
        )
        self.damaged = damaged


class NoNote(RecordingError):
    def __init__(self) -> None:
        super().__init__("The recording has no note, or none yet.")


class NoteChanged(RecordingError):
    """The note is not, or no longer, one that the author of an edit has seen. `version`: which one it is now."""

    def __init__(self, version: str) -> None:
        super().__init__("The note was changed since you read it; read it again, and edit that.")
        self.version = version


class EditedTooOften(RecordingError):
    """The note was edited as often as it may be."""

    def __init__(self, edits: int) -> None:
        super().__init__(f"The note was edited {edits} times, which is the most; it stays as it is.")
        self.edits = edits


class StageNotDue(RecordingError):
    """A stage reported its end before its turn."""

    def __init__(self, stage: str) -> None:
        super().__init__(f"Stage {stage} is not due for this recording.")
        self.stage = stage
