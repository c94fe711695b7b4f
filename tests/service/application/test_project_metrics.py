"""What `/metrics` shows of projects while their database hangs."""

import asyncio
import gc
import threading

from adapters.sqlite_file import DatabaseUnavailable
from adapters.usage import Usage
from service.application import project_metrics
from service.application.project_metrics import ProjectMetrics
from service.application.quotas import Quotas


class Hanging:
    """The usage of one project, in a server that gives no answer until it is let, and then an error once."""

    answers_at_once = False

    def __init__(self):
        self.may_answer = threading.Event()
        self.errors = [DatabaseUnavailable("it was away")]

    def largest(self, _limit):
        assert self.may_answer.wait(60)
        if self.errors:
            raise self.errors.pop()
        return [("proj_1", Usage(kept_bytes=7))]

    def of_each(self, project_ids):
        return [{} for _ in project_ids]


def shown(metrics):
    return {sample.labels["project"]: sample.value for family in metrics.collect() for sample in family.samples[:1]}


async def test_nothing_is_shown_while_the_database_hangs_and_the_error_is_no_line_in_the_log(monkeypatch):
    monkeypatch.setattr(project_metrics, "ANSWER_SECONDS", 0.01)
    reported = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    usage = Hanging()
    metrics = ProjectMetrics(usage, usage, Quotas({}, None, None))
    await metrics.look()
    assert shown(metrics) == {}
    usage.may_answer.set()
    await asyncio.wait([metrics._looking])
    while not shown(metrics):
        await metrics.look()
    gc.collect()
    await asyncio.sleep(0)
    assert reported == []
