#!/usr/bin/env python3
"""Makes objects as the X API's filtered stream sends them, one a line, for `evilnet ingest --source file:PATH`.

The same options give the same lines. Beside plain posts there are, in small shares: posts out of order and late,
repeated, from a clock that runs ahead, dated so far ahead that a broker refuses them; objects that cannot be read, from
no place, from what is no city; Montréal and Montreal, names in several scripts, of exactly 190 characters and longer,
and one that would like to be SQL and HTML.

--crowd N puts N posts by N different authors into one window of one city. --json-form FILE writes records in the
original pipeline's JSON form, without keys, for `kcat -P` and a topology with evilnet.rekey.
"""
import argparse
import datetime
import json
import random
import sys

HOSTILE = "O'Brien\"; DROP TABLE city_windows;-- <script>"
CITIES = [
    ("Toronto, Ontario", 2794), ("Montréal, Quebec", 1200), ("Montreal, Quebec", 560), ("Calgary, Alberta", 1307),
    ("Ottawa, Ontario", 1017), ("Edmonton, Alberta", 1011), ("Winnipeg, Manitoba", 750), ("Vancouver, British Columbia", 662),
    ("Mississauga, Ontario", 718), ("Brampton, Ontario", 656), ("Hamilton, Ontario", 569), ("Québec, Quebec", 549),
    ("Surrey, British Columbia", 568), ("Halifax, Nova Scotia", 439), ("Laval, Quebec", 438), ("London, Ontario", 422),
    ("Gatineau, Quebec", 291), ("Saskatoon, Saskatchewan", 266), ("Burnaby, British Columbia", 249), ("Regina, Saskatchewan", 226),
    ("Richmond, British Columbia", 210), ("Sherbrooke, Quebec", 173), ("Lévis, Quebec", 150), ("Saguenay, Quebec", 145),
    ("Trois-Rivières, Quebec", 139), ("Guelph, Ontario", 144), ("St. John's, Newfoundland and Labrador", 111),
    ("Chilliwack, British Columbia", 93), ("Prince George, British Columbia", 77), ("Moncton, New Brunswick", 79),
    ("Fredericton, New Brunswick", 63), ("Charlottetown, Prince Edward Island", 39), ("LaSalle, Ontario", 33),
    ("Whitehorse, Yukon", 28), ("Sept-Îles, Quebec", 24), ("Yellowknife, Northwest Territories", 20), ("Iqaluit, Nunavut", 7),
    ("ᐃᖃᓗᐃᑦ, ᓄᓇᕗᑦ", 5), ("多伦多市, 安大略", 5), ("🍁 city, Canada", 5), (HOSTILE, 20), ("x" * 190, 3), ("é" * 190, 3), ("tab\tand \\ city", 3),
]
TOO_LONG = ["x" * 191, "é" * 191, "🍁" * 400]
REFERENCES = ["retweeted", "quoted", "replied_to"]
EPOCH_MS = 1288834974657


def iso(ms):
    t = datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=ms)
    return t.strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}Z"


class Maker:
    def __init__(self, options):
        self.random = random.Random(options.seed)
        self.names = [name for name, _ in CITIES]
        self.weights = [weight for _, weight in CITIES]
        self.serial = 0
        self.recent = []

    def new_id(self, created):
        self.serial += 1
        return str((max(created - EPOCH_MS, 0) << 22) + self.serial)

    def age_ms(self):
        """How much older than its neighbours a post is."""
        r = self.random
        kind = r.random()
        if kind < 0.0001:
            return -r.randint(70_000, 240_000)
        if kind < 0.003:
            return r.randint(10 * 60_000, 60 * 60_000)
        if kind < 0.05:
            return r.randint(5_000, 120_000)
        return r.randint(0, 3_000)

    def post(self, now, place=None, author=None):
        """id, author, created, retweet, place"""
        r = self.random
        place = place or r.choices(self.names, self.weights)[0]
        created = now - self.age_ms()
        author = author or str(10_000_000 + int(4_000 ** r.random()) * 997 + len(place) * 7_919_000)
        return self.new_id(created), author, created, r.random() < 0.3, place

    def object(self, post, **changes):
        """As X sends it; changes go into its data."""
        r = self.random
        post_id, author, created, retweet, place = post
        place_id = f"{abs(hash_of(place)):016x}"
        data = {"author_id": author, "created_at": iso(created), "edit_history_tweet_ids": [post_id],
                "geo": {"place_id": place_id}, "id": post_id, "text": r.choice(["Good morning!", "Bonjour 🍁", "\"quoted\" \\ <b>"])}
        if retweet:
            data["referenced_tweets"] = [{"type": r.choice(REFERENCES), "id": str(int(post_id) - 1)}]
        data.update(changes)
        places = [{"country_code": "CA", "full_name": place, "id": place_id, "place_type": "city"}]
        if r.random() < 0.1:
            places.insert(0, {"country_code": "CA", "full_name": "Canada", "id": "3376992a082d67c7", "place_type": "country"})
        return {"data": data, "includes": {"places": places, "users": [{"id": author, "name": "n", "username": "u"}]},
                "matching_rules": [{"id": "1", "tag": ""}]}

    def odd(self, now):
        """A line that is no post, or none that can be used."""
        r = self.random
        post = self.post(now)
        good = self.object(post)
        kind = r.randrange(13)
        if kind == 0:
            return dump(good)[:r.randint(1, 200)]
        if kind == 1:
            return r.choice(["", "   ", "null", "[]", "{}", "{\"data\":{}}", "not JSON", "{\"data\":\"\\ud800\"}", "{\"a\":1,\"a\":2}"])
        if kind == 2:
            del good["data"]["id"]
        elif kind == 3:
            good["data"]["created_at"] = r.choice(["yesterday", "2022-02-30T00:00:00Z", "1969-12-31T23:59:59Z", 5])
        elif kind == 4:
            good["includes"]["places"][-1]["full_name"] = r.choice(TOO_LONG)
        elif kind == 5:
            del good["data"]["author_id"]
        elif kind == 6:
            good["data"]["created_at"] = "2099-01-01T00:00:00Z"
        elif kind == 7:
            good = {"errors": [{"title": "operational-disconnect", "detail": "of this test"}]}
        elif kind == 8:
            good["includes"]["places"][-1]["full_name"] = "a\0b"
        elif kind in (9, 10):
            del good["includes"]["places"]
        else:
            good["includes"]["places"] = [{"full_name": "Ontario, Canada", "id": good["data"]["geo"]["place_id"], "place_type": "admin"}]
        return dump(good)

    def line(self, now):
        r = self.random
        kind = r.random()
        if kind < 0.005:
            return self.odd(now)
        if kind < 0.015 and self.recent:
            return r.choice(self.recent[-200:] if r.random() < 0.7 else self.recent)
        line = dump(self.object(self.post(now)))
        self.recent.append(line)
        if len(self.recent) > 5_000:
            self.recent = self.recent[2_500:]
        return line


def hash_of(text):
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = ((value ^ byte) * 0x100000001B3) % (1 << 64)
    return value


def dump(thing):
    return json.dumps(thing, ensure_ascii=False, separators=(",", ":"))


def json_form(post, r):
    post_id, author, created, retweet, place = post
    fields = [("author_id", author), ("id", post_id), ("created_at", iso(created)), ("is_retweet", retweet), ("place", place)]
    r.shuffle(fields)
    return json.dumps(dict(fields), ensure_ascii=r.random() < 0.5)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200_000, help="lines [200000]")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--start", default="2022-09-15T03:00:00Z", help="time of the first post")
    parser.add_argument("--span", type=int, default=4 * 3600, help="seconds from the first post to the last [14400]")
    parser.add_argument("--crowd", type=int, default=0, help="posts by as many authors in one city's window")
    parser.add_argument("--crowd-city", default="Toronto, Ontario")
    parser.add_argument("--out", default="-", help="[standard output]")
    parser.add_argument("--json-form", help="file for records in the original's JSON form")
    parser.add_argument("--json-count", type=int, default=1_000)
    options = parser.parse_args()

    start = datetime.datetime.fromisoformat(options.start.replace("Z", "+00:00"))
    start_ms = int(start.timestamp() * 1000)
    step = options.span * 1000 / max(options.count, 1)
    maker = Maker(options)
    # the crowd comes in the second third, within one quarter of an hour
    crowd_ms = (start_ms + options.span * 333) // 900_000 * 900_000 + 60_000
    crowd_at = int((crowd_ms - start_ms) / step) + 1
    with sys.stdout if options.out == "-" else open(options.out, "w", encoding="utf-8") as out:
        if options.out == "-":
            out.reconfigure(encoding="utf-8")
        for i in range(options.count):
            out.write(maker.line(start_ms + int(i * step)) + "\n")
            if options.crowd and i == crowd_at:
                for n in range(options.crowd):
                    created = crowd_ms + n * 600_000 // options.crowd
                    post = (maker.new_id(created), str(7_000_000_000 + n), created, n % 3 == 0, options.crowd_city)
                    out.write(dump(maker.object(post)) + "\n")
    if options.json_form:
        with open(options.json_form, "w", encoding="utf-8") as out:
            for i in range(options.json_count):
                post = maker.post(start_ms + int(i * options.span * 1000 / options.json_count))
                out.write(json_form(post, maker.random) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
