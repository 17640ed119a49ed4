"""Pages and actions over HTTP: what is answered to whom, and what an action needs before it is done."""

from __future__ import annotations

import re

import httpx
import pytest

from gateway.config.web import WebConfig
from gateway.web import hub as hubs
from gateway.web.attempts import MAX_EACH
from gateway.web.guard import Guard
from gateway.web.headers import CONTENT_SECURITY_POLICY
from gateway.web.site import build
from gateway.web.tokens import Tokens
from tests.support.gate_scene import command
from tests.support.web_scene import FakeGateway, load, quiet

ANA = "a" * 32
TOKENS = Tokens({"ana": ANA})
JSON = {"content-type": "application/json"}


class Browser:
    """As much of a browser as these tests need: cookies, the origin, and the secret in the page."""

    def __init__(self, gateway, tokens=True, host="127.0.0.1:8420", address="10.0.0.7", now=lambda: 1_700_000_000):
        config = WebConfig.model_validate({"token_file": "/etc/tokens"} if tokens else {})
        app = build(gateway, Guard(config, lambda: TOKENS, now), quiet())
        self.app = app
        self.origin = f"http://{host}"
        transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(address, 1))
        self.client = httpx.AsyncClient(transport=transport, base_url=self.origin)

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self.client.aclose()

    async def get(self, path):
        return await self.client.get(path)

    async def secret(self, path="/login"):
        page = (await self.get(path)).text
        return re.search(r'(?:data-csrf|name="csrf" value)="([0-9a-f]{64})"', page)[1]

    async def log_in(self, token=ANA, target="/", **headers):
        data = {"token": token, "csrf": await self.secret(), "next": target}
        return await self.client.post("/login", data=data, headers={"origin": self.origin} | headers)

    async def act(self, action="open", dock="dock-1", content=b"{}", secret=None, **headers):
        headers = JSON | {"origin": self.origin, "x-csrf-token": secret or await self.secret("/docks/dock-1")} | headers
        return await self.client.post(f"/docks/{dock}/{action}", content=content, headers=headers)


@pytest.fixture
def gateway():
    gateway = FakeGateway()
    gateway.manifest(load(2))
    return gateway


@pytest.fixture
async def ana(gateway):
    """Somebody with a token, logged in."""
    async with Browser(gateway) as browser:
        assert (await browser.log_in()).status_code == 303
        yield browser


# ---- who sees and does what


@pytest.mark.parametrize("path", ["/", "/zones", "/readers", "/docks/dock-1", "/docks/nothing"])
async def test_without_a_login_every_page_leads_to_it(gateway, path):
    async with Browser(gateway) as browser:
        answer = await browser.get(path)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/login?next={path}"


async def test_without_a_login_nothing_is_streamed_and_nothing_is_done(gateway):
    async with Browser(gateway) as browser:
        assert (await browser.get("/events?view=docks")).status_code == 401
        answer = await browser.act(secret=await browser.secret())
    assert answer.status_code == 401
    assert answer.json() == {"error": "Log in first."}
    assert gateway.asked == []


async def test_an_action_carries_who_did_it(gateway, ana):
    assert (await ana.act(content=b'{"manifest": "M1", "delivery": "D1"}')).status_code == 200
    assert (await ana.act("close")).status_code == 200
    assert gateway.asked == [
        ("gate.open", {"dock": "dock-1", "manifest": "M1", "delivery": "D1"}, "ana"),
        ("gate.close", {"dock": "dock-1"}, "ana"),
    ]
    assert gateway.dock_state("dock-1")["session"]["opened_by"] == "ana"


async def test_a_look_into_the_van_is_confirmed_by_whoever_looked(gateway, ana):
    gateway.dark["r1/1"] = 0
    await ana.act()
    gateway.dark["r1/1"] = 7_000_000
    assert (await ana.act("confirm", content=b'{"reason": "all there"}')).status_code == 200
    assert gateway.asked[-1] == ("gate.confirm", {"dock": "dock-1", "reason": "all there"}, "ana")
    assert (await ana.act("confirm", content=b'{"reason": "<b>again</b>"}')).status_code == 409


async def test_on_this_machine_without_tokens_it_is_somebody_local(gateway):
    async with Browser(gateway, tokens=False) as browser:
        assert (await browser.act()).status_code == 200
    assert gateway.asked[0][2] == "local"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "10.0.0.5:8420", "", "[", "::1]"])
async def test_without_tokens_a_foreign_name_gets_nothing(gateway, host):
    async with Browser(gateway, tokens=False) as browser:
        for path in ("/", "/docks/dock-1", "/events?view=docks"):
            assert (await browser.client.get(path, headers={"host": host})).status_code == 421


async def test_what_the_broker_has_not_taken_is_sent_again_from_the_page(gateway, ana, monkeypatch):
    asked = []

    async def command(name, args, who):
        asked.append((name, dict(args), who))
        return {}

    monkeypatch.setattr(gateway, "command", command)
    headers = JSON | {"origin": ana.origin, "x-csrf-token": await ana.secret("/readers")}
    assert (await ana.client.post("/readers/release", json={}, headers=headers)).status_code == 200
    assert (await ana.client.post("/readers/release", json={"all": "1"}, headers=headers)).status_code == 400
    assert (await ana.client.post("/readers/release", json={})).status_code in (401, 403)
    assert asked == [("quarantine.release", {"all": True}, "ana")]


async def test_a_refusal_is_told_and_nothing_is_done(gateway, ana):
    answer = await ana.act("close")
    assert answer.status_code == 409
    assert answer.json() == {"error": "gate.close: dock dock-1 has no session"}


async def test_a_login_ends_with_its_time(gateway):
    now = [1_700_000_000.0]
    async with Browser(gateway, now=lambda: now[0]) as browser:
        await browser.log_in()
        assert (await browser.get("/")).status_code == 200
        now[0] += WebConfig().login_lasts
        assert (await browser.get("/")).status_code == 303


async def test_logging_out_ends_it(ana):
    data = {"csrf": await ana.secret("/")}
    answer = await ana.client.post("/logout", data=data, headers={"origin": ana.origin})
    assert answer.status_code == 303
    assert (await ana.get("/")).status_code == 303


async def test_cookies_are_for_the_server_alone(gateway):
    async with Browser(gateway) as browser:
        cookies = (await browser.get("/login")).headers.get_list("set-cookie")
        cookies += (await browser.log_in()).headers.get_list("set-cookie")
    assert len(cookies) == 2
    for cookie in cookies:
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert "Path=/" in cookie


# ---- led here by another site


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://127.0.0.1:9999"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"x-csrf-token": "0" * 64},
        {"x-csrf-token": "é"},
    ],
)
async def test_an_action_from_elsewhere_is_not_done(gateway, ana, headers):
    headers = {name: value.encode("utf-8") for name, value in headers.items()}
    answer = await ana.act(**headers)
    assert answer.status_code == 403
    assert gateway.asked == []


async def test_a_page_of_somebody_else_does_not_help(gateway, ana):
    async with Browser(gateway) as other:
        await other.log_in()
        secret = await other.secret("/")
    assert (await ana.act(secret=secret)).status_code == 403


async def test_a_login_from_elsewhere_is_none(gateway):
    async with Browser(gateway) as browser:
        assert (await browser.log_in(origin="https://evil.example")).status_code == 403
        assert (await browser.get("/")).status_code == 303


@pytest.mark.parametrize(
    "target",
    ["//evil.example", "https://evil.example", "/\\evil.example", "/docks/../logout", "/events", "/docks/a?b", ""],
)
async def test_a_login_leads_to_pages_of_ours_only(gateway, target):
    async with Browser(gateway) as browser:
        assert (await browser.log_in(target=target)).headers["location"] == "/"
        page = (await browser.client.get("/login", params={"next": target})).text
    assert 'name="next" value="/"' in page


async def test_a_login_leads_back(gateway):
    async with Browser(gateway) as browser:
        assert (await browser.log_in(target="/docks/dock-1")).headers["location"] == "/docks/dock-1"


async def test_guessing_is_slowed_down(gateway):
    async with Browser(gateway) as browser:
        for _ in range(MAX_EACH):
            answer = await browser.log_in(token="wrong" * 8)
            assert answer.status_code == 401
            assert "This token is not known." in answer.text
        answer = await browser.log_in()
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) > 50
        assert (await browser.get("/")).status_code == 303


# ---- what comes in


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b"{", 400),
        (b'{"manifest": 1}', 400),
        (b'{"by": "boss"}', 400),
        (b'{"dock": "dock-2"}', 400),
        (b'{"manifest": "' + b"x" * 5000 + b'"}', 413),
        (b'{"manifest": "M9"}', 409),
        (b'{"manifest": "<b>"}', 409),
    ],
)
async def test_a_strange_request_is_refused_and_changes_nothing(gateway, ana, content, status):
    answer = await ana.act(content=content)
    assert answer.status_code == status
    assert answer.json()["error"]
    assert gateway.dock_state("dock-1")["session"] is None


async def test_an_action_has_to_be_json(gateway, ana):
    assert (await ana.act(**{"content-type": "text/plain"})).status_code == 415
    assert gateway.asked == []


@pytest.mark.parametrize(("dock", "action"), [("dock-9", "open"), ("dock-1", "withdraw"), ("dock-1", "gate.open")])
async def test_there_are_no_other_actions(gateway, ana, dock, action):
    assert (await ana.act(action, dock)).status_code == 404
    assert gateway.asked == []


async def test_actions_are_not_links(gateway, ana):
    assert (await ana.get("/docks/dock-1/open")).status_code == 405
    assert (await ana.get("/logout")).status_code == 405


# ---- what goes out


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/docks/dock-1",
        "/login",
        "/docks/nothing",
        "/nothing",
        "/static/page.js",
        "/static/nothing",
        "/events?view=x",
    ],
)
async def test_every_answer_is_under_the_strict_policy(ana, path):
    headers = (await ana.get(path)).headers
    assert headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "same-origin"
    if not path.startswith("/static/page"):
        assert headers["cache-control"] == "no-store"


def test_the_policy_allows_nothing_inline_and_nothing_from_elsewhere():
    assert CONTENT_SECURITY_POLICY.split("; ") == [
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src 'self'",
        "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'",
    ]  # fmt: skip


@pytest.mark.parametrize("path", ["/", "/docks/dock-1", "/docks/dock-1?all=1", "/zones", "/readers", "/login"])
async def test_pages_keep_to_the_policy(ana, path):
    page = (await ana.get(path)).text
    assert " style=" not in page
    assert "<style" not in page
    assert not re.search(r"\son[a-z]+=", page)
    assert re.findall(r"<script[^>]*>[^<]", page) == []
    assert "http://" not in page
    assert "https://" not in page


async def test_the_first_view_is_whole_without_any_script(gateway, ana):
    gateway.feed(command(gateway.step(), "gate.open", dock="dock-1"))
    page = (await ana.get("/docks/dock-1")).text
    assert "Loading" in page
    assert "Live Resin 1g Garlic Cookies" in page


@pytest.mark.parametrize(
    "name", ["..%2f..%2fsite.py", "%2e%2e/site.py", "site.py", "page.js%00", "/etc/passwd", "..\\page.js", ""]
)
async def test_no_other_file_can_be_asked_for(ana, name):
    assert (await ana.get(f"/static/{name}")).status_code in (404, 405)


async def test_files_are_kept_by_browsers_for_as_long_as_they_are_these(ana):
    url = re.search(r"/static/page\.css\?[0-9a-f]{16}", (await ana.get("/")).text)[0]
    assert "immutable" in (await ana.get(url)).headers["cache-control"]
    assert (await ana.get("/static/page.css?old")).headers["cache-control"] == "no-cache"


async def test_a_fault_shows_nothing_of_itself(gateway, ana, monkeypatch):
    monkeypatch.setattr(gateway, "readers", lambda: 1 / 0)
    answer = await ana.get("/readers")
    assert answer.status_code == 500
    assert "ZeroDivision" not in answer.text
    assert "fault" in answer.text


async def test_too_many_streams_are_refused(ana, monkeypatch):
    monkeypatch.setattr(hubs, "MAX_STREAMS", 1)
    ana.app.state.hub.reserve("docks")
    answer = await ana.get("/events?view=docks")
    assert answer.status_code == 503
    assert "close some" in answer.text


@pytest.mark.parametrize(
    "view", ["", "dock", "dock/", "dock/dock-9", "dock/dock-1/x", "dock/dock-1/all/all", "docks/x"]
)
async def test_there_are_no_other_views(ana, view):
    assert (await ana.get(f"/events?view={view}")).status_code == 404
    assert ana.app.state.hub.streams == 0


async def test_an_origin_that_is_no_address_is_foreign(ana):
    assert (await ana.act(origin="http://[")).status_code == 403
