#!/usr/bin/env python3
"""The dashboard in a real browser.

test_dashboard.py --fixture PROGRAM   over the made-up source of tests/tools/web_fixture.c
test_dashboard.py --url BASE          over a dashboard that runs already and whose numbers move

Exit code 77: there is no Chromium or no chromedriver here. Screenshots go to $EVILNET_BROWSER_SHOTS, if that is set.
"""

import argparse
import datetime
import json
import os
import subprocess
import sys
import unicodedata
import unittest
import urllib.parse
import urllib.request

import webdriver

HOSTILE = "O'Brien\"; DROP TABLE city_windows;-- <script>"
PAGES = ["/", "/topfive", "/worstfive", "/?since=24h"]
METRICS = ["tweets", "retweets", "users"]
options = None


class Fixture:
    def __init__(self, program, port=0):
        self.process = subprocess.Popen([program, "--port", str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        self.base = self.process.stdout.readline().strip()

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def stop(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            self.process.wait(timeout=10)
        self.process.stdout.close()


def quoted(place):
    return urllib.parse.quote(place, safe="")


def plain(text):
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c)).lower()


class Dashboard(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fixture = Fixture(options.fixture) if options.fixture else None
        cls.base = cls.fixture.base if cls.fixture else options.url.rstrip("/")
        cls.browser = webdriver.Browser()

    @classmethod
    def tearDownClass(cls):
        cls.browser.__exit__()
        if cls.fixture:
            cls.fixture.stop()

    def setUp(self):
        self.browser.size(1280, 900)
        self.browser.media(prefers_color_scheme="light", prefers_reduced_motion="no-preference")
        self.browser.complaints()

    def tearDown(self):
        self.browser.run("localStorage.clear()")

    # helpers

    def open(self, path, counted=True):
        self.browser.open(self.base + path)
        if counted:
            self.browser.wait("numbers", "document.body.classList.contains('counted')")

    def api(self, path):
        with urllib.request.urlopen(self.base + path, timeout=20) as answer:
            return json.load(answer)

    def shot(self, name, whole=True):
        if os.environ.get("EVILNET_BROWSER_SHOTS"):
            self.browser.screenshot(os.path.join(os.environ["EVILNET_BROWSER_SHOTS"], name + ".png"), whole)

    def need_fixture(self):
        if not self.fixture:
            self.skipTest("wants the made-up source")

    def busiest(self):
        return self.api("/api/top?n=1")["places"][0]["place"]

    def chart(self, selector):
        """What a chart shows: [[label of a line, its values], ...], or None while it shows nothing."""
        return self.browser.run("""
            const chart = window.Chart?.getChart(document.querySelector(arguments[0]));
            return chart && chart.width > 50 && chart.height > 50 ?
                chart.data.datasets.map((set) => [set.label, set.data]) : null;""", selector)

    def drawn(self, selector):
        """Waits for a chart; makes sure that there is ink on its canvas, and words beside it."""
        lines = self.browser.wait("a chart on " + selector, lambda: self.chart(selector))
        self.browser.wait("ink on " + selector, lambda: self.browser.run("""
            const canvas = document.querySelector(arguments[0]);
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            return data.some((byte) => byte);""", selector))
        label = self.browser.run("return document.querySelector(arguments[0]).getAttribute('aria-label')", selector)
        self.assertRegex(label, r"^Line chart\..*\d")
        return lines

    def places_of(self, selector):
        return self.browser.run("return [...document.querySelectorAll(arguments[0])].map((a) => a.textContent)", selector)

    # the pages

    def test_the_front_page_shows_everything_at_once(self):
        self.open("/")
        lines = self.drawn("#overall")
        self.assertEqual([line[0] for line in lines], ["Tweets", "Retweets"])
        if self.browser.run("return !document.getElementById('more').hidden"):
            self.assertEqual(self.browser.count("#city-rows tr"), 100)
            self.browser.click("#more")
        self.browser.wait("every active city", lambda: sorted(self.places_of("#city-rows a")) == sorted(
            city["place"] for city in self.api("/api/cities")["cities"]))
        self.assertEqual(self.browser.count("#top li"), min(5, self.browser.count("#city-rows tr")))
        self.assertEqual(self.browser.count("#worst li"), self.browser.count("#top li"))
        self.assertIn("fewest retweets", self.browser.text("#worst-title"))
        self.assertEqual(self.browser.text("#pulse span"), "Live")
        self.shot("front")
        self.browser.media(prefers_color_scheme="dark")
        self.browser.wait("dark colours in the chart", """
            Chart.getChart('overall').data.datasets[0].borderColor ===
            getComputedStyle(document.documentElement).getPropertyValue('--tweets').trim()""")
        self.shot("front-dark")
        self.assertEqual(self.browser.complaints(), [])

    def test_numbers_move_without_a_reload(self):
        self.open("/")
        self.browser.run("window.here = true")
        total = "document.querySelector('[data-total=tweets]').shown"
        before, line = self.browser.run("return " + total), self.drawn("#overall")
        self.browser.wait("another total", f"{total} !== {before}", 20)
        self.browser.wait("a line that moved", lambda: self.chart("#overall") != line, 20)
        self.browser.wait("the rate", "/a minute|last minute/.test(document.getElementById('rate').textContent)", 20)
        self.assertTrue(self.browser.run("return window.here"))

    def test_the_search_field_finds_cities_without_case_and_accents(self):
        self.open("/")
        names = [city["place"] for city in self.api("/api/cities")["cities"]]
        wanted = next((name for name in names if plain(name) != name.lower()), names[0])
        self.browser.type("#search", plain(wanted).upper())
        self.browser.wait("the city alone", lambda: self.places_of("#city-rows a") == [wanted])
        self.assertEqual(self.browser.text("#found"), "1 city found")
        self.browser.type("#search", " nowhere at all")
        self.browser.wait("no city", "document.querySelectorAll('#city-rows tr').length === 0")
        self.assertIn("No active city", self.browser.text("#empty"))
        self.shot("nothing-found", whole=False)

    def test_the_list_can_be_sorted(self):
        self.open("/")
        self.browser.click("#cities th[data-sort=place] button")
        self.browser.run("document.activeElement.blur()")
        names = self.places_of("#city-rows a")
        self.assertEqual(names, sorted(names, key=lambda name: name.encode("utf-16-be")))
        self.assertEqual(self.browser.run("return document.querySelector('th[data-sort=place]').ariaSort"), "ascending")

    def test_a_click_on_a_city_shows_its_three_trends(self):
        self.open("/")
        place = self.busiest()
        self.browser.click(f'#city-rows a[href="/metrics/tweets/{quoted(place)}"]')
        for metric in METRICS:
            line = self.drawn(f"#focus [data-trend={metric}]")[0]
            self.assertEqual(line[0].lower(), metric)
            points = self.api(f"/api/cities/{quoted(place)}/{metric}")["points"]
            # all but the newest window stand still
            self.browser.wait("the city's line", lambda: self.chart(f"#focus [data-trend={metric}]")[0][1][:-1] ==
                              [point["value"] for point in points[:-1]])
        self.assertEqual(self.browser.text("#focus-title"), place)
        self.shot("city-on-front", whole=False)
        self.browser.open(self.browser.url())
        self.browser.wait("the same city after a reload", lambda: self.browser.text("#focus-title") == place)
        self.browser.click("#unfocus")
        self.assertTrue(self.browser.run("return document.getElementById('focus').hidden"))
        self.assertEqual(self.browser.complaints(), [])

    def test_each_metric_of_a_city_has_a_page_with_its_line(self):
        place = self.busiest()
        for metric in METRICS:
            self.open(f"/metrics/{metric}/{quoted(place)}")
            self.assertEqual(self.drawn("#trend")[0][0].lower(), metric)
            self.assertEqual(self.browser.text("h1"), place)
            self.assertEqual(self.browser.text(".tabs [aria-current]").lower(), metric)
            self.assertEqual(self.browser.count("#others canvas"), 2)
            self.shot("trend-" + metric)
        self.browser.click(".tabs .tweets")
        self.browser.wait("the other page", lambda: "/metrics/tweets/" in self.browser.url())
        self.assertEqual(self.browser.complaints(), [])

    def test_top_and_worst_five_are_those_of_the_interface(self):
        for page, call in (("top", "/api/top"), ("worst", "/api/worst")):
            self.open(f"/{page}five")
            self.browser.wait("the five", lambda: self.places_of(f"#{page} a") == [
                one["place"] for one in self.api(call)["places"]])
            self.drawn("#lines")
            self.shot(page)
        self.assertIn("fewest retweets", self.browser.text("h1"))
        self.assertEqual(self.browser.complaints(), [])

    def test_a_past_hour_can_be_looked_at_and_left(self):
        at = "2026-11-24T15:00:00Z"
        if self.fixture:  # a second before the hour: the window that begins with it may still be filling
            now = datetime.datetime.fromisoformat(self.api("/api/cities")["at"].replace("Z", "+00:00"))
            at = (now - datetime.timedelta(hours=1)).strftime("%Y-%m-%dT%H:59:59Z")
        self.open(f"/?at={at}")
        self.assertIn("The hour before", self.browser.text(".which"))
        self.assertEqual(self.browser.text("#pulse span"), "The past")
        total = sum(city["tweets"] for city in self.api(f"/api/cities?at={at}")["cities"])
        self.browser.wait("that hour's total", f"document.querySelector('[data-total=tweets]').shown === {total}")
        self.assertTrue(all(f"at={urllib.parse.quote(at, safe='')}" in link or f"at={at}" in link for link in self.browser.run(
            "return [...document.querySelectorAll('nav a, .bars a, .list a')].map((a) => a.getAttribute('href'))")))
        self.shot("past")
        self.browser.click(".steps .button")
        self.browser.wait("live again", lambda: self.browser.text("#pulse span") == "Live")
        self.assertNotIn("at=", self.browser.url())

    def test_a_time_can_be_picked_in_the_viewers_zone(self):
        self.open("/topfive?since=3h")
        self.browser.click(".picker summary")
        self.browser.run("document.querySelector('#picker input[name=at]').value = '2026-07-01T12:30'")
        self.shot("picker", whole=False)
        self.browser.click("#picker button")
        self.browser.wait("the past", lambda: "at=" in self.browser.url())
        query = urllib.parse.parse_qs(urllib.parse.urlparse(self.browser.url()).query)
        self.assertEqual(query, {"at": ["2026-07-01T16:30:00Z"], "since": ["3h"]})  # Toronto in summer: UTC-4
        self.assertIn("12:30", self.browser.text(".which"))

    def test_a_hostile_name_is_nothing_but_text(self):
        self.need_fixture()
        self.open("/")
        scripts = self.browser.count("script")
        self.browser.type("#search", "drop table")
        self.browser.wait("it", lambda: self.places_of("#city-rows a") == [HOSTILE])
        self.browser.click("#city-rows a")
        self.drawn("#focus [data-trend=tweets]")
        self.assertEqual(self.browser.text("#focus-title"), HOSTILE)
        self.browser.click("#focus [data-to=users]")
        self.browser.wait("its page", lambda: "/metrics/users/" in self.browser.url())
        self.drawn("#trend")
        self.assertEqual(self.browser.text("h1"), HOSTILE)
        self.assertEqual(self.browser.count("script"), scripts)
        self.assertEqual(self.browser.complaints(), [])

    # for everyone

    def test_a_phone_never_scrolls_sideways(self):
        place = self.busiest()
        for width in (375, 320):
            self.browser.size(width, 720, 2)
            for path in PAGES + [f"/metrics/tweets/{quoted(place)}", "/?at=2026-11-24T15:00:00Z&since=3h", "/nothing"]:
                self.open(path, counted=path != "/nothing")
                wide = self.browser.run("""
                    const most = document.documentElement.clientWidth;
                    const cut = (e) => e && (getComputedStyle(e).overflowX === "hidden" || cut(e.parentElement));
                    return [...document.querySelectorAll("body *")].filter((e) => e.checkVisibility() &&
                        e.getBoundingClientRect().right > most + 1 && !cut(e.parentElement) && !e.closest("svg"))
                        .map((e) => e.outerHTML.slice(0, 80));""")
                self.assertEqual(wide, [], f"{path} at {width}")
                self.assertFalse(self.browser.run("return document.documentElement.scrollWidth > innerWidth"), path)
            self.open("/")
            self.shot(f"phone-{width}")
        self.browser.click("#city-rows tr:nth-child(3) a")
        self.drawn("#focus [data-trend=tweets]")
        self.browser.wait("it on the screen", "Math.abs(document.getElementById('focus').getBoundingClientRect().top) < 100")
        self.shot("phone-city", whole=False)

    def test_the_keyboard_reaches_everything(self):
        self.open("/")
        self.browser.press("tab")
        self.assertEqual(self.browser.run("return document.activeElement.className"), "skip")
        self.browser.wait("it in sight", "document.activeElement.getBoundingClientRect().top >= 0")
        self.browser.press("enter")
        self.assertEqual(self.browser.run("return document.activeElement.id"), "main")
        for _ in range(10):
            self.browser.press("tab")
            if self.browser.run("return document.activeElement.id") == "search":
                break
        self.assertEqual(self.browser.run("return document.activeElement.id"), "search")
        place = self.busiest()
        self.browser.press(*plain(place))
        self.browser.wait("the city", lambda: place in self.places_of("#city-rows a"))
        self.browser.press("enter")
        self.assertEqual(self.browser.run("return document.activeElement.id"), "focus-title")
        self.assertEqual(self.browser.text("#focus-title"), place)
        self.browser.press("tab")
        self.assertEqual(self.browser.run("return document.activeElement.id"), "unfocus")
        outline = self.browser.run("return getComputedStyle(document.activeElement).outlineStyle")
        self.assertEqual(outline, "solid")
        self.browser.press("enter")
        self.assertEqual(self.browser.run("return document.activeElement.textContent"), place)

    def test_the_theme_is_kept(self):
        self.open("/")
        self.browser.click("#theme")
        self.assertEqual(self.browser.run("return document.documentElement.dataset.theme"), "dark")
        self.open("/topfive")
        self.assertEqual(self.browser.run("return document.documentElement.dataset.theme"), "dark")
        self.browser.click("#theme")
        self.assertEqual(self.browser.run("return document.documentElement.dataset.theme"), "light")

    def test_text_stands_out_from_its_ground_in_both_themes(self):
        self.open("/")
        for theme in ("light", "dark"):
            self.browser.run("document.documentElement.dataset.theme = arguments[0]", theme)
            for ink, paper in [("ink", "paper"), ("ink", "card"), ("quiet", "paper"), ("quiet", "card"), ("ink", "glow"),
                               ("tweets", "card"), ("retweets", "card"), ("users", "card"), ("tweets", "paper"),
                               ("accent", "card"), ("on-accent", "accent"), ("warn", "warn-paper"), ("paper", "ink")]:
                ratio = self.browser.run("""
                    const light = (name) => {
                        const hex = getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim().slice(1);
                        const full = hex.length === 3 ? [...hex].map((c) => c + c).join("") : hex;
                        const [r, g, b] = [0, 2, 4].map((i) => parseInt(full.slice(i, i + 2), 16) / 255)
                            .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
                        return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
                    };
                    const [a, b] = [light(arguments[0]), light(arguments[1])];
                    return Math.max(a, b) / Math.min(a, b);""", ink, paper)
                self.assertGreaterEqual(ratio, 4.5, f"{theme}: {ink} on {paper}")

    def test_with_reduced_motion_nothing_moves(self):
        self.browser.media(prefers_reduced_motion="reduce")
        self.open("/")
        self.drawn("#overall")
        self.assertEqual(self.browser.run("return document.getAnimations().length"), 0)
        self.assertFalse(self.browser.run("return Chart.getChart('overall').options.animation"))

    # when things go wrong

    def test_an_empty_hour_says_so(self):
        self.need_fixture()
        self.fixture.say("empty")
        try:
            self.open("/")
            self.browser.wait("the empty state", "document.getElementById('empty').checkVisibility()")
            self.assertIn("Not a peep", self.browser.text("#empty"))
            # a page that came with what was there before counts down
            self.browser.wait("a total of nothing", lambda: self.browser.text("[data-total=tweets]") == "0", 3)
            self.shot("empty")
            self.open("/topfive")
            self.assertIn("Not a peep", self.browser.text("#empty"))
        finally:
            self.fixture.say("full")
        self.browser.wait("the five", "document.querySelectorAll('#top li').length === 5")

    def test_data_that_are_away_are_told_and_come_back_by_themselves(self):
        self.need_fixture()
        self.open("/")
        self.browser.wait("the cities", lambda: self.browser.count("#city-rows tr") > 30)
        self.fixture.say("away")
        try:
            self.browser.wait("the away state", lambda: self.browser.text("#pulse span") == "No data")
            self.assertIn("out of reach", self.browser.text("#banner"))
            self.assertGreater(self.browser.count("#city-rows tr"), 30)
            self.shot("away", whole=False)
            self.open("/", counted=False)
            self.browser.wait("the same in a new page", lambda: self.browser.text("#pulse span") == "No data")
            self.assertEqual(self.browser.text("[data-total=tweets]"), "–")
            self.shot("away-from-the-start", whole=False)
        finally:
            self.fixture.say("back")
        self.browser.wait("numbers", "document.querySelector('[data-total=tweets]').shown > 0", 15)
        self.assertEqual(self.browser.text("#pulse span"), "Live")
        self.assertTrue(self.browser.run("return document.getElementById('banner').hidden"))

    def test_a_server_that_is_gone_is_told_and_found_again(self):
        self.need_fixture()
        own = Fixture(options.fixture)
        port = int(own.base.rsplit(":", 1)[1])
        try:
            self.browser.open(own.base + "/")
            self.browser.wait("numbers", "document.body.classList.contains('counted')")
            own.stop()
            self.browser.wait("the lost state", lambda: self.browser.text("#pulse span") == "Reconnecting…")
            self.assertIn("line went dead", self.browser.text("#banner"))
            self.shot("lost", whole=False)
            own = Fixture(options.fixture, port)
            self.browser.wait("live again", lambda: self.browser.text("#pulse span") == "Live", 20)
        finally:
            own.stop()


def main():
    global options
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--fixture", help="the program web-fixture")
    where.add_argument("--url", help="address of a dashboard")
    options, rest = parser.parse_known_args()
    missing = webdriver.missing()
    if missing:
        print(f"skipped: there is no {missing} here (Debian: apt install chromium chromium-driver)")
        sys.exit(77)
    unittest.main(argv=[sys.argv[0], "-v", *rest])


if __name__ == "__main__":
    main()
