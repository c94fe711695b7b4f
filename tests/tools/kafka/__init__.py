"""Apache Kafka to run against, without a container: `python -m tests.tools.kafka` (`make kafka`), and for the tests."""
