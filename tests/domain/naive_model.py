"""What a recording does, told a second time: from the words of the specification, in plain dicts, at any cost.

It shares no code with `domain/` and knows neither events nor phases. A test that drives both and sees them differ has
found a mistake in one of the two.
"""

from typing import Any

from domain.commands import Command

NOTHING = "nothing"
BY_ITSELF = "nobody said how long it is"


class NaiveDeck:
    """Recordings by name. Each `ask` answers with the name of the one event, of the refusal, or with NOTHING."""

    def __init__(self) -> None:
        self.recordings: dict[Any, dict[str, Any]] = {}

    def ask(self, name: Any, command: Command) -> str:
        asked = {field: getattr(command, field) for field in command.__dataclass_fields__}
        recording = self.recordings.get(name)
        kind = type(command).__name__
        if recording is not None and recording["deleted"]:
            return "RecordingNotFound"
        if kind == "OpenRecording":
            return self._open(name, recording, asked)
        if recording is None:
            return "RecordingNotFound"
        if kind in STAGE_ENDS:
            return self._end(recording, asked, *STAGE_ENDS[kind])
        return getattr(self, f"_{kind}")(recording, asked)

    def _open(self, name: Any, recording: dict[str, Any] | None, asked: dict[str, Any]) -> str:
        facts = {fact: asked[fact] for fact in asked if fact not in ("at", "expires_at", "max_chunks")}
        if recording is not None:
            return NOTHING if recording["facts"] == facts else "RecordingAlreadyOpened"
        self.recordings[name] = {
            "facts": facts,
            "max": asked["max_chunks"],
            "until": asked["expires_at"],
            "chunks": {},
            "misfits": set(),
            "fits": set(),
            "requests": {},
            "heard": {},
            "parts": {},
            "replaced": 0,
            "declared": None,
            "ended": [],
            "failed": None,
            "expired": False,
            "deleted": False,
            "damaged": [],
            "mended": False,
            "edition": 0,
            "language": asked["language"],
            "provider": None,
            "heard_in": None,
            "superseded": [],
            "erased": False,
            "edits": [],
            "edit_count": 0,
            "note_version": None,
        }
        return "RecordingOpened"

    def _StoreChunk(self, recording: dict[str, Any], asked: dict[str, Any]) -> str:  # noqa: N802 - a command's name
        number, chunks = asked["number"], recording["chunks"]
        has_bytes = asked["blob_key"] is not None
        if number < 1 or number > recording["max"]:
            return "ChunkNumberOutOfRange"
        if number in chunks and (not has_bytes or chunks[number] == asked["sha256"]):
            fits_only_now = has_bytes and fits(asked) and number in recording["misfits"]
            if recording["expired"]:
                return "RecordingExpired" if recording["erased"] else NOTHING
            if not fits_only_now or is_complete(recording):
                return NOTHING
        if recording["expired"]:
            return "RecordingExpired"
        if recording["declared"] and number > recording["declared"][0]:
            return "ChunkBeyondTotal"
        if is_complete(recording):
            if number not in recording["damaged"] and recording["failed"] != "stitch":
                return "RecordingClosed"
            recording["mended"] = True
        elif refusal := not_taken_now(recording, asked):
            return refusal
        note_replaced(recording, number, asked["at"], has_bytes=has_bytes)
        chunks[number] = asked["sha256"] if has_bytes else None
        recording["md5"] = asked["md5"]
        note_size(recording, asked)
        recording["requests"].pop(number, None)
        return "ChunkStored"

    def _AppendChunk(self, recording: dict[str, Any], asked: dict[str, Any]) -> str:  # noqa: N802
        chunks, requests = recording["chunks"], recording["requests"]
        newest = max(chunks, default=0)
        again = [
            number
            for number, request in requests.items()
            if request == asked["request_sha256"] and (asked["is_named"] or number == newest)
        ]
        if again and chunks[again[-1]] != asked["sha256"]:
            return "NamedRequestDiffers"
        if recording["declared"] or recording["expired"]:
            return not_appended(recording, is_again=bool(again))
        number = again[-1] if again else newest + 1
        declares = asked["is_last"] and number >= newest
        if again and not declares:
            return NOTHING
        if number > recording["max"]:
            return "ChunkNumberOutOfRange"
        if asked["at"] >= recording["until"]:
            return "RecordingExpired"
        is_strict = recording["facts"]["finalize_policy"] == "reject"
        if declares and is_strict and {*chunks, number} != set(range(1, number + 1)):
            return "ChunkMismatch"
        if not again:
            chunks[number] = asked["sha256"]
            recording["md5"] = asked["md5"]
            requests[number] = asked["request_sha256"]
        if declares:
            recording["declared"] = [number, None, None]
        return " ".join([*([] if again else ["ChunkStored"]), *(["FinalizeRequested"] if declares else [])])

    def _RecordChunkTranscribed(self, recording: dict[str, Any], asked: dict[str, Any]) -> str:  # noqa: N802
        if recording["failed"] or recording["expired"] or "transcribe" in recording["ended"]:
            return NOTHING
        number, sha256 = asked["number"], asked["chunk_sha256"]
        if recording["chunks"].get(number) != sha256:
            return "ChunkNotStored"
        if recording["heard"].get(number) == sha256:
            return NOTHING
        if number in recording["heard"]:
            recording["superseded"].append(asked["at"])
        recording["heard"][number] = sha256
        return "ChunkTranscribed"

    def _RecordPartHeard(self, recording: dict[str, Any], asked: dict[str, Any]) -> str:  # noqa: N802
        if recording["failed"] or recording["expired"] or "transcribe" in recording["ended"]:
            return NOTHING
        if asked["replacements"] != recording["replaced"]:
            return NOTHING
        if asked["last_chunk"] not in recording["chunks"]:
            return "ChunkNotStored"
        number, parts = asked["number"], recording["parts"]
        if number in parts and parts[number][0] == asked["blob_key"]:
            return NOTHING
        if number in parts:
            recording["superseded"].append(asked["at"])
        parts[number] = (asked["blob_key"], asked["last_chunk"])
        return "PartHeard"

    def _FinalizeRecording(self, recording: dict[str, Any], asked: dict[str, Any]) -> str:  # noqa: N802
        declared = [asked["total_chunks"], asked["final_duration_ms"], asked["checksum_md5"]]
        total = declared[0]
        if recording["declared"] and not (recording["expired"] and recording["erased"]):
            is_same_length = recording["declared"][1] in (declared[1], BY_ITSELF)
            is_same = is_same_length and recording["declared"][::2] == declared[::2]
            return NOTHING if is_same else "AlreadyFinalized"
        if recording["expired"]:
            return "RecordingExpired"
        if total < 1 or total > recording["max"]:
            return "TotalChunksOutOfRange"
        if asked["at"] >= recording["until"] and not (total == 1 and is_all_of_a_file(recording)):
            return "RecordingExpired"
        wanted, there = set(range(1, total + 1)), set(recording["chunks"])
        if there - wanted:
            return "ChunkMismatch"
        if recording["facts"]["finalize_policy"] == "reject" and there != wanted:
            return "ChunkMismatch"
        if any(recording["chunks"].get(number) is None for number in there & set(range(2, total))):
            return "ChunkWithoutBytes"
        recording["declared"] = declared
        return "FinalizeRequested"

    def _end(self, recording: dict[str, Any], asked: dict[str, Any], stage: str, event: str) -> str:
        if stage in recording["ended"]:
            return NOTHING
        if due(recording) != stage or asked["edition"] != recording["edition"]:
            return "StageNotDue"
        recording["ended"].append(stage)
        if stage == "stitch":
            recording["damaged"] = [damage.chunk_number for damage in asked["damage"]]
        if stage == "transcribe":
            recording["heard_in"] = asked["language"]
            recording["superseded"] += [asked["at"]] * len(recording["parts"])
            recording["parts"] = {}
        if stage == "note":
            recording["note_version"] = f"0-{asked['sha256']}"
        return event

    def _EditNote(self, recording: dict[str, Any], asked: dict[str, Any]) -> str:  # noqa: N802
        if "note" not in recording["ended"]:
            return "NoNote"
        if asked["unlike"] is None or recording["note_version"] in asked["unlike"]:
            return "NoteChanged"
        if recording["edits"][-1:] == [(asked["sha256"], asked["author"])]:
            return NOTHING
        if asked["seen"] is not None and recording["note_version"] not in asked["seen"]:
            return "NoteChanged"
        recording["edit_count"] += 1
        recording["edits"].append((asked["sha256"], asked["author"]))
        recording["note_version"] = f"{recording['edit_count']}-{asked['sha256']}"
        return "NoteEdited"

    def _RecordFailure(self, recording: dict[str, Any], asked: dict[str, Any]) -> str:  # noqa: N802
        stage = asked["stage"].value
        given_up = "upload" if recording["expired"] else recording["failed"]
        if stage in recording["ended"] or stage == given_up:
            return NOTHING
        if due(recording) != stage or asked["edition"] != recording["edition"]:
            return "StageNotDue"
        recording["failed"] = stage
        return "Failed"

    def _RetryRecording(self, recording: dict[str, Any], asked: dict[str, Any]) -> str:  # noqa: N802
        if recording["expired"]:
            return "RecordingExpired"
        if recording["mended"]:
            recording["edition"] += 1
            recording["mended"] = False
            recording["superseded"] += [asked["at"]] * (len(recording["ended"]) + len(recording["edits"]))
            recording["ended"].clear()
            recording["edits"] = []
            recording["damaged"] = []
        elif recording["failed"] is None:
            return "NotFailed"
        recording["failed"] = None
        return "RetryRequested"

    def _RequestTranscription(self, recording: dict[str, Any], asked: dict[str, Any]) -> str:  # noqa: N802
        if recording["expired"]:
            return "RecordingExpired"
        is_heard = "transcribe" in recording["ended"]
        now_in = recording["heard_in"] if is_heard else recording["language"] or asked["language_otherwise"]
        is_other = bool(asked["language"]) and not same_language(asked["language"], now_in)
        before = (recording["language"], recording["provider"])
        if asked["language"] and (is_other or not is_heard):
            recording["language"] = asked["language"]
        recording["provider"] = asked["provider"] or recording["provider"]
        if is_other and "stitch" in recording["ended"]:
            recording["edition"] += 1
            recording["failed"] = None
            recording["superseded"] += [asked["at"]] * (len(recording["ended"]) - 1 + len(recording["edits"]))
            recording["ended"] = ["stitch"]
            recording["edits"] = []
            return "TranscriptionRequested"
        return NOTHING if before == (recording["language"], recording["provider"]) else "TranscriptionRequested"

    def _ExpireRecording(self, recording: dict[str, Any], asked: dict[str, Any]) -> str:  # noqa: N802
        if recording["expired"] or is_complete(recording) or asked["at"] < recording["until"]:
            return NOTHING
        if is_all_of_a_file(recording) and not recording["declared"]:
            recording["declared"] = [1, BY_ITSELF, recording["md5"]]
            return "FinalizeRequested"
        recording["expired"] = True
        return "Failed"

    def _EraseContent(self, recording: dict[str, Any], asked: dict[str, Any]) -> str:  # noqa: N802
        part, until = asked["part"].value, asked["superseded_until"] or asked["at"]
        if part == "superseded":
            left = [moment for moment in recording["superseded"] if moment > until]
            is_any = len(left) < len(recording["superseded"])
            recording["superseded"] = left
            return "ContentErased" if is_any else NOTHING
        is_whole = "stitch" in recording["ended"] and not recording["damaged"]
        if recording["erased"] or not (is_whole if part == "chunks" else recording["expired"]):
            return NOTHING
        recording["erased"] = True
        if part == "everything":
            recording["superseded"], recording["heard"], recording["parts"] = [], {}, {}
        return "ContentErased"

    def _DeleteRecording(self, recording: dict[str, Any], _: dict[str, Any]) -> str:  # noqa: N802
        recording["deleted"] = True
        recording["chunks"], recording["heard"], recording["superseded"], recording["edits"] = {}, {}, [], []
        return "RecordingDeleted"


STAGE_ENDS = {
    "RecordStitched": ("stitch", "Stitched"),
    "RecordTranscribed": ("transcribe", "Transcribed"),
    "RecordNote": ("note", "NoteWritten"),
}


def not_taken_now(recording: dict[str, Any], asked: dict[str, Any]) -> str | None:
    """Why a chunk of a recording that is not complete is refused, if it is."""
    total = recording["declared"][0] if recording["declared"] else 0
    if asked["blob_key"] is None and 1 < asked["number"] < total:
        return "ChunkWithoutBytes"
    if asked["at"] >= recording["until"]:
        return "RecordingExpired"
    is_worse = asked["number"] in recording["fits"] and not fits(asked)
    return "ChunkSizeDiffers" if is_worse and not total else None


def not_appended(recording: dict[str, Any], *, is_again: bool) -> str:
    """What comes of a further chunk after the last one, or after the recording's time."""
    if recording["expired"] and recording["erased"]:
        return "RecordingExpired"
    if is_again:
        return NOTHING
    return "AlreadyFinalized" if recording["declared"] else "RecordingExpired"


def note_replaced(recording: dict[str, Any], number: int, at: Any, *, has_bytes: bool) -> None:
    """Bytes that others take the place of are kept for a while, and so is what was heard in them."""
    if recording["chunks"].get(number) is not None:
        recording["superseded"].append(at)
        recording["replaced"] += 1
    if number in recording["chunks"] and has_bytes:
        void = [part for part, (_, last_chunk) in recording["parts"].items() if last_chunk >= number]
        for part in void:
            recording["superseded"].append(at)
            del recording["parts"][part]


def fits(asked: dict[str, Any]) -> bool:
    """Whether bytes are as many as was said, if it was."""
    return asked["expected_bytes"] in (None, asked["size_bytes"])


def note_size(recording: dict[str, Any], asked: dict[str, Any]) -> None:
    """Of which chunks the bytes have the announced size, and of which they do not."""
    for announced in ("fits", "misfits"):
        recording[announced] -= {asked["number"]}
    if asked["expected_bytes"] is not None:
        recording["fits" if fits(asked) else "misfits"].add(asked["number"])


def same_language(one: str, other: str) -> bool:
    """Whether two tags such as "en" and "en-US" name one language."""
    return one.split("-", maxsplit=1)[0] == other.split("-", maxsplit=1)[0]


def is_all_of_a_file(recording: dict[str, Any]) -> bool:
    """It is one file, of which all has come, as far as anyone said how much there is."""
    chunks = recording["chunks"]
    is_there = list(chunks) == [1] and chunks[1] is not None and not recording["misfits"]
    return recording["facts"]["kind"] == "whole_file" and is_there


def is_complete(recording: dict[str, Any]) -> bool:
    """Every declared chunk is there."""
    return bool(recording["declared"]) and set(recording["chunks"]) == set(range(1, recording["declared"][0] + 1))


def due(recording: dict[str, Any]) -> str | None:
    """The stage whose turn it is."""
    if recording["deleted"] or recording["expired"] or recording["failed"] or not is_complete(recording):
        return None
    stages = ["stitch", "transcribe", "note"] if recording["facts"]["note_wanted"] else ["stitch", "transcribe"]
    return next((stage for stage in stages if stage not in recording["ended"]), None)
