"""Scenarios: what is promised in numbers."""
import collections
import re
import subprocess
import threading
import time

import harness
from harness import check, say

CROWD = 30_000
CHANGELOG_BYTES_MAX = 200  # a post
LATENCY_P99_MS = 2000


def changelog_bytes(case, app):
    """store: bytes of keys and values of all records ever written to its changelog"""
    sizes = {}
    for topic in sorted(case.topics()):
        store = re.fullmatch(re.escape(app.id) + "-(.+)-changelog", topic)
        if store:
            lines = case.kcat("-C", "-t", topic, "-e", "-q", "-o", "beginning", "-f", "%K %S\n").decode().split("\n")
            sizes[store[1]] = sum(max(int(n), 0) for line in lines for n in line.split())
    return sizes


def check_changelog(case, app, counted, what):
    sizes = changelog_bytes(case, app)
    check(len(sizes) == 3, f"three changelogs are wanted, got {sizes}")
    each = sum(sizes.values()) / counted.fates["counted"]
    say(f"{what}: {each:.1f} bytes of changelog a post {({k: round(v / counted.fates['counted'], 1) for k, v in sizes.items()})}")
    return each


def crowd(case):
    """30,000 authors in one city's window: within 2.5 %; and what the changelogs cost while it is exact"""
    app = case.application("crowd")
    path = case.posts("crowd.jsonl", "--count", 4_000, "--seed", 60, "--crowd", CROWD)
    app.run("ingest", "--source", f"file:{path}", "--exit-at-end")
    process = app.start("process")
    process.wait_for("INFO task running", 30)
    time.sleep(0.5)
    process.kill()
    app.run("process", "--exit-at-end")
    counted = app.recount()
    key, wanted = max(counted.rows.items(), key=lambda item: item[1][2])
    check(wanted[2] >= CROWD, f"the crowd is {wanted[2]}")
    got = app.rows()[key]
    error = got[2] / wanted[2] - 1
    say(f"{key[0]} {key[1]}: {wanted[2]} authors, {got[2]} told: {error:+.2%}")
    check(abs(error) <= 0.025, f"{error:+.2%} is more than 2.5 %")
    check(got[:2] + got[3:] == wanted[:2] + wanted[3:], f"wanted {wanted}, got {got}")
    check(got[2] != wanted[2], "30,000 authors were counted exactly: evilnet.users.exact.max has no effect")
    app.check_rows({**counted.rows, key: got}, "all other rows")
    check_changelog(case, app, counted, "beyond what is counted exactly")

    exact = case.application("exact", commit_interval_ms="1")
    path = case.posts("exact.jsonl", "--count", 3_000, "--seed", 61, "--span", 7_200)
    exact.run("ingest", "--source", "file:/dev/null", "--exit-at-end", log="topics")
    process = exact.start("process")
    exact.run("ingest", "--source", f"file:{path}", "--speed", "900", "--exit-at-end")
    counted = exact.recount()
    exact.wait_for_rows(counted.rows, 30, [process])
    process.stop()
    cities = [k for k in case.records(f"{exact.id}-cities-changelog", "cities")]
    say(f"{len(cities)} changes of {counted.fates['counted']} posts committed apart")
    check(len(cities) > 0.5 * counted.fates["counted"], "too few commits for the worst case")
    each = check_changelog(case, exact, counted, "exact, nearly each post in a commit of its own")
    check(each <= CHANGELOG_BYTES_MAX, f"{CHANGELOG_BYTES_MAX} bytes are the most")


class Watch(threading.Thread):
    """Notes when each value of upto is first seen in the table, by one connection that asks all the time."""

    def __init__(self, app):
        super().__init__(daemon=True)
        self.seen = collections.defaultdict(list)  # (place, start): [(when in ms, upto)]
        self.going = True
        self.asked = 0
        self.client = subprocess.Popen(
            ["mariadb", "--no-defaults", f"--socket={harness.need('WEIR_TEST_MYSQL_SOCKET')}", "--user=root", "-BN",
             "--unbuffered", "--default-character-set=utf8mb4", app.database],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def run(self):
        last = {}
        while self.going:
            self.client.stdin.write(b"SELECT place, window_start, upto FROM city_windows; SELECT 'end';\n")
            self.client.stdin.flush()
            rows = []
            for line in self.client.stdout:
                if line == b"end\n":
                    break
                rows.append(line)
            now = time.time() * 1000  # after the answer
            for line in rows:
                place, start, upto = line.decode().rstrip("\n").split("\t")
                if last.get((place, start)) != upto:
                    last[place, start] = upto
                    self.seen[place, start].append((now, int(upto)))
            self.asked += 1
            time.sleep(0.02)

    def stop(self):
        self.going = False
        self.join()
        self.client.stdin.close()
        self.client.wait()


def latency(case):
    """1,000 posts a second through one instance: from receipt to the row in MySQL, p99 under two seconds"""
    app = case.application()
    app.run("ingest", "--source", "file:/dev/null", "--exit-at-end", log="topics")
    process = app.start("process")
    process.wait_for("INFO task running", 30)
    watch = Watch(app)
    watch.start()
    app.run("ingest", "--source", "simulate", "--rate", "1000", "--exit-at-end", evilnet_simulate_count=20_000)
    counted = app.recount()
    app.wait_for_rows(counted.rows, 30, [process])
    watch.stop()
    process.stop()
    # the header says when a post was received, which is before it is sent: acknowledgement comes later still
    waits, unseen = [], 0
    for _, offset, headers, place, start in counted.counted:
        seen = watch.seen[harness.recount.escape(place), harness.recount.sql_time(start)]
        when = next((at for at, upto in seen if upto >= offset), None)
        if when is None:
            unseen += 1
        else:
            waits.append(when - int(headers["received"]))
    waits.sort()
    check(not unseen and len(waits) > 19_000, f"{unseen} posts were not seen in any row, {len(waits)} were")
    p50, p99, worst = waits[len(waits) // 2], waits[len(waits) * 99 // 100], waits[-1]
    say(f"{len(waits)} posts, the table was read {watch.asked} times: p50 {p50:.0f} ms, p99 {p99:.0f} ms, most {worst:.0f} ms")
    check(p99 < LATENCY_P99_MS, f"p99 is {p99:.0f} ms, {LATENCY_P99_MS} are the most")


SCENARIOS = {"crowd": crowd, "latency": latency}
