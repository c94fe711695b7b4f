"""What is answered about how the service stands."""

from service.dialects.bota.answers import Answer, Count, RecordingStatus, Time


class FollowerAnswer(Answer):
    """`lag`: how many events of the log it has still to read; for one that does work, all from the first whose work is
    not done."""

    name: str
    position: Count
    lag: Count


class PublisherAnswer(Answer):
    """Of the log to Kafka. `is_held_up`: the last try failed."""

    position: Count
    lag: Count
    is_held_up: bool


class StageAnswer(Answer):
    """The project's recordings at a stage. Not `is_whole`: more of them wait, which are not counted."""

    name: str
    waiting: Count
    working: Count
    is_whole: bool


class UsedAnswer(Answer):
    """`limit`: the project's quota; null without one."""

    used: Count
    limit: Count | None


class UsageAnswer(Answer):
    bytes: UsedAnswer
    recordings: UsedAnswer
    open_recordings: UsedAnswer
    waiting_notes: UsedAnswer


class MinuteAnswer(Answer):
    """The project's recordings that were begun, and that were completely uploaded, in the minute from `at` on; without
    those that are deleted."""

    at: Time
    begun: Count
    uploaded: Count


class OperationsAnswer(Answer):
    """`log_head` and positions are the whole service's, the rest is the project's alone. `publisher`: null where the
    service publishes to no Kafka. `last_hour`: the oldest minute first; the last one is not over."""

    log_head: Count
    followers: list[FollowerAnswer]
    publisher: PublisherAnswer | None
    stages: list[StageAnswer]
    recordings: dict[RecordingStatus, Count]
    usage: UsageAnswer
    last_hour: list[MinuteAnswer]
