"""Mails by JMAP."""

from collections.abc import Callable, Iterator

import pytest

from tests.worker.conftest import Start
from tests.worker.jmap import DRAFTS, TOKEN, JmapServer
from tests.worker.runtime import Check, Worker
from tests.worker.servers import FAILURE, Response, Server, serve


@pytest.fixture
def jmap() -> Iterator[JmapServer]:
    with serve(JmapServer) as server:
        yield server


@pytest.fixture
def start_with_mail(start: Start, site: Server, jmap: JmapServer, webhook: Server) -> Callable[[], Worker]:
    """A function that starts the Worker with a webhook and mail."""
    mail = {"sessionUrl": f"{jmap.url}session", "from": "status@example.com", "to": "admin@example.com"}
    secrets = {"WEBHOOK_URL": webhook.url, "MAIL_TOKEN": TOKEN}
    checks = [Check(name="api", url=site.url), Check(name="web", url=f"{site.url}web")]
    return lambda: start(*checks, failures=1, mail=mail, secrets=secrets)


def test_a_mail_is_submitted_and_leaves_no_draft(
    start_with_mail: Callable[[], Worker], site: Server, jmap: JmapServer, webhook: Server
) -> None:
    worker = start_with_mail()
    site.response = FAILURE
    worker.run()
    worker.run()
    (mail,) = jmap.delivered
    text = mail.pop("bodyValues") if isinstance(mail, dict) else None
    assert text == {"text": {"value": f"{webhook.messages[0]}\n"}}
    assert mail == {
        "from": [{"email": "status@example.com"}],
        "to": [{"email": "admin@example.com"}],
        "subject": "api is down, web is down",
        "keywords": {"$draft": True},
        "mailboxIds": {DRAFTS: True},
        "textBody": [{"partId": "text", "type": "text/plain"}],
        "identity": "status@example.com",
    }
    assert jmap.drafts == {}
    site.response = Response()
    worker.run()
    assert [each["subject"] for each in jmap.delivered] == ["api is down, web is down", "api is up, web is up"]


def test_an_identity_of_the_whole_domain_sends(
    start_with_mail: Callable[[], Worker], site: Server, jmap: JmapServer
) -> None:
    jmap.identities = [{"id": "i1", "email": "*@example.org"}, {"id": "i2", "email": "*@example.com"}]
    site.response = FAILURE
    start_with_mail().run()
    assert [mail["identity"] for mail in jmap.delivered] == ["*@example.com"]


def wrong_token(jmap: JmapServer) -> None:
    jmap.token = "another"


def no_submission(jmap: JmapServer) -> None:
    del jmap.accounts["urn:ietf:params:jmap:submission"]


def no_identity(jmap: JmapServer) -> None:
    jmap.identities = jmap.identities[:1]


def no_drafts(jmap: JmapServer) -> None:
    jmap.mailboxes = jmap.mailboxes[:1]


def other_account(jmap: JmapServer) -> None:
    jmap.accounts = dict.fromkeys(jmap.accounts, "u2")


def over_quota(jmap: JmapServer) -> None:
    jmap.errors["Email/set"] = "overQuota"


def forbidden(jmap: JmapServer) -> None:
    jmap.errors["EmailSubmission/set"] = "forbiddenToSend"


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (wrong_token, "status 401"),
        (no_submission, "the token may not submit mail"),
        (no_identity, "no identity may send as mail.from"),
        (no_drafts, "there is no mailbox for drafts"),
        (other_account, "Identity/get: accountNotFound"),
        (over_quota, "Email/set: overQuota"),
        (forbidden, "EmailSubmission/set: forbiddenToSend"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_mail_that_fails_is_sent_again_but_not_the_webhook(  # noqa: PLR0917  # fixtures, which pytest passes by name
    start_with_mail: Callable[[], Worker],
    site: Server,
    jmap: JmapServer,
    webhook: Server,
    failure: Callable[[JmapServer], None],
    reason: str,
) -> None:
    worker = start_with_mail()
    site.response = FAILURE
    working = dict(vars(jmap), accounts=dict(jmap.accounts), errors={})
    failure(jmap)
    worker.run()
    worker.wait_for_log(f"mail failed: {reason}\n")
    assert (jmap.delivered, jmap.drafts) == ([], {})
    vars(jmap).update(working)
    worker.run()
    worker.run()
    assert len(jmap.delivered) == 1
    assert len(webhook.messages) == 1
