"""Input of take_over.sh, and the recount of it.

take_over.py input COUNT               lines "in TOPIC KEY VALUE TIMESTAMP"
take_over.py check INPUT OUTPUT BASE   OUTPUT as Tool's dump has it; exit code 1 and the first differences
"""
import random
import sys
from collections import Counter

USERS, WINDOW_MS = 20, 1000
LATE_MS, GRACE_MS = 3000, 4000  # so no record is late


def make_input(count):
    r = random.Random(7)
    for i in range(USERS - 3):  # three are not in the table
        print(f"in users u{i} U{i} {i}")
    for i in range(count):
        late = r.randrange(LATE_MS) if r.random() < 0.2 else 0
        print(f"in events u{r.randrange(USERS)} {'abcdefg'[r.randrange(7)]}{i} {4000 + 20 * i - late}")


def unescaped(text):
    out, i = bytearray(), 0
    while i < len(text):
        out.append(int(text[i + 1:i + 3], 16) if text[i] == "%" else ord(text[i]))
        i += 3 if text[i] == "%" else 1
    return bytes(out)


def check(input_path, output_path, base):
    letters, windows, joined = Counter(), Counter(), Counter()
    for line in open(input_path):
        _, topic, key, value, ms = line.split()
        if topic != "events":
            continue
        at = base + int(ms)
        letters[value[0].encode()] += 1
        windows[key.encode() + (at - at % WINDOW_MS).to_bytes(8, "big")] += 1
        user = "U" + key[1:] if int(key[1:]) < USERS - 3 else "~"
        joined[(key, f"{value}+{user}", at)] += 1
    got = {"letters-out": {}, "windows-out": {}}
    got_joined, back, closed, again = Counter(), 0, {}, 0
    for line in open(output_path):
        topic, _, key, value, ms = line.split()
        if topic == "joined-out":
            got_joined[(key, unescaped(value).decode(), int(ms))] += 1
            continue
        n = int.from_bytes(unescaped(value), "big")
        if topic == "closing-out":
            again += unescaped(key) in closed
            closed[unescaped(key)] = n
            continue
        back += n <= got[topic].get(unescaped(key), 0)
        got[topic][unescaped(key)] = n
    bad = back
    if back:
        print(f"take_over: {back} counts have gone back or come twice")
    for name, want, have in (("letters", letters, got["letters-out"]), ("windows", windows, got["windows-out"]),
                             ("joined", joined, got_joined)):
        wrong = [k for k in want.keys() | have.keys() if want.get(k, 0) != have.get(k, 0)]
        bad += len(wrong)
        print(f"take_over: {name}: {len(want)} keys, {sum(want.values())} events, {len(wrong)} wrong")
        for k in wrong[:5]:
            print(f"  {k}: wanted {want.get(k, 0)}, got {have.get(k, 0)}")
    bad += again + check_closed(windows, closed, again)
    return 1 if bad else 0


def check_closed(windows, closed, again):
    """Those that had closed some seconds before the last event, in whichever partition, must have come."""
    def start(k):
        return int.from_bytes(k[-8:], "big")

    last = max(map(start, windows))
    must = [k for k in windows if start(k) + WINDOW_MS + GRACE_MS <= last - 2 * WINDOW_MS]
    wrong = [k for k in set(must) | closed.keys() if closed.get(k, 0) != windows.get(k, 0)]
    print(f"take_over: closing: {len(closed)} results of {len(windows)} windows, {len(must)} of which had to come, "
          f"{again} twice, {len(wrong)} wrong")
    for k in wrong[:5]:
        print(f"  {k}: wanted {windows.get(k, 0)}, got {closed.get(k, 0)}")
    return len(wrong)


if __name__ == "__main__":
    if sys.argv[1] == "input":
        make_input(int(sys.argv[2]))
    else:
        sys.exit(check(sys.argv[2], sys.argv[3], int(sys.argv[4])))
