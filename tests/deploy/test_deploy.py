#!/usr/bin/env python3
"""What is in deploy/ against the code: dashboards and alerts name metrics that exist, environments name keys that
exist, JSON and YAML can be read.

The names come from docs/metrics.md and docs/config.md, which another test holds to the tables in the code.
"""
import json
import pathlib
import re
import sys
import unittest

try:
    import yaml  # where it is installed, it reads the whole of each file
except ImportError:
    yaml = None

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
PROMQL = {"rate", "increase", "deriv", "sum", "max", "min", "avg", "count", "histogram_quantile", "by", "without", "on",
          "ignoring", "or", "and", "unless", "vector", "bool", "time"}
OTHERS = {"up"}  # Prometheus' own


# --- what exists ------------------------------------------------------------------------------------------------

def metrics_known():
    """name -> kind"""
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|", (ROOT / "docs/metrics.md").read_text(), re.M)
    return dict(rows)


def series_known(metrics):
    """Names as they are scraped."""
    names = set(OTHERS)
    for name, kind in metrics.items():
        names |= {name + end for end in ("_bucket", "_sum", "_count")} if kind == "histogram" else {name}
    return names


def variables_known():
    keys = re.findall(r"^\| `([a-z.]+)` \|", (ROOT / "docs/config.md").read_text(), re.M)
    return {"WEIR_" + key.upper().replace(".", "_") for key in keys}


# --- PromQL -----------------------------------------------------------------------------------------------------

def names_in(expression):
    """The series that an expression asks for."""
    plain = re.sub(r"\{[^}]*\}|\[[^]]*\]", "", expression)            # matchers, ranges
    plain = re.sub(r"\b(by|without|on|ignoring)\s*\([^)]*\)", "", plain)  # labels
    return [name for name in re.findall(r"(?<![\w.])[a-zA-Z_:][\w:]*", plain) if name not in PROMQL]


def faults_of(expression, known):
    faults = [f"{name}: no such metric" for name in names_in(expression) if name not in known]
    for name in re.findall(r"\b\w+_(?:total|bucket|sum|count)\b", expression):
        if not re.search(r"\b(rate|increase)\(" + name, expression):
            faults.append(f"{name}: a counter says something by rate() or increase() alone")
    if expression.count("(") != expression.count(")"):
        faults.append("parentheses do not match")
    return faults


# --- YAML without a library --------------------------------------------------------------------------------------

def yaml_faults(text):
    """The mistakes that are made in these files: tabs, odd indentation, lines that are neither key nor item."""
    faults, block = [], None
    for number, line in enumerate(text.split("\n"), 1):
        indent = len(line) - len(line.lstrip(" "))
        body = line.strip()
        if block is not None and (not body or indent > block):
            continue
        block = None
        if not body or body.startswith("#") or body == "---":
            continue
        if "\t" in line:
            faults.append(f"{number}: a tab")
        if indent % 2:
            faults.append(f"{number}: indented by {indent}")
        while body.startswith("- "):
            body, indent = body[2:].strip(), indent + 2
        is_item = line.strip().startswith("- ")
        if not is_item and not re.match(r"""("[^"]*"|[^\s"'{\[][^:]*|<<):(\s|$)""", body):
            faults.append(f"{number}: neither a key nor an item: {body}")
        for opening, closing in ("{}", "[]"):
            if re.sub(r'"(\\.|[^"\\])*"', "", body).count(opening) != re.sub(r'"(\\.|[^"\\])*"', "", body).count(closing):
                faults.append(f"{number}: {opening}{closing} do not match")
        if re.search(r":\s*[>|][+-]?$", body):
            block = indent
    return faults


def yaml_files():
    return sorted(p for pattern in ("*.yaml", "*.yml") for p in DEPLOY.rglob(pattern))


class Deploy(unittest.TestCase):
    def test_dashboard_names_metrics_that_exist(self):
        dashboard = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
        expressions = [t["expr"] for panel in dashboard["panels"] for t in panel.get("targets", [])]
        known = series_known(metrics_known())
        self.assertGreater(len(expressions), 20)
        for expression in expressions:
            self.assertEqual(faults_of(expression, known), [], expression)

    def test_dashboard_shows_every_metric(self):
        text = (DEPLOY / "grafana-dashboard.json").read_text()
        self.assertEqual([name for name in metrics_known() if name not in text], [])

    def test_panels_have_numbers_of_their_own_and_do_not_overlap(self):
        panels = json.loads((DEPLOY / "grafana-dashboard.json").read_text())["panels"]
        self.assertEqual(len({panel["id"] for panel in panels}), len(panels))
        cells = set()
        for panel in panels:
            g = panel["gridPos"]
            self.assertLessEqual(g["x"] + g["w"], 24, panel["title"])
            for cell in ((x, y) for x in range(g["x"], g["x"] + g["w"]) for y in range(g["y"], g["y"] + g["h"])):
                self.assertNotIn(cell, cells, panel["title"])
                cells.add(cell)

    def test_alerts_name_metrics_that_exist(self):
        text = (DEPLOY / "prometheus-rules.yml").read_text()
        rules = re.findall(r"expr: (?:>-\n((?: {10}.*\n)+)|(.*)\n)", text)
        known = series_known(metrics_known())
        self.assertEqual(len(rules), text.count("alert:"))
        for folded, single in rules:
            expression = " ".join(folded.split()) or single
            self.assertEqual(faults_of(expression, known), [], expression)

    def test_yaml_can_be_read(self):
        self.assertGreater(len(yaml_files()), 6)
        for path in yaml_files():
            text = path.read_text()
            self.assertEqual(yaml_faults(text), [], path)
            if yaml:
                documents = list(yaml.safe_load_all(text))
                self.assertTrue(all(isinstance(d, dict) for d in documents), path)

    def test_environments_name_keys_that_exist(self):
        known, seen = variables_known(), 0
        for path in [*yaml_files(), *DEPLOY.glob("Dockerfile"), *DEPLOY.glob("*.sh")]:
            for name in re.findall(r"\bWEIR_[A-Z_]+", path.read_text()):
                seen += 1
                self.assertIn(name, known, path)
        self.assertGreater(seen, 20)

    def test_resources_of_kustomize_are_there(self):
        folder = DEPLOY / "kubernetes"
        named = re.findall(r"^  - (\S+\.yaml)$", (folder / "kustomization.yaml").read_text(), re.M)
        self.assertEqual(sorted(named), sorted(p.name for p in folder.glob("*.yaml") if p.name != "kustomization.yaml"))


class Checks(unittest.TestCase):
    """The checks find what they are for."""
    known = {"up", "weir_state", "weir_commits_total", "weir_commit_seconds_bucket"}

    def test_a_metric_that_does_not_exist_is_found(self):
        self.assertTrue(faults_of("sum by (instance) (weir_stat)", self.known))
        self.assertTrue(faults_of("weir_state or node_load1", self.known))

    def test_a_counter_as_it_is_is_found(self):
        self.assertTrue(faults_of("sum(weir_commits_total)", self.known))

    def test_what_is_right_is_not_found(self):
        for right in ('weir_state{instance=~"a.*"} == 5', "sum(rate(weir_commits_total[5m])) > 1e6",
                      "histogram_quantile(0.99, sum by (le) (rate(weir_commit_seconds_bucket[$__rate_interval])))"):
            self.assertEqual(faults_of(right, self.known), [])

    def test_bad_yaml_is_found(self):
        for bad in ("a:\n\tb: 1\n", "a:\n   b: 1\n", "a: 1\nno key\n", "a: [1, 2\n", "a: {b: 1\n"):
            self.assertTrue(yaml_faults(bad), bad)

    def test_good_yaml_is_not(self):
        self.assertEqual(yaml_faults('a: &x\n  - b\n  - c: "d: e" # f\n    g: [1, 2]\nh: >-\n   any thing\n\ni: |\n  x\n'), [])


if __name__ == "__main__":
    result = unittest.main(argv=sys.argv[:1], exit=False).result
    bad = len(result.failures) + len(result.errors)
    print(f"[  PASSED  ] {result.testsRun - bad} test(s).")
    if bad:
        print(f"[  FAILED  ] {bad} test(s).")
    sys.exit(bad > 0)
