"""Apache Kafka without a container, for the tests and for `python -m tests.tools.kafka` (`make kafka`)."""
