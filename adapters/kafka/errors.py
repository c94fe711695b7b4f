"""What can go wrong with Kafka, in the words of those who publish."""


class KafkaFailed(Exception):
    """Kafka cannot be reached, does not answer in time, or refuses.

    Whether the transaction under way was committed is then unknown, until the position is read by a new producer.
    """


class Fenced(KafkaFailed):
    """Kafka takes no more from this producer: another has its transactional id, or its transaction was too old."""
