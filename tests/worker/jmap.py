"""A JMAP server (RFC 8620 and 8621) with one account, which knows the methods that the Worker calls."""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from tests.worker.servers import Request, Response, Server

CAPABILITIES = ("urn:ietf:params:jmap:core", "urn:ietf:params:jmap:mail", "urn:ietf:params:jmap:submission")
TOKEN = "mail-token"
ACCOUNT, DRAFTS = "u1", "drafts-1"
Result = tuple[str, Mapping[str, Any]]


class JmapServer(Server):
    """Stores drafts, and delivers those that are submitted."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.token = TOKEN
        self.accounts = dict.fromkeys(CAPABILITIES, ACCOUNT)
        self.identities = [{"id": "i1", "email": "other@example.com"}, {"id": "i2", "email": "status@example.com"}]
        self.mailboxes = [{"id": "inbox-1", "role": "inbox"}, {"id": DRAFTS, "role": "drafts"}]
        self.errors: dict[str, str] = {}
        """The type of the error of a method."""
        self.drafts: dict[str, Mapping[str, Any]] = {}
        self.delivered: list[Mapping[str, Any]] = []

    def respond(self, request: Request) -> Response:
        self.requests.append(request)
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return Response(status=HTTPStatus.UNAUTHORIZED)
        if (request.method, request.path) == ("GET", "/session"):
            session = {"apiUrl": f"{self.url}api", "primaryAccounts": self.accounts}
            return Response(body=json.dumps(session), headers={"Content-Type": "application/json"})
        assert (request.method, request.path) == ("POST", "/api")
        call = request.json()
        assert set(call) == {"using", "methodCalls"}
        assert call["using"] == list(CAPABILITIES)
        responses = [
            [name, result, identifier]
            for method, arguments, identifier in call["methodCalls"]
            for name, result in self._call(method, arguments)
        ]
        return Response(body=json.dumps({"methodResponses": responses, "sessionState": "1"}))

    def _call(self, method: str, arguments: Mapping[str, Any]) -> Sequence[Result]:
        match method, dict(arguments):
            case _, {"accountId": account} if account != ACCOUNT:
                result: Mapping[str, Any] = {"type": "accountNotFound"}
                method = "error"
            case "Identity/get", {"ids": None}:
                result = {"list": self.identities, "notFound": []}
            case "Mailbox/query", {"filter": {"role": role}}:
                result = {"ids": [mailbox["id"] for mailbox in self.mailboxes if mailbox["role"] == role]}
            case "Email/set", {"create": create}:
                result = self._create(method, create)
            case "Email/set", {"destroy": emails}:
                result = {"destroyed": [email for email in emails if self.drafts.pop(email, None)]}
            case "EmailSubmission/set", {"create": create, "onSuccessDestroyEmail": destroyed}:
                return self._submit(method, create, destroyed)
            case _:
                method, result = "error", {"type": "unknownMethod"}
        return [(method, result)]

    def _create(self, method: str, create: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
        if error := self.errors.get(method):
            return {"created": None, "notCreated": {name: {"type": error} for name in create}}
        created = {name: {"id": f"email-{len(self.requests)}"} for name in create}
        self.drafts |= {created[name]["id"]: email for name, email in create.items()}
        return {"created": created, "notCreated": None}

    def _submit(self, method: str, create: Mapping[str, Any], destroyed: Sequence[str]) -> Sequence[Result]:
        ((name, submission),) = create.items()
        if error := self.errors.get(method):
            return [(method, {"created": None, "notCreated": {name: {"type": error}}})]
        assert destroyed == [f"#{name}"]
        identity = next(identity for identity in self.identities if identity["id"] == submission["identityId"])
        email = self.drafts.pop(submission["emailId"])
        self.delivered.append({**email, "identity": identity["email"]})
        # RFC 8620, section 5.3, and RFC 8621, section 7.5: an implicit call has the id of the call that it follows.
        return [
            (method, {"created": {name: {"id": "s1"}}, "notCreated": None}),
            ("Email/set", {"destroyed": [submission["emailId"]]}),
        ]
