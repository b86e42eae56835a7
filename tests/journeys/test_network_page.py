"""The network page in a real browser: changed by hand, undone, refused when somebody else was quicker; searched, moved about, given out."""

from typing import Any

import aiohttp
import pytest
from playwright.async_api import Page, expect

from tests.journeys.hub import Hub, measured
from tests.journeys.scenes import drop
from tests.journeys.test_browser import SOON, Watch, page, sign_in

__all__ = ["page"]

pytestmark = [pytest.mark.journey, pytest.mark.browser]


async def _open(page: Page, hub: Hub) -> Watch:
    watch = Watch()
    watch.over(page)
    await sign_in(page, hub, hub.password)
    await expect(page.locator("[data-node]")).to_have_count(12, timeout=SOON)
    return watch


async def _press(page: Page, name: str) -> None:
    await page.get_by_role("button", name=name, exact=True).click()


async def _node(client: aiohttp.ClientSession, node: str) -> Any:
    async with client.get(f"/api/v1/topology/nodes/{node}") as response:
        return await response.json() if response.status == 200 else None


async def test_a_network_is_changed_and_the_changes_are_taken_back(page: Page, hub: Hub, client: aiohttp.ClientSession) -> None:
    """Added, connected, named, moved, deleted with its links; undone step by step, also a deletion and its demands."""
    watch = await _open(page, hub)
    said = page.get_by_role("toolbar").get_by_role("status")
    await _press(page, "Edit")
    await _press(page, "Add node")
    await page.locator("#map").click(position={"x": 240, "y": 330})
    await expect(page.locator('[data-node="node-1"]')).to_have_count(1, timeout=SOON)
    await expect(said).to_contain_text("Added")
    await _press(page, "Connect")
    await page.locator('[data-node="node-1"]').click()
    await page.locator('[data-node="madrid"]').click()
    await expect(page.locator('[data-link="node-1-madrid"]')).to_have_count(1, timeout=SOON)
    await expect(said).to_contain_text("Connected")
    await page.locator('[data-node="node-1"]').click()
    await page.get_by_label("Name", exact=True).fill("Valencia")
    await _press(page, "Save")
    await expect(page.get_by_role("heading", name="Valencia")).to_be_visible(timeout=SOON)
    before = (await _node(client, "node-1"))["location"]
    box = await page.locator('[data-node="node-1"] .shape').bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + 8, box["y"] + 8)
    await page.mouse.down()
    await page.mouse.move(box["x"] + 108, box["y"] + 8, steps=4)
    await page.mouse.up()
    await expect(said).to_have_text("Changed node-1.", timeout=SOON)
    await expect(page.get_by_label("Longitude, degrees")).not_to_have_value(str(before["longitude"]))
    assert (await _node(client, "node-1"))["location"]["longitude"] > before["longitude"] + 1
    await page.locator('[data-node="madrid"]').click()
    await _press(page, "Delete")
    await _press(page, "Confirm delete")
    await expect(page.locator('[data-node="madrid"]')).to_have_count(0, timeout=SOON)
    await _press(page, "Undo")
    await expect(page.locator('[data-node="madrid"]')).to_have_count(1, timeout=SOON)
    await expect(page.locator('[data-link="node-1-madrid"]')).to_have_count(1)
    for _ in range(4):
        await expect(page.get_by_role("button", name="Undo")).to_be_enabled(timeout=SOON)
        await _press(page, "Undo")
    await expect(page.locator('[data-node="node-1"]')).to_have_count(0, timeout=SOON)
    await expect(page.get_by_role("button", name="Undo")).to_be_disabled()
    assert watch.complaints == []


async def test_nothing_is_undone_over_what_somebody_else_did(page: Page, hub: Hub, client: aiohttp.ClientSession) -> None:
    """The step back insists on the revision that one's own change made."""
    await _open(page, hub)
    await _press(page, "Edit")
    await page.locator('[data-link="fra-zur"]').focus()
    await page.keyboard.press("Enter")
    await page.get_by_label("Cost").fill("7")
    await _press(page, "Save")
    await expect(page.get_by_role("toolbar").get_by_role("status")).to_have_text("Changed fra-zur.", timeout=SOON)
    async with client.post("/api/v1/topology/nodes", json={"id": "oslo"}) as response:
        assert response.status == 201
    await expect(page.locator('[data-node="oslo"]')).to_have_count(1, timeout=SOON)
    await _press(page, "Undo")
    await expect(page.get_by_role("toolbar").get_by_role("alert")).to_contain_text("Somebody else", timeout=SOON)
    async with client.get("/api/v1/topology/links/fra-zur") as response:
        assert (await response.json())["cost"] == 7
    assert await _node(client, "oslo") is not None


async def test_what_is_half_done_outlives_what_others_do(page: Page, hub: Hub, client: aiohttp.ClientSession) -> None:
    """What is typed stays while the node is moved; Save keeps the focus; a drag that is given up, or whose node goes, leaves no trace."""
    watch = await _open(page, hub)
    await _press(page, "Edit")
    await page.locator('[data-node="berlin"]').click()
    await page.get_by_label("Region").fill("Prussia")
    moved = {**await _node(client, "berlin"), "location": {"latitude": 52, "longitude": 14.25, "altitude": None}}
    async with client.put("/api/v1/topology/nodes/berlin", json=moved) as response:
        assert response.status == 200, await response.text()
    await expect(page.get_by_label("Longitude, degrees")).to_have_value("14.25", timeout=SOON)
    await expect(page.get_by_label("Region")).to_have_value("Prussia")
    save = page.get_by_role("button", name="Save")
    await save.press("Enter")
    await expect(page.get_by_role("toolbar").get_by_role("status")).to_have_text("Changed berlin.", timeout=SOON)
    await expect(page.locator(".details").get_by_text("Prussia")).to_be_visible(timeout=SOON)
    await expect(save).to_be_disabled()
    await expect(save).to_be_focused()
    assert await _node(client, "berlin") == {**moved, "region": "Prussia"}

    berlin, stage = page.locator('[data-node="berlin"]'), page.locator("#stage")
    await expect(page.locator(".load").first).to_be_attached(timeout=SOON)
    place = await berlin.get_attribute("transform")
    assert place is not None
    for event in ("pointerdown", "pointercancel"):  # another finger, or the system takes the pointer away
        await _drag(page, "berlin")
        await expect(berlin).not_to_have_attribute("transform", place)
        await stage.dispatch_event(event, {"pointerId": 7 if event == "pointerdown" else 1, "bubbles": True})
        await expect(berlin).to_have_attribute("transform", place)
        await expect(page.locator(".load").first).to_be_attached()
        await stage.dispatch_event("pointerup", {"pointerId": 7, "bubbles": True})
        await page.mouse.up()
    await _drag(page, "berlin")
    async with client.delete("/api/v1/topology/nodes/berlin", params={"cascade": "true"}) as response:
        assert response.status == 204, await response.text()
    await expect(berlin).to_have_count(0, timeout=SOON)
    await expect(page.locator(".load")).to_have_count(0)
    await page.mouse.up()
    await expect(page.locator(".load").first).to_be_attached()
    assert watch.complaints == []


async def _drag(page: Page, node: str) -> None:
    """Press a node and move away with it, without letting go."""
    box = await page.locator(f'[data-node="{node}"] .shape').bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + 8, box["y"] + 8)
    await page.mouse.down()
    await page.mouse.move(box["x"] + 68, box["y"] + 48, steps=4)


async def test_a_node_is_found_and_what_is_on_it_read(page: Page, hub: Hub, client: aiohttp.ClientSession) -> None:
    """The search moves the map there; its chart begins before the page did; rows come from the device; a file of the network can be had."""
    await measured(client)
    async with client.get("/api/v1/monitor/metrics?names=paranet_node_cpu_ratio&nodes=warsaw") as response:
        first = (await response.json())["series"][0]["points"][0][0]
    await _open(page, hub)
    await page.get_by_role("combobox", name="Search nodes and links").fill("wars")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Warsaw")).to_be_visible()
    box = await page.locator('[data-node="warsaw"] .shape').bounding_box()
    stage = await page.locator("#stage").bounding_box()
    assert box is not None
    assert stage is not None
    assert abs(box["x"] + box["width"] / 2 - stage["width"] / 2) < 12
    await expect(page.locator(".chart")).to_have_attribute("data-since", str(first), timeout=SOON)
    await page.get_by_text("Installed rows").click()
    await expect(page.locator(".rows li").first).to_contain_text("ip.", timeout=SOON)
    await page.get_by_text("Interfaces", exact=False).first.click()
    await expect(page.locator(".more .details").first).to_contain_text("eth0")
    await page.get_by_role("button", name="Back to the overview").press("Enter")
    await expect(page.get_by_role("heading", name="Busiest links")).to_be_visible()
    await expect(page.locator("#panel")).to_be_focused()
    await page.get_by_text("Files").click()
    async with page.expect_download() as given:
        await page.get_by_role("link", name="GraphML").click()
    assert (await given.value).suggested_filename.endswith(".graphml")


async def test_a_file_is_refused_or_added(page: Page, hub: Hub, client: aiohttp.ClientSession) -> None:
    """What is wrong with a file is told before anything is taken in; so is what has changed since; one laid on top takes nothing away."""
    await _open(page, hub)
    dialog, take = page.get_by_role("dialog"), page.get_by_role("button", name="Import", exact=True)
    await drop(page, "broken.json", b'{"nodes": [{"id": 7}]}')
    await expect(dialog.get_by_role("alert")).to_contain_text("nodes[0].id", timeout=SOON)
    await expect(take).to_be_disabled()
    await _press(page, "Leave it")
    await drop(page, "more.json", b'{"nodes": [{"id": "oslo", "location": {"latitude": 59.9, "longitude": 10.8}}]}')
    await expect(dialog).to_contain_text("12 Nodes go", timeout=SOON)
    async with client.post("/api/v1/topology/nodes", json={"id": "riga"}) as response:
        assert response.status == 201, await response.text()
    await take.click()
    await expect(dialog.get_by_role("alert")).to_contain_text("Somebody else", timeout=SOON)
    await expect(dialog).to_contain_text("13 Nodes go", timeout=SOON)
    await expect(take).to_be_enabled()
    await page.get_by_label("On top of the network there is").check()
    await expect(dialog).not_to_contain_text("Nodes go", timeout=SOON)
    await expect(dialog).to_contain_text("+1 Nodes come")
    await take.click()
    await expect(page.locator("[data-node]")).to_have_count(14, timeout=SOON)
    await _press(page, "Edit")
    await _press(page, "Undo")
    await expect(page.locator("[data-node]")).to_have_count(13, timeout=SOON)
    assert await _node(client, "madrid") is not None


async def test_the_first_nodes_are_added_by_keyboard(page: Page, hub: Hub, client: aiohttp.ClientSession) -> None:
    """Nothing is needed on the map for it; Enter means the middle, also on a node; a drag of the map swallows its own click only."""
    async with client.post("/api/v1/topology/import", json={"nodes": []}) as response:
        assert response.status == 200, await response.text()
    watch = Watch()
    watch.over(page)
    await sign_in(page, hub, hub.password)
    await expect(page.get_by_role("heading", name="No topology yet")).to_be_visible(timeout=SOON)
    await page.mouse.move(300, 400)
    await page.mouse.down()
    await page.mouse.move(340, 400, steps=4)
    await page.mouse.up()
    edit, add = page.get_by_role("button", name="Edit"), page.get_by_role("button", name="Add node")
    await edit.press("Enter")
    await expect(edit).to_have_attribute("aria-pressed", "true")
    await add.press("Enter")
    await page.keyboard.press("Enter")
    await expect(page.locator('[data-node="node-1"]')).to_have_count(1, timeout=SOON)
    await add.press("Enter")
    await page.locator('[data-node="node-1"]').press("Enter")
    await expect(page.locator('[data-node="node-2"]')).to_have_count(1, timeout=SOON)
    await add.press("Enter")
    box = await page.locator('[data-node="node-2"] circle').first.bounding_box()
    assert box is not None
    await page.mouse.click(box["x"] + box["width"] / 2 + 137, box["y"] + box["height"] / 2 - 61)
    await expect(page.locator('[data-node="node-3"]')).to_have_count(1, timeout=SOON)
    begin, end = [(await _node(client, name))["display"] for name in ("node-2", "node-3")]
    assert (end["y"] - begin["y"]) / (end["x"] - begin["x"]) == pytest.approx(61 / 137, rel=0.05)
    assert watch.complaints == []


async def test_people_are_taken_in_and_have_tokens(page: Page, hub: Hub) -> None:
    """An admin adds a user and changes the role; a token is shown once; two new passwords that differ are refused here already."""
    watch = await _open(page, hub)
    await page.get_by_role("link", name="admin").click()
    await page.get_by_label("New password", exact=True).fill("a new and long one")
    await page.get_by_label("New password again").fill("another")
    await page.get_by_label("Password now").fill(hub.password)
    await page.get_by_label("New password again").fill("another long one")
    await _press(page, "Change password")
    await expect(page.get_by_role("alert")).to_have_text("The two new passwords differ.")
    await page.get_by_label("Token name").fill("grafana")
    await _press(page, "Make a token")
    await expect(page.locator(".secret code")).to_contain_text("pnt_", timeout=SOON)
    await expect(page.get_by_role("region", name="Tokens for machines").get_by_role("row")).to_have_count(2, timeout=SOON)
    await page.get_by_role("link", name="Users").click()
    await page.get_by_label("User name").fill("wang")
    await page.get_by_label("Password").fill("a long password")
    await _press(page, "Add user")
    role = page.get_by_label("Role of wang")
    await expect(role).to_have_value("viewer", timeout=SOON)
    await role.select_option("operator")
    await expect(page.get_by_role("status").filter(has_text="wang has a new role.")).to_be_visible(timeout=SOON)
    await expect(page.get_by_label("Role of admin")).to_be_disabled()
    assert watch.complaints == []
