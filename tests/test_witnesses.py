"""Two deployments, each in a process of its own: one cosigns the other's log, and strangers prove an event by both."""

from pathlib import Path

import orjson

from tests.kit.stack import EmbeddedWorld, get, until


def keys(world: EmbeddedWorld, use: str) -> str:
    """The key of a deployment's log, or with which it cosigns."""
    told = get(f"{world.url('audit')}/audit/v1/log/keys").json()["keys"]
    (key,) = [one["vkey"] for one in told if one["use"] == use]
    return str(key)


def test_another_deployment_cosigns_and_an_event_is_proven_by_both(tmp_path: Path) -> None:
    folders = tmp_path / "county", tmp_path / "city"
    for folder in folders:
        folder.mkdir()
    county, city = (EmbeddedWorld(folder, HUIYING_CHECKPOINT_SECONDS="1") for folder in folders)
    for world in (county, city):
        world.environment["HUIYING_PUBLIC_URL"] = world.url("")
        world.start("up")
    try:
        for world in (county, city):
            world.ready("up")
        added = city.run("witness", "add", keys(county, "log"))
        assert added.returncode == 0, added.stderr
        cosigns = added.stdout.split()[-1]
        assert cosigns == keys(city, "witness")
        county.restart("up", HUIYING_WITNESSES=f"{city.url('')}/witness {cosigns}")
        county.incident(county.post("道路积水").json()["report_id"])
        (opened,) = until(lambda: county.events(type="incident.opened"), "audit has the incident")
        event, proof = tmp_path / "event.json", tmp_path / "event.tlog-proof"
        with county.client("audit", "auditor", unit="city") as client:
            event.write_bytes(orjson.dumps(client.get(f"/audit/v1/events/{opened['id']}").json()["event"]))
        name = cosigns.partition("+")[0].encode()

        def cosigned() -> bytes:
            found = get(f"{county.url('audit')}/audit/v1/log/proof/inclusion?event_id={opened['id']}")
            return found.content if found.status_code == 200 and "— ".encode() + name in found.content else b""

        proof.write_bytes(until(cosigned, f"the proof of the event is cosigned\n{county.logs()}"))
        shown = city.run("witness", "list")
        assert keys(county, "log").partition("+")[0] in shown.stdout
        for key, code in ((cosigns, 0), (keys(county, "witness"), 1)):
            done = county.run("verify", "event", str(event), str(proof), "--key", keys(county, "log"), "--witness", key)
            assert done.returncode == code, done.stdout + done.stderr
    finally:
        for world in (county, city):
            world.stop()
