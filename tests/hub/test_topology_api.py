"""The topology over REST: versions, pages, all or none."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from tests.hub.api import Api
from tests.hub.networks import LINKS, NODES, link


async def revision(api: Api) -> int:
    """Return the topology's revision."""
    _, body, _ = await api.call("GET", "/topology")
    return int(body["revision"])


# -- create


async def test_a_new_hub_has_an_empty_topology_at_revision_0(viewer: Api) -> None:
    """Nobody wrote it."""
    status, body, headers = await viewer.call("GET", "/topology")
    assert (status, headers["ETag"]) == (200, '"0"')
    assert body == {"revision": 0, "nodes": [], "links": [], "demands": []}


async def test_a_node_is_created_with_its_place_and_version(operator: Api) -> None:
    """201, Location, ETag and the node with all its defaults."""
    status, body, headers = await operator.call("POST", "/topology/nodes", json={"id": "r1", "location": {"latitude": 1, "longitude": 2}})
    assert (status, headers["Location"], headers["ETag"]) == (201, "/api/v1/topology/nodes/r1", '"1"')
    assert body == {
        "id": "r1",
        "name": "r1",
        "type": "router",
        "interfaces": [],
        "modalities": ["ip"],
        "capabilities": [],
        "prefixes": [],
        "display": None,
        "location": {"latitude": 1.0, "longitude": 2.0, "altitude": None},
        "region": None,
        "management": None,
        "properties": {},
    }


async def test_an_id_that_is_left_out_is_made_up(operator: Api) -> None:
    """Location tells it."""
    status, body, headers = await operator.call("POST", "/topology/nodes", json={"type": "host"})
    assert status == 201
    assert headers["Location"] == f"/api/v1/topology/nodes/{body['id']}"
    assert len(body["id"]) == 36


async def test_what_location_names_is_what_was_made(operator: Api) -> None:
    """GET on the Location gives the same body and ETag."""
    _, made, headers = await operator.call("POST", "/topology/nodes", json={"id": "北京"})
    status, body, found = await operator.call("GET", headers["Location"].removeprefix("/api/v1"))
    assert (status, body, found["ETag"]) == (200, made, headers["ETag"])


async def test_an_id_is_taken_once(square: Api) -> None:
    """409 with the ids that are taken, nothing written."""
    status, body, _ = await square.call("POST", "/topology/nodes", json={"id": "r1"})
    assert (status, body["code"], body["ids"]) == (409, "already-exists", ["r1"])
    assert await revision(square) == 1


async def test_units_are_read(square: Api) -> None:
    """Strings with units become bit/s, s and a ratio."""
    body: Any = link("r1", "r3", bandwidth="10Gbps", latency="5ms", loss="1%")
    status, made, _ = await square.call("POST", "/topology/links", json=body)
    assert status == 201
    assert (made["bandwidth"], made["latency"], made["loss"]) == (1e10, 0.005, 0.01)


async def test_a_link_to_nowhere_is_refused_with_its_place(square: Api) -> None:
    """422 naming the end."""
    status, body, _ = await square.call("POST", "/topology/links", json=link("r1", "r9"))
    assert (status, body["code"]) == (422, "invalid-topology")
    assert body["errors"] == [{"path": "links[4].target.node", "message": "there is no node 'r9'"}]


async def test_a_list_is_added_as_one_revision(operator: Api) -> None:
    """201 with all of them."""
    status, body, headers = await operator.call("POST", "/topology/nodes", json=[{"id": "a"}, {"id": "b"}])
    assert (status, headers["ETag"], body["revision"]) == (201, '"1"', 1)
    assert [node["id"] for node in body["items"]] == ["a", "b"]


@pytest.mark.parametrize("bad", [{"id": "r1"}, {"id": "x", "type": 7}, {"id": "new"}])
async def test_a_list_with_one_bad_item_adds_none(square: Api, bad: Mapping[str, object]) -> None:
    """Taken, wrong or twice in the list: the good ones are not added either."""
    status, _, _ = await square.call("POST", "/topology/nodes", json=[{"id": "new"}, bad])
    assert status in (400, 409, 422)
    assert (await square.call("GET", "/topology/nodes/new"))[0] == 404
    assert await revision(square) == 1


async def test_a_fault_in_a_list_has_its_index(operator: Api) -> None:
    """The path starts with the item."""
    _, body, _ = await operator.call(
        "POST", "/topology/nodes", json=[{"id": "a"}, {"id": "b", "location": {"latitude": 91, "longitude": 0}}]
    )
    assert [fault["path"] for fault in body["errors"]] == ["[1].location.latitude"]


async def test_a_list_is_bounded(operator: Api) -> None:
    """5000 at once and no more."""
    status, body, _ = await operator.call("POST", "/topology/nodes", json=[{}] * 5001)
    assert (status, body["code"]) == (400, "invalid")


# -- read


async def test_lists_are_read_page_by_page(square: Api) -> None:
    """`next` leads through all of them, each once, in the order of ids."""
    found: list[str] = []
    cursor = ""
    pages = 0
    while True:
        _, body, _ = await square.call("GET", f"/topology/nodes?limit=3{cursor}")
        found += [node["id"] for node in body["items"]]
        pages += 1
        if body["next"] is None:
            break
        cursor = f"&cursor={body['next']}"
    assert (found, pages) == (list(NODES), 2)


async def test_a_full_last_page_has_no_next(square: Api) -> None:
    """Nobody is sent to an empty page."""
    _, body, _ = await square.call("GET", "/topology/nodes?limit=4")
    assert (len(body["items"]), body["next"]) == (4, None)


async def test_nodes_are_filtered_by_type(square: Api) -> None:
    """?type="""
    await square.call("POST", "/topology/nodes", json={"id": "h1", "type": "host"})
    _, body, _ = await square.call("GET", "/topology/nodes?type=host")
    assert [node["id"] for node in body["items"]] == ["h1"]


async def test_links_are_filtered_by_node(square: Api) -> None:
    """?node= gives those at either end."""
    _, body, _ = await square.call("GET", "/topology/links?node=r1")
    assert [found["id"] for found in body["items"]] == ["r1-r2", "r4-r1"]


@pytest.mark.parametrize("path", ["/topology", "/topology/nodes/r1", "/topology/links/r1-r2"])
@pytest.mark.parametrize("form", ["{}", "W/{}", '"0", {}'])
async def test_what_the_caller_has_is_not_sent_again(square: Api, path: str, form: str) -> None:
    """If-None-Match with the current ETag: 304 without a body."""
    _, _, headers = await square.call("GET", path)
    status, body, again = await square.call("GET", path, headers={"If-None-Match": form.format(headers["ETag"])})
    assert (status, body, again["ETag"]) == (304, None, headers["ETag"])


@pytest.mark.parametrize("path", ["/topology/nodes", "/topology/links"])
async def test_a_page_the_caller_has_is_not_sent_again(square: Api, path: str) -> None:
    """Lists carry an ETag too, so they honour If-None-Match (api.md: reads of versioned things)."""
    _, _, headers = await square.call("GET", path)
    status, _, _ = await square.call("GET", path, headers={"If-None-Match": headers["ETag"]})
    assert status == 304


async def test_any_version_will_do_for_a_star(square: Api) -> None:
    """`If-None-Match: *` matches whatever there is (RFC 9110, 13.1.2)."""
    status, _, _ = await square.call("GET", "/topology/nodes/r1", headers={"If-None-Match": "*"})
    assert status == 304


async def test_a_part_that_is_not_there_is_not_found(viewer: Api) -> None:
    """404 with the id."""
    status, body, _ = await viewer.call("GET", "/topology/nodes/r9")
    assert (status, body["code"]) == (404, "not-found")
    assert "r9" in body["detail"]


# -- change


async def test_a_part_has_the_revision_that_last_changed_it(square: Api) -> None:
    """Changing r1 leaves r2's ETag as it was."""
    await square.call("PUT", "/topology/nodes/r1", json={"name": "Paris"})
    _, _, changed = await square.call("GET", "/topology/nodes/r1")
    _, _, other = await square.call("GET", "/topology/nodes/r2")
    assert (changed["ETag"], other["ETag"]) == ('"2"', '"1"')


async def test_putting_back_what_is_there_changes_nothing(square: Api) -> None:
    """No change, no revision."""
    _, node, _ = await square.call("GET", "/topology/nodes/r1")
    status, _, headers = await square.call("PUT", "/topology/nodes/r1", json=node)
    assert (status, headers["ETag"], await revision(square)) == (200, '"1"', 1)


async def test_a_write_on_the_version_one_has_is_taken(square: Api) -> None:
    """If-Match with the current ETag."""
    status, body, headers = await square.call("PUT", "/topology/nodes/r1", json={"name": "Paris"}, headers={"If-Match": '"1"'})
    assert (status, body["name"], headers["ETag"]) == (200, "Paris", '"2"')


@pytest.mark.parametrize(("method", "more"), [("PUT", {"json": {"name": "late"}}), ("DELETE", {})])
async def test_a_write_on_an_old_version_is_refused(square: Api, method: str, more: Mapping[str, Any]) -> None:
    """412 with the revision there is now."""
    await square.call("PUT", "/topology/nodes/r1", json={"name": "first"})
    status, body, _ = await square.call(method, "/topology/nodes/r1", headers={"If-Match": '"1"'}, **more)
    assert (status, body["code"], body["revision"]) == (412, "stale-revision", 2)
    assert (await square.call("GET", "/topology/nodes/r1"))[1]["name"] == "first"


async def test_of_writers_at_the_same_time_one_wins(square: Api) -> None:
    """All mean the version that they read: the others get 412 with the revision that the winner made."""
    writes = (square.call("PUT", "/topology/nodes/r1", json={"name": f"w{n}"}, headers={"If-Match": '"1"'}) for n in range(5))
    answers = await asyncio.gather(*writes)
    (won,) = [body for status, body, _ in answers if status == 200]
    lost = [(status, body["code"], body["revision"]) for status, body, _ in answers if status != 200]
    assert lost == [(412, "stale-revision", 2)] * 4
    assert (await square.call("GET", "/topology/nodes/r1"))[1]["name"] == won["name"]


@pytest.mark.parametrize(("method", "path"), [("PUT", "/nodes/r1"), ("DELETE", "/links/r1-r2"), ("POST", "/nodes"), ("POST", "/restore/1")])
async def test_a_weak_tag_never_matches(square: Api, method: str, path: str) -> None:
    """If-Match compares strongly (RFC 9110, 13.1.1): 412 also when the number is right. For reads a weak tag is as good (13.1.2)."""
    more: Mapping[str, Any] = {"json": {"name": "weak"}} if method in ("PUT", "POST") else {}
    status, body, _ = await square.call(method, f"/topology{path}", headers={"If-Match": 'W/"1"'}, **more)
    assert (status, body["code"], body["revision"]) == (412, "stale-revision", 1)
    assert "a weak one" in body["detail"]
    assert (await square.call("GET", "/topology", headers={"If-None-Match": 'W/"1"'}))[0] == 304


async def test_adding_on_an_old_topology_is_refused(square: Api) -> None:
    """For POST the version is the topology's."""
    status, body, _ = await square.call("POST", "/topology/nodes", json={"id": "r9"}, headers={"If-Match": '"0"'})
    assert (status, body["revision"]) == (412, 1)


async def test_a_body_about_something_else_is_refused(square: Api) -> None:
    """The id in the body is the one of the path."""
    status, body, _ = await square.call("PUT", "/topology/nodes/r1", json={"id": "r2"})
    assert (status, body["code"]) == (400, "invalid")


async def test_replacing_what_is_not_there_is_not_found(square: Api) -> None:
    """PUT does not create."""
    assert (await square.call("PUT", "/topology/nodes/r9", json={}))[0] == 404


async def test_a_link_is_replaced_as_a_whole(square: Api) -> None:
    """What is left out is the default again."""
    _, body, _ = await square.call("PUT", "/topology/links/r1-r2", json=link("r1", "r2", enabled=False))
    assert (body["enabled"], body["bandwidth"]) == (False, 1e9)


# -- delete


async def test_a_node_with_links_is_not_deleted(square: Api) -> None:
    """409 with the links."""
    status, body, _ = await square.call("DELETE", "/topology/nodes/r1")
    assert (status, body["code"], sorted(body["links"])) == (409, "node-has-links", ["r1-r2", "r4-r1"])
    assert await revision(square) == 1


async def test_a_node_is_deleted_with_its_links_on_wish(square: Api) -> None:
    """?cascade=true: 204, its links are gone, in one revision."""
    status, body, headers = await square.call("DELETE", "/topology/nodes/r1?cascade=true")
    assert (status, body, headers["ETag"]) == (204, None, '"2"')
    _, left, _ = await square.call("GET", "/topology")
    assert [n["id"] for n in left["nodes"]] == ["r2", "r3", "r4"]
    assert [found["id"] for found in left["links"]] == ["r2-r3", "r3-r4"]


async def test_a_link_is_deleted(square: Api) -> None:
    """204, and it is gone."""
    assert (await square.call("DELETE", "/topology/links/r1-r2"))[0] == 204
    assert (await square.call("GET", "/topology/links/r1-r2"))[0] == 404


async def test_deleting_twice_is_not_found(square: Api) -> None:
    """The second finds nothing."""
    statuses = [(await square.call("DELETE", "/topology/links/r1-r2"))[0] for _ in range(2)]
    assert statuses == [204, 404]


# -- history


async def test_the_history_says_who_did_what(square: Api, admin: Api) -> None:
    """Newest first, with author, time and a summary."""
    await admin.call("POST", "/topology/nodes", json={"id": "r9"})
    _, body, _ = await square.call("GET", "/topology/history")
    assert [(e["revision"], e["author"], e["summary"]) for e in body["items"]] == [
        (2, "admin", "added r9"),
        (1, "operator", "replaced by json import"),
    ]
    assert body["next"] is None


async def test_the_history_is_read_page_by_page(square: Api) -> None:
    """`next` leads on."""
    for a, b in LINKS:
        await square.call("DELETE", f"/topology/links/{a}-{b}")
    _, first, _ = await square.call("GET", "/topology/history?limit=3")
    _, second, _ = await square.call("GET", f"/topology/history?limit=3&cursor={first['next']}")
    assert [e["revision"] for e in first["items"] + second["items"]] == [5, 4, 3, 2, 1]
    assert second["next"] is None


async def test_the_history_tells_the_time_as_the_other_histories_do(square: Api) -> None:
    """`at` is RFC 3339, as in /intent/history and /deploy/history."""
    _, body, _ = await square.call("GET", "/topology/history")
    assert isinstance(body["items"][0]["at"], str)
    assert body["items"][0]["at"].endswith("Z")
