"""What a new user types on the demo network, without a model: a verified proposal, or the question that is missing."""

from collections.abc import AsyncIterator

import attrs
import pytest

from hub.settings import Network, Settings
from tests.hub.api import Api, sign_in
from tests.hub.deployments import followed
from tests.hub.houses import opened
from tests.hub.networks import build_square
from tests.hub.sockets import connected
from tests.hub.test_chat_api import say

WISHES = (
    "connect madrid to vienna",
    "I want madrid to reach copenhagen through paris but never through milan",
    "block ssh from london to paris",
    "limit video traffic from milan to 50 Mbps",
    "prioritize voip from london to paris from 8am to 6pm",
    "nobody in warsaw may telnet to berlin",
    "cache /video at madrid with 2 GB",
    "give stockholm a quota of 10 GB per day",
    "multicast from london to paris, berlin and milan",
    "block facebook for london between 9am and 5pm",
    "把马德里连到维也纳",
    "让马德里到哥本哈根的流量经过巴黎，不要走米兰",
    "禁止伦敦用ssh访问巴黎",
    "把米兰的视频流量限制为50Mbps",
    "优先转发伦敦到巴黎的语音流量",
    "不允许华沙通过telnet访问柏林",
    "在马德里缓存/video，容量2GB",
    "给斯德哥尔摩每天10GB的流量配额",
    "从伦敦向巴黎、柏林和米兰组播",
    "上午9点到下午5点屏蔽伦敦的脸书",
)
ASKED = {
    "add a firewall between london and paris": "firewall",
    "connect london": "Where does the traffic go to?",
    "在伦敦和巴黎之间加一个防火墙": "防火墙",
    "取消罗马的限速": "？",
}


@pytest.mark.timeout(120)
async def test_wishes_lead_to_verified_proposals(settings: Settings) -> None:
    """Ten in English, ten in Chinese, each on the demo as it starts; the rest leads to the right question."""
    demo = attrs.evolve(settings, network=attrs.evolve(settings.network, demo=True), agent=attrs.evolve(settings.agent, per_minute=1000))
    async with opened(demo) as (_, client):
        api = await sign_in(client, "operator")
        await _deployed(api)
        answers = {wish: await say(api, wish) for wish in WISHES}
        assert [(w, a["reply"]) for w, a in answers.items() if not (a["proposal"] and a["proposal"]["verified"])] == []
        for sentence, asked in ASKED.items():
            body = await say(api, sentence)
            assert asked in body["needs"][0]["question"], body


async def _deployed(api: Api) -> None:
    """Wait until the demo's own intents are in place."""
    _, history, _ = await api.call("GET", "/deploy/history")
    await followed(api, history["items"][0]["deploy_id"])


@pytest.fixture
async def troubled(settings: Settings) -> AsyncIterator[Api]:
    """The API as an operator over a square with a cut link, once its alert burns."""
    async with opened(attrs.evolve(settings, network=Network(interval=0.05))) as (_, client):
        api = await sign_in(client, "operator")
        await build_square(api)
        async with connected(api) as socket:
            await socket.subscribe("alerts")
            await socket.hear("snapshot")
            _, body, _ = await api.call("GET", "/topology/links/r1-r2")
            await api.call("PUT", "/topology/links/r1-r2", json={**body, "enabled": False})
            burning = False
            while not burning:
                burning = any(item.get("state") == "firing" for item in (await socket.until("events"))["items"])
        yield api


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("what alerts are firing?", "LinkDown"),
        ("are there any alerts for r1?", "Link r1-r2 is down"),
        ("are there any alerts for r3?", "No alert is firing about r3."),
        ("why is r1 slow?", "LinkDown"),
        ("what changed since midnight?", "alert link-down (link r1-r2): firing"),
        ("how is the network?", "LinkDown"),
        ("which links are above 80%?", "No link is above 80%"),
        ("were any links above 99% in the last 10 minutes?", "(The worst since"),
        ("有哪些告警？", "LinkDown"),
        ("为什么r1这么慢？", "Link r1-r2 is down"),
        ("零点以来有什么变化？", "告警 link-down"),
    ],
)
async def test_questions_are_answered_from_alerts_metrics_and_history(troubled: Api, asked: str, told: str) -> None:
    """A cut link is told wherever it is asked about."""
    assert told in (await say(troubled, asked))["reply"]
