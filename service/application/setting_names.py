"""How settings are called where they are set."""


def as_set(sentence: str) -> str:
    """The adapters' sentence about Kafka's settings, with their names as they are set."""
    return sentence.replace("KAFKA_", "TAPEDECK_KAFKA_")
