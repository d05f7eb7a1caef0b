"""The routes of alerts, the webhook against a server of its own on loopback."""

import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from lakehouse_ml.deploy.secrets import Secret, SecretError
from lakehouse_ml.routes import FileRoute, LogRoute, RouteError, WebhookParams, WebhookRoute, webhook_route
from route_builders import SECRET, Receiver, listening, message

pytestmark = pytest.mark.slow

ADDRESS = Secret("test", "alert-webhook")
VARIABLE = ADDRESS.variable
QUICK = WebhookParams(address=ADDRESS, timeout_seconds=0.3, retries=3, backoff_seconds=0.01)


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with listening() as server:
        monkeypatch.setenv(VARIABLE, server.address)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield server


def test_messages_arrive_in_one_call_with_their_ids(receiver: Receiver) -> None:
    webhook_route(QUICK).tell([message("a-1"), message("b-1", subject="movements")])
    (call,) = receiver.calls
    body = json.loads(call["body"])
    assert [told["id"] for told in body["alerts"]] == ["a-1", "b-1"]
    assert body["alerts"][0] == message("a-1")
    assert body["text"].splitlines()[1].startswith("test: critical freshness movements opened: ")
    assert call["headers"]["Content-Type"] == "application/json"


def test_a_receiver_that_stumbles_is_asked_again(receiver: Receiver) -> None:
    receiver.answers = [500, 503]
    webhook_route(QUICK).tell([message("a-1")])
    assert len(receiver.calls) == 3
    assert len({call["body"] for call in receiver.calls}) == 1


def test_a_receiver_that_keeps_failing_is_given_up_after_the_last_try(receiver: Receiver) -> None:
    receiver.answers = [500] * 9
    started = time.monotonic()
    with pytest.raises(RouteError, match=f"the address in {ADDRESS} answers 500"):
        webhook_route(QUICK).tell([message("a-1")])
    assert len(receiver.calls) == 1 + QUICK.retries
    assert time.monotonic() - started < 5, "it waited as long as the receiver asked"


@pytest.mark.parametrize("answer", [302, 400, 404])
def test_a_refusal_and_a_redirect_are_no_delivery_and_are_not_tried_again(
    receiver: Receiver, answer: int
) -> None:
    receiver.answers = [answer]
    with pytest.raises(RouteError, match=f"answers {answer}"):
        webhook_route(QUICK).tell([message("a-1")])
    assert len(receiver.calls) == 1


def test_a_receiver_that_does_not_answer_in_time_is_given_up(receiver: Receiver) -> None:
    receiver.answers = [0.9] * 9
    started = time.monotonic()
    with pytest.raises(RouteError, match="does not answer"):
        webhook_route(QUICK.model_copy(update={"retries": 1})).tell([message("a-1")])
    assert len(receiver.calls) == 2
    assert time.monotonic() - started < 3


def suppressed(route: WebhookRoute) -> str:
    """What the route says of its failure, with all that led to it; nothing when it did not fail."""
    try:
        route.tell([message("a-1")])
    except RouteError as error:
        return f"{error!r} {error.__cause__!r} {error.__context__!r}"
    return ""


FAILURES = {"refused": [404], "failing": [500] * 9, "slow": [0.9] * 9, "taken": [500, 200]}


@pytest.mark.parametrize("answers", FAILURES.values(), ids=FAILURES)
def test_the_address_is_in_no_log_and_no_error_and_the_body_holds_no_secret(
    receiver: Receiver, answers: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    receiver.answers = list(answers)
    caplog.set_level(logging.DEBUG)
    # Loud, as an installation may have it.
    caplog.set_level(logging.DEBUG, "urllib3")
    route = webhook_route(QUICK)
    told = suppressed(route)
    assert SECRET not in caplog.text + repr(route) + told
    assert (200 in answers) == (told == "")
    assert SECRET in receiver.calls[0]["path"]
    assert SECRET not in receiver.calls[0]["body"].decode()


def test_an_address_that_nobody_listens_at_is_told_without_its_name() -> None:
    route = WebhookRoute(f"http://127.0.0.1:9/{SECRET}", QUICK)
    with pytest.raises(RouteError, match="does not answer") as refused:
        route.tell([message("a-1")])
    assert SECRET not in str(refused.value)


def test_other_talk_is_heard_again_afterwards(receiver: Receiver) -> None:
    talker = logging.getLogger("urllib3.connectionpool")
    webhook_route(QUICK).tell([message("a-1")])
    assert not talker.disabled


def test_an_address_that_is_missing_or_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(SecretError, match=f"{ADDRESS} is not set: set environment variable {VARIABLE}"):
        webhook_route(QUICK)
    monkeypatch.setenv(VARIABLE, f"hooks.example.org/{SECRET}")
    with pytest.raises(RouteError, match=f"{ADDRESS} holds no address that begins") as refused:
        webhook_route(QUICK)
    assert SECRET not in str(refused.value)


def test_an_address_that_stands_in_the_configuration_is_refused_and_not_shown() -> None:
    with pytest.raises(ValidationError, match="should be an instance of Address") as refused:
        WebhookParams(
            address=f"https://hooks.example.org/{SECRET}", timeout_seconds=1, retries=0, backoff_seconds=0
        )
    assert SECRET not in str(refused.value)


def test_the_file_gets_a_json_line_for_each_message_and_keeps_the_former(tmp_path: Path) -> None:
    route = FileRoute(tmp_path / "new" / "alerts.jsonl")
    route.tell([message("a-1")])
    route.tell([message("b-1"), message("c-1")])
    told = [json.loads(line) for line in route.path.read_text().splitlines()]
    assert [line["id"] for line in told] == ["a-1", "b-1", "c-1"]
    assert told[0] == message("a-1")


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(RouteError, match="cannot be written: Is a directory"):
        FileRoute(tmp_path).tell([message("a-1")])


def test_the_log_is_as_loud_as_the_alert_is_urgent(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    LogRoute().tell([message("a"), message("b", severity="warning"), message("c", event="closed")])
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING", "INFO"]
    assert "freshness weather opened: weather: newest data is 96 h old" in caplog.text
