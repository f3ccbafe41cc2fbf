"""The faults. Each is a generator: up to a `yield` it does something, and yields how many seconds to wait, or a
condition to wait for, and for how long at most."""
import os
import signal
import time

from cluster import SESSION_S, STARTS, STOP_S, check


def kill(c, r, i):
    """SIGKILL of an instance, which comes back with its state"""
    i.kill()
    yield r.choice([0, r.uniform(0, 3), r.uniform(0, 2 * SESSION_S)])
    i.start()


def hang(c, r, i):
    """SIGSTOP for longer than the session timeout, then SIGCONT: a zombie"""
    i.signal(signal.SIGSTOP)
    yield SESSION_S + r.uniform(1, 7)
    i.signal(signal.SIGCONT)
    yield 1


def term(c, r, i):
    """SIGTERM of an instance, which must end well, and a new start"""
    i.held = True
    i.signal(signal.SIGTERM)
    yield lambda: not i.running(), STOP_S
    check(not i.running(), f"instance {i.name} has not ended {STOP_S} s after SIGTERM, {i.process.log}")
    code = i.process.popen.returncode
    # that is how it ends while it still starts, before it has said a word
    unbegun = code in (-signal.SIGTERM, 128 + signal.SIGTERM) and len(i.process.text().splitlines()) == 1
    if code != 0 and not unbegun and not (c.kafka.recent or i.cut):
        c.unexplained.append(f"{i.name} ended with {code} after SIGTERM, {i.process.log}")
    yield r.uniform(0, 3)
    i.start()


def scale(c, r, i):
    """One more instance comes, and goes"""
    i.start()
    yield r.uniform(6, 15)
    yield from leave(c, i)


def leave(c, i):
    i.held = True
    i.signal(signal.SIGTERM)
    yield lambda: not i.running(), STOP_S
    check(not i.running(), f"instance {i.name} has not ended {STOP_S} s after SIGTERM, {i.process.log}")
    i.process = None


def restart_service(how):
    def fault(c, r, service):
        service.tell(how)
        yield service.ready, 60
        yield r.choice([0, r.uniform(0, 8)])
        for _ in range(STARTS):
            service.tell("start")
            yield service.ready, 120
            if service.done():
                return
            c.say(f"  {service.name} has not started")
        check(False, f"{service.name} does not come back: {service.said()}")
    return fault


def cut(how):
    def fault(c, r, i):
        i.last_cut = time.monotonic()
        c.proxy.tell(how, i.port)
        yield r.choice([r.uniform(1, 4), r.uniform(SESSION_S, 3 * SESSION_S)])
        c.proxy.tell("heal", i.port)
        i.last_cut = time.monotonic()
        yield 1
    return fault


def full_disk(c, r, i):
    """The disk of a state directory is full, until somebody makes room"""
    path = os.path.join(i.dir, "filler")
    i.last_full = time.monotonic()
    with open(path, "wb", buffering=0) as f:
        try:
            while True:
                f.write(b"\1" * (1 << 16))
        except OSError:
            pass
    was = i.process
    yield lambda: not was.running(), r.uniform(6, 12)
    yield 1
    i.last_full = time.monotonic()
    os.unlink(path)
    yield lambda: i.running(), 5


def corrupt(c, r, i):
    """Bytes of the database's files are flipped while the instance is down"""
    i.kill()
    yield 0.2
    files = i.files()
    tables = [f for f in files if f.endswith(".sst")]
    chosen = [r.choice(tables if tables and r.random() < 0.6 else files) for _ in range(r.randint(1, 3))] if files else []
    i.spoilt = bool(chosen)
    for path in chosen:
        with open(path, "r+b") as f:
            data = bytearray(f.read())
            if not data:
                continue
            for _ in range(r.randint(1, 40)):
                at = r.randrange(len(data))
                data[at] ^= r.randint(1, 255)
            f.seek(0)
            f.write(data)
    c.say(f"  flipped bytes of {', '.join(os.path.basename(p) for p in chosen) or 'nothing: there is no file'}")
    i.start()
    yield 2


def delete(c, r, i):
    """The state directory is deleted while the instance is down"""
    i.kill()
    yield 0.2
    i.forget()
    i.start()


# name: what it acts on, the fault, what is said about it
KINDS = {
    "kill": ("instance", kill, "SIGKILL of an instance"),
    "hang": ("instance", hang, "SIGSTOP for longer than the session, SIGCONT"),
    "term": ("instance", term, "SIGTERM and a new start"),
    "scale": ("extra", scale, "one more instance comes and goes"),
    "broker-restart": ("kafka", restart_service("stop"), "SIGTERM of the broker and a new start"),
    "broker-kill": ("kafka", restart_service("kill"), "SIGKILL of the broker and a new start"),
    "net-freeze": ("instance", cut("freeze"), "nothing goes through between an instance and the broker"),
    "net-reset": ("instance", cut("reset"), "connections to the broker are reset"),
    "mysql-restart": ("mysql", restart_service("stop"), "SIGTERM of MariaDB and a new start"),
    "mysql-kill": ("mysql", restart_service("kill"), "SIGKILL of MariaDB and a new start"),
    "full-disk": ("instance", full_disk, "the disk of a state directory is full"),
    "corrupt": ("instance", corrupt, "bytes flipped in a state directory"),
    "delete": ("instance", delete, "a state directory deleted"),
}
