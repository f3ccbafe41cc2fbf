"""Scenarios: what is kept, what is let go, and what is shown of it."""
import json
import os
import re
import time
import urllib.error
import urllib.parse
import urllib.request

import harness
import posts
from harness import check, say

HOUR_MS = 3_600_000


def first_offsets(case, topic):
    """partition: the first offset that can still be read"""
    first = {}
    for partition, offset, *_ in case.records(topic, "kept"):
        first.setdefault(partition, offset)
    return first


def cut(case, topic):
    """The first offsets of a topic once some of it is gone"""
    first = first_offsets(case, topic)
    return first if max(first.values(), default=1) > 0 else None


def kept_rows(rows, hours):
    """Those whose window begins no more than so long before the newest."""
    newest = max(harness.recount.time_ms(f"{start.replace(' ', 'T')}Z") for _, start, _ in rows)
    since = harness.recount.sql_time(newest - hours * HOUR_MS)
    return {key: row for key, row in rows.items() if key[1] >= since}


def retention(case):
    """Old rows, posts, results and changelogs go by event time, nothing else does; and counting goes on, also elsewhere"""
    app = case.application(evilnet_retention="2h", evilnet_posts_retention="3h", repartition_purge_interval_ms="1s",
                           checkpoint_interval_ms="1s")
    path = case.posts("posts.jsonl", "--count", 30_000, "--seed", 90, "--span", 8 * 3600)
    with open(path, encoding="utf-8", newline="\n") as f:
        lines = f.readlines()
    for name, part in (("first", lines[:24_000]), ("second", lines[24_000:27_000]), ("third", lines[27_000:])):
        with open(case.path(name), "w", encoding="utf-8") as f:
            f.writelines(part)
    app.run("ingest", "--source", f"file:{case.path('first')}", "--exit-at-end")
    dump = case.dump(app.topic, "all")
    process = app.start("process")
    app.wait_for_rows(kept_rows(app.recount().rows, 2), 60, [process], "rows of the last two hours, no older ones")
    app.run("ingest", "--source", f"file:{case.path('second')}", "--exit-at-end", "--speed", "600")  # five seconds
    counted = app.recount(before=[dump])
    app.wait_for_rows(kept_rows(counted.rows, 2), 60, [process], "the same after more posts")
    for topic in (app.metrics, *(f"{app.id}-{store}-changelog" for store in ("seen", "users", "cities"))):
        first = harness.wait_until(f"{topic} to be cut", 20, lambda t=topic: cut(case, t), 0.5)
        say(f"{topic} begins at {sorted(first.values())}")

    first = first_offsets(case, app.topic)
    made = {(p, o): harness.recount.read_post(value)[2] for p, o, _, _, value in harness.Recounted.records(dump)}
    newest = max(harness.recount.read_post(value)[2] for *_, value in case.records(app.topic, "now"))
    gone = {key: ms for key, ms in made.items() if key[1] < first[key[0]]}
    youngest = max(gone.values(), default=0)
    check(len(gone) > 10_000, f"only {len(gone)} posts have been deleted")
    check(youngest <= newest - 3 * HOUR_MS, f"a post of {harness.recount.sql_time(youngest)} is gone, the newest is of "
                                            f"{harness.recount.sql_time(newest)}")
    say(f"{len(gone)} of {len(made)} posts deleted, the youngest {(newest - youngest) / HOUR_MS:.2f} h before the newest")

    process.kill()
    app.run("ingest", "--source", f"file:{case.path('third')}", "--exit-at-end")
    process = app.start("process", instance="2")  # without local state: from changelogs that were cut
    counted = app.recount(before=[dump, case.dump(app.topic, "later")])
    app.wait_for_rows(kept_rows(counted.rows, 2), 60, [process], "rows after going on elsewhere")
    process.stop()


def lost_rows(case):
    """The database is lost: its rows come again from the topic of results, also while process runs"""
    app = case.application()
    path = case.posts("posts.jsonl", "--count", 10_000, "--seed", 91)
    app.run("ingest", "--source", f"file:{path}", "--exit-at-end")
    app.run("process", "--exit-at-end")
    counted = app.recount()
    app.check_rows(counted.rows)
    case.query(f"DROP DATABASE `{app.database}`")
    app.run("process", "--exit-at-end")
    app.check_rows(counted.rows, "rows after the database was lost")
    process = app.start("process")
    process.wait_for("INFO task running", 30)
    case.query(f"DROP DATABASE `{app.database}`")
    app.run("ingest", "--source", f"file:{posts.WORKED_EXAMPLE}", "--exit-at-end", log="more")
    process.stop()
    app.run("process", "--exit-at-end")
    app.check_rows(app.recount().rows, "rows after it was lost under a running instance")


def get(base, path):
    """(status, body)"""
    try:
        with urllib.request.urlopen(base + path, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode()


def address_of(process):
    process.wait_for(r"at http://[\d.]+:\d+/", 30)
    return re.search(r"at (http://[\d.]+:\d+)/", process.text())[1]


def unescape(place):
    return re.sub(r"\\(.)", lambda m: {"t": "\t", "n": "\n", "0": "\0"}.get(m[1], m[1]), place)


def check_pages(base, rows, end):
    """The dashboard's calls against the rows of the hour before `end`."""
    rows = {(unescape(place), *key): row for (place, *key), row in rows.items()}
    at = f"at={end.replace(' ', 'T')}Z"
    end_ms = harness.recount.time_ms(end.replace(" ", "T") + "Z")
    starts = [harness.recount.sql_time(ms) for ms in range((end_ms - HOUR_MS) // harness.WINDOW_MS * harness.WINDOW_MS, end_ms + 1,
                                                           harness.WINDOW_MS)]
    places = sorted({k[0] for k in rows if k[1] in starts}, key=str.encode)
    sums = {p: [sum(rows.get((p, s, 900), (0, 0, 0, 0))[i] for s in starts) for i in (0, 1)] for p in places}
    status, body = get(base, f"/api/cities?{at}")
    shown = {c["place"]: [c["tweets"], c["retweets"]] for c in json.loads(body)["cities"]}
    check(status == 200 and shown == sums, f"/api/cities: wanted {sums}, got {shown}")
    check(posts.HOSTILE in shown and "Montréal, Quebec" in shown and "Montreal, Quebec" in shown, f"cities are missing: {sorted(shown)}")
    for place in places:
        for i, metric in enumerate(("tweets", "retweets", "users")):
            path = f"/api/cities/{urllib.parse.quote(place, safe='')}/{metric}?{at}"
            points = json.loads(get(base, path)[1])["points"]
            want = [(f"{s.replace(' ', 'T')}Z", rows.get((place, s, 900), (0, 0, 0, 0))[i]) for s in starts]
            check([(p["time"], p["value"]) for p in points] == want, f"{path}: wanted {want}, got {points}")
    top = sorted(places, key=lambda p: (-sums[p][0], p.encode()))[:5]
    worst = sorted(places, key=lambda p: (sums[p][1], p.encode()))[:5]
    for path, want in ((f"/api/top?metric=tweets&n=5&{at}", top), (f"/api/worst?metric=retweets&n=5&{at}", worst)):
        got = [p["place"] for p in json.loads(get(base, path)[1])["places"]]
        check(got == want, f"{path}: wanted {want}, got {got}")
    for page in ("/", "/topfive", "/worstfive", f"/metrics/users/{urllib.parse.quote(posts.HOSTILE, safe='')}"):
        status, body = get(base, f"{page}?{at}")
        check(status == 200 and "<!doctype html>" in body.lower() and "<script>\"" not in body.lower() and "-- <script>" not in body,
              f"{page}: {status}, or a name that is not escaped")
    for path, status in (("/api/cities/Nowhere/tweets", 404), ("/api/cities?at=soon", 400), ("/api/no", 404), ("/no", 404)):
        check(get(base, path)[0] == status, f"{path}: wanted {status}, got {get(base, path)}")
    return len(places)


def dashboard(case):
    """What run and serve show equals the rows, from MySQL and from the stores; health, readiness and metrics"""
    app = case.application()
    path = case.posts("posts.jsonl", "--count", 20_000, "--seed", 92, "--span", 2 * 3600)
    app.run("ingest", "--source", f"file:{path}", "--exit-at-end")
    counted = app.recount()
    run = app.start("run", web_port=0)
    app.wait_for_rows(counted.rows, 60, [run])
    base = address_of(run)
    n = check_pages(base, counted.rows, "2022-09-15 04:30:00")
    status, body = get(base, "/metrics")
    check(status == 200 and "evilnet_mysql_connected 1" in body and re.search(r"^# TYPE \S+ counter$", body, re.M), f"/metrics: {body[:500]}")
    check(get(base, "/healthz")[0] == 200 and get(base, "/readyz")[0] == 200, "not ready")
    serve = app.start("serve", web_port=0)
    check_pages(address_of(serve), counted.rows, "2022-09-15 04:30:00")
    say(f"run and serve over MySQL: {n} cities, three trends each")
    serve.stop()
    run.stop()
    bare = case.application("bare", posts=app.topic)
    for key in [k for k in bare.options if "mysql" in k]:
        del bare.options[key]
    run = bare.start("run", web_port=0)
    base = address_of(run)
    wanted = sum(row[0] for key, row in counted.rows.items() if "03:15:00" < key[1][11:] <= "04:30:00")
    harness.wait_until("the stores to be filled", 30, lambda: sum(
        c["tweets"] for c in json.loads(get(base, "/api/cities?at=2022-09-15T04:30:00Z")[1]).get("cities", [])) >= wanted)
    time.sleep(1)
    check_pages(base, counted.rows, "2022-09-15 04:30:00")
    say("run over its own stores, without MySQL: the same")
    run.stop()
    check(not os.path.exists(case.path("weir-state")), "state has been left in the working directory")


SCENARIOS = {"retention": retention, "lost_rows": lost_rows, "dashboard": dashboard}
