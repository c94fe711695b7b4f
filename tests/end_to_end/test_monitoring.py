"""The alert rules and the board: Prometheus takes them, and a running service exposes every series that they name."""

import asyncio
import json
import re
from collections import defaultdict
from itertools import combinations

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from service.runtime.settings import Settings
from tests.end_to_end.service_process import ServiceProcess, short_speech, slices
from tests.places import REPOSITORY
from tests.service.dialects.bota.webhook_receiver import Receiver
from tests.tools.free_ports import free_port
from tests.tools.promql import read

MONITORING = REPOSITORY / "service/runtime/deploy/chart/monitoring"
RULES = MONITORING / "alerts.yaml"
BOARD = json.loads((MONITORING / "board.json").read_text())
BY_PROMETHEUS = {"job": {"tapedeck"}, "instance": {"127.0.0.1:8080"}}
"""Labels, with the values that they may have here, that Prometheus gives to every series that it scrapes."""

EVERY_STATUS = set(map(str, range(200, 600)))


def rules():
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    return group["rules"]


def expressions():
    """The board's, with values for its variables."""
    written = [target["expr"] for panel in BOARD["panels"] for target in panel["targets"]]
    return [each.replace("$__rate_interval", "1m").replace("$instance", "127.0.0.1:8080") for each in written]


async def exposed(tmp_path):
    """Series -> its labels -> their values, once a recording was taken through and a webhook delivered."""
    settings = {"KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}", "QUOTA_BYTES": "1000000000"}
    service, receiver = ServiceProcess(tmp_path / "data", settings), await Receiver().start()
    try:
        api = (await service.start()).api()
        hook = {"url": receiver.url, "events": ["recording.uploaded"]}
        assert (await api.call("POST", "/v1/webhooks", body=hook)).status == 201
        recording = await api.upload(slices(short_speech(), 2))
        assert (await api.finalize(recording, 2)).status == 200
        assert (await api.ended(recording))["status"] == "completed"
        await receiver.count(1)
        async with asyncio.timeout(60):
            while "tapedeck_webhook_attempts_total{" not in (text := await metrics(api)):
                await asyncio.sleep(0.05)
    finally:
        service.kill()
        await receiver.stop()
    found = defaultdict(lambda: defaultdict(set, BY_PROMETHEUS))
    for sample in (sample for family in text_string_to_metric_families(text) for sample in family.samples):
        for label, value in sample.labels.items():
            found[sample.name][label].add(value)
        assert found[sample.name]  # also of one without labels
    found["up"] = BY_PROMETHEUS
    return found


async def metrics(api):
    return (await api.call("GET", "/metrics")).body.decode()


def is_right(matcher, labels):
    """The label is one of the series', and the value one that it can have."""
    label, kind, value = matcher
    if label not in labels:
        return False
    values = EVERY_STATUS if label == "status" else labels[label]
    is_meant = (lambda each: re.fullmatch(value, each)) if "~" in kind else (lambda each: each == value)
    return any(map(is_meant, values))


@pytest.mark.slow
async def test_each_series_and_label_in_an_alert_or_on_the_board_is_one_that_the_service_exposes(tmp_path):
    readings = read(RULES, expressions())
    assert len(readings) == len(rules()) + len(expressions())
    known = await exposed(tmp_path)
    for reading in readings:
        assert reading.series, reading
        for series in reading.series:
            assert series.name in known, reading
            wrong = [matcher for matcher in series.matchers if not is_right(matcher, known[series.name])]
            assert wrong == [], reading
        of_all = set.intersection(*(set(known[series.name]) for series in reading.series))
        joined = set(known["tapedeck_follower_position"]) if "group_right" in reading.expression else set()
        assert set(reading.labels) <= of_all | joined, reading
    for rule, reading in zip(rules(), readings, strict=False):
        told = set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"])))
        grouped = set(reading.labels) if "sum by" in reading.expression else set()
        its_labels = grouped or set().union(*(known[series.name] for series in reading.series))
        assert told <= its_labels, rule["alert"]


def test_each_alert_says_what_is_wrong_and_what_to_do_and_names_only_settings_that_there_are():
    settings = {f"TAPEDECK_{name.upper()}" for name in Settings.model_fields}
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names)) > 10
    for rule in rules():
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert set(rule["annotations"]) == {"summary", "action"}
        assert set(re.findall(r"TAPEDECK_[A-Z_]+", str(rule["annotations"]))) <= settings


def test_the_boards_panels_are_side_by_side_and_its_variables_are_defined():
    panels, text = BOARD["panels"], json.dumps(BOARD)
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [panel["gridPos"] for panel in panels]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    assert not any(overlap(one, other) for one, other in combinations(places, 2))
    defined = {variable["name"] for variable in BOARD["templating"]["list"]}
    assert set(re.findall(r"\$\{?([a-z]\w*)", text)) == defined == {"source", "instance"}


def overlap(one, other):
    return all(
        one[start] < other[start] + other[size] and other[start] < one[start] + one[size]
        for start, size in (("x", "w"), ("y", "h"))
    )
