"""A small WebDriver client (https://www.w3.org/TR/webdriver2/) over Python's own library: enough to drive Chromium."""

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
KEYS = {"tab": "\ue004", "enter": "\ue007", "escape": "\ue00c", "space": " ", "shift": "\ue008"}


def missing():
    """The name of the first program that is needed and not there, or None."""
    for name in ("chromium", "chromedriver"):
        if not shutil.which(name):
            return name
    return None


class Failure(Exception):
    """What the browser or its driver answered instead of doing it."""


class Browser:
    """One Chromium with a profile of its own; use it in a with statement."""

    def __init__(self, width=1280, height=900):
        self._profile = tempfile.TemporaryDirectory(prefix="evilnet-browser-")
        self._driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                        text=True, start_new_session=True)
        port = None
        for line in self._driver.stdout:
            if "started successfully on port" in line:
                port = line.split("port")[-1].strip(" .\n")
                break
        if not port:
            raise Failure("chromedriver did not start")
        self._base = f"http://127.0.0.1:{port}"
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                     "--disable-background-networking", "--disable-component-update", "--disable-sync",
                     "--disable-dev-shm-usage", "--hide-scrollbars", f"--user-data-dir={self._profile.name}",
                     f"--window-size={width},{height}", "--lang=en-CA"]
        session = self._call("POST", "/session", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {"args": arguments, "binary": shutil.which("chromium")},
            "goog:loggingPrefs": {"browser": "ALL"},
        }}})
        self._base += "/session/" + session["sessionId"]
        self.devtools("Emulation.setTimezoneOverride", timezoneId="America/Toronto")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self._call("DELETE", "")
        except (Failure, OSError):
            pass
        self._driver.terminate()
        self._driver.wait()
        self._profile.cleanup()

    def _call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._base + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise Failure(json.load(error)["value"]["message"]) from None

    def devtools(self, command, **parameters):
        return self._call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def open(self, url):
        self._call("POST", "/url", {"url": url})

    def url(self):
        return self._call("GET", "/url")

    def run(self, script, *arguments):
        """Runs the body of a function in the page and returns what it returns."""
        return self._call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def find(self, selector):
        found = self._call("POST", "/element", {"using": "css selector", "value": selector})
        return found[ELEMENT]

    def click(self, selector):
        self._call("POST", f"/element/{self.find(selector)}/click", {})

    def type(self, selector, text):
        self._call("POST", f"/element/{self.find(selector)}/value", {"text": text})

    def press(self, *names):
        """Presses keys one after the other, wherever the focus is: names from KEYS, or text."""
        actions = []
        for name in names:
            for key in [KEYS[name]] if name in KEYS else name:
                actions += [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]
        self._call("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def text(self, selector):
        return self.run("return document.querySelector(arguments[0])?.innerText ?? null", selector)

    def count(self, selector):
        return self.run("return document.querySelectorAll(arguments[0]).length", selector)

    def size(self, width, height, scale=1):
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale,
                      mobile=width < 600)

    def media(self, **features):
        """media(prefers_color_scheme="dark")"""
        self.devtools("Emulation.setEmulatedMedia",
                      features=[{"name": name.replace("_", "-"), "value": value} for name, value in features.items()])

    def wait(self, what, condition, seconds=10):
        """Until condition(), a function or a script's text, is true; returns what it gave."""
        end = time.monotonic() + seconds
        while True:
            value = condition() if callable(condition) else self.run(f"return ({condition})")
            if value:
                return value
            if time.monotonic() > end:
                raise Failure(f"waited {seconds} s in vain for: {what}")
            time.sleep(0.1)

    def complaints(self):
        """Errors in the browser's console since the last call: exceptions, what the content policy refused, missing files."""
        log = self._call("POST", "/se/log", {"type": "browser"})
        return [line["message"] for line in log if line["level"] == "SEVERE"]

    def screenshot(self, path, whole=True):
        parameters = {"format": "png", "captureBeyondViewport": whole}
        if whole:
            page = self.devtools("Page.getLayoutMetrics")["cssContentSize"]
            parameters["clip"] = {"x": 0, "y": 0, "width": page["width"], "height": page["height"], "scale": 1}
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.devtools("Page.captureScreenshot", **parameters)["data"]))
