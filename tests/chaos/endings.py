"""What nobody can go on after: a topic is deleted under the running instances. Each must say so and stop, and must not
count from nothing when it is started again."""
import re
import socket
import struct
import time

import audit
import cluster
from cluster import check, harness

GIVE_UP_S = 90


def delete_topic(topic):
    """DeleteTopics (20) version 1, which kcat does not speak."""
    host, port = harness.need("WEIR_TEST_BOOTSTRAP").rsplit(":", 1)
    name = topic.encode()
    with socket.create_connection((host, int(port)), 30) as s, s.makefile("rb") as answer:
        request = struct.pack(">hhih", 20, 1, 1, -1) + struct.pack(">ih", 1, len(name)) + name + struct.pack(">i", 20_000)
        s.sendall(struct.pack(">i", len(request)) + request)
        data = answer.read(struct.unpack(">i", answer.read(4))[0])
    error, = struct.unpack(">h", data[-2:])
    check(error == 0, f"DeleteTopics {topic}: error {error}")


def wait_for_end(c, instance, wanted):
    process = instance.process
    harness.wait_until(f"{instance.name} to give up ({process.log})", GIVE_UP_S, lambda: not process.running())
    error, code = cluster.error_of(process), process.popen.returncode
    check(code == 1 and re.search(wanted, error), f"{process.log}: ended with {code}, wanted 1 and \"{wanted}\": {error}")
    return error


def deleted_under_it(c, topic, wanted, again):
    """All instances run, with posts coming in, while the topic goes; then they are started once more."""
    c.say(f"deleted under the instances: {topic}")
    instances = c.instances[:cluster.INSTANCES]
    for instance in instances:
        instance.held = True  # nobody starts it again
    delete_topic(topic)
    errors = {wait_for_end(c, i, wanted) for i in instances}
    for error in errors:
        c.say(f"  they say: {error}")
    for instance in instances:
        instance.start()
        instance.held = True
    for error in {wait_for_end(c, i, again) for i in instances}:
        c.say(f"  started again: {error}")


def begin_anew(c, seed):
    """As the message tells: reset, which also takes the posts; then all goes well again."""
    harness.wait_until("reset", 60, lambda: c.case.reset(c.app), 2)  # a member that ended badly counts for a while
    for instance in c.instances:
        instance.forget()
    c.app.run("ingest", "--source", "file:/dev/null", "--exit-at-end", log="topics")
    for instance in c.instances[:cluster.INSTANCES]:
        instance.start()
    c.start_load(seed)
    time.sleep(5)
    c.wait_until_current(60)


def end_load(c):
    """Where its topic is gone, ingest may wait, or have ended with the reason."""
    process = c.ingest
    if process.running():
        process.kill()
    elif process.popen.returncode != 0:
        error = cluster.error_of(process)
        c.say(f"  ingest has ended: {error}")
        check(c.app.topic in error, f"ingest does not say why it has ended, {process.log}: {error}")


def run(c):
    changelog = f"{c.app.id}-cities-changelog"
    c.start_load(c.seed + 2)
    time.sleep(3)
    deleted_under_it(c, changelog, re.escape(changelog), re.escape(changelog) + ".*reset the application")
    c.stop_load()
    begin_anew(c, c.seed + 3)
    c.say("reset, and all goes well again")
    deleted_under_it(c, c.app.topic, re.escape(c.app.topic), "no committed position for its input.*reset the application")
    end_load(c)
    begin_anew(c, c.seed + 4)
    c.stop_load()
    counted = audit.recounted(c)
    audit.wait_for_rows(c, counted.rows, "rows after a second reset")
