"""What can go wrong with Kafka, as a publisher sees it."""


class KafkaFailed(Exception):
    """Kafka cannot be reached, does not answer in time, or refuses.

    It is then unknown whether the current transaction was committed, until a new producer reads the position.
    """


class Fenced(KafkaFailed):
    """Kafka accepts no more from this producer: another has its transactional id, or its transaction was too old."""
