#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds deploy/ to the programs: every metric, label, flag and file that it names is one that there is.

check_deploy.py TREE BIN_DIR             fails, and names each thing that is wrong
check_deploy.py TREE BIN_DIR --write     makes deploy/prometheus/prometheusrule.yaml anew first
check_deploy.py TREE BIN_DIR --selftest  breaks a copy of deploy/ in every way that is looked for, and wants each found

Metrics and their labels are those of the table in docs/metrics.md, which the test `docs_tables` checks; flags those of
BIN_DIR's programs. Needs python3-yaml (exit code 77 without). Queries are parsed, and alerts tested, where there is promtool:
installed, or in BIN_DIR/../tools, where scripts/promtool.sh puts it.
"""

import argparse
import functools
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

try:
    import yaml
except ImportError:
    print("deploy: SKIPPED: there is no PyYAML: apt-get install python3-yaml", file=sys.stderr)
    sys.exit(77)

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the former is ten times as fast

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import dashboard  # noqa: E402

# Of Prometheus' own, and those that Kubernetes' discovery adds.
OWN_METRICS = {"up": set()}
TARGET_LABELS = {"job", "instance", "namespace", "pod"}


@functools.cache
def flags_of(program, *command):
    run = subprocess.run([program, *command, "--help"], capture_output=True, text=True, check=True)
    return set(re.findall(r"^  --(\w+)", run.stdout, re.M))


@functools.cache
def defaults_of(program):
    run = subprocess.run([program, "--help_markdown"], capture_output=True, text=True, check=True)
    return dict(re.findall(r"^[|] `--(\w+)\S*` [|] `(.*?)` [|]", run.stdout, re.M))


def promtool_of(bin_dir):
    """The program, or None."""
    return shutil.which("promtool") or shutil.which(pathlib.Path(bin_dir).resolve().parent / "tools/promtool")


def strings(value):
    """The strings of a document, those of the patches that are text within it included."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from strings(yaml.safe_load(inner) if key == "patch" else inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)
    elif isinstance(value, str):
        yield value


class Check:
    def __init__(self, tree, bin_dir):
        self.tree, self.bin_dir = pathlib.Path(tree), pathlib.Path(bin_dir).resolve()
        self.deploy = self.tree / "deploy"
        self.problems = []
        self.checked = {}

    def problem(self, where, what):
        self.problems.append(f"{where}: {what}")

    def count(self, what, number=1):
        self.checked[what] = self.checked.get(what, 0) + number

    def documents(self, path):
        """The YAML documents of a file; none, and a problem, where it is not YAML."""
        try:
            return [document for document in yaml.load_all(path.read_text(), Loader) if document is not None]
        except (OSError, yaml.YAMLError) as error:
            self.problem(path.relative_to(self.tree), f"is not YAML: {' '.join(str(error).split())}")
            return []

    def json(self, path):
        try:
            return json.loads(path.read_text())
        except (OSError, ValueError) as error:
            self.problem(path.relative_to(self.tree), f"is not JSON: {error}")
            return None

    # What there is.

    def metrics(self):
        """name: labels, histograms by the names of their series."""
        text = (self.tree / "docs/metrics.md").read_text()
        table = re.search(r"<!-- table: metrics -->\n(.*?)<!-- end of table -->", text, re.S)
        known = dict(OWN_METRICS)
        for name, kind, labels in re.findall(r"^\| `(\w+)` \| (\w+) \| ([^|]*?) ?\|", table[1], re.M):
            labels = {label.strip() for label in labels.split(",") if label.strip()}
            if kind == "histogram":
                known[name + "_bucket"] = labels | {"le"}
                known[name + "_sum"] = known[name + "_count"] = labels
            else:
                known[name] = labels
        return known

    def flags(self, *command):
        return flags_of(self.bin_dir / command[0], *command[1:])

    # What is named.

    def rules(self):
        groups = [group for document in self.documents(self.deploy / "prometheus/rules.yml") for group in document["groups"]]
        return [rule for group in groups for rule in group["rules"]]

    def queries(self):
        """(where, query) of rules, dashboard and adapter, with the variables of dashboard and adapter filled in."""
        for rule in self.rules():
            yield f"deploy/prometheus/rules.yml: {rule.get('alert') or rule.get('record')}", rule["expr"]
        board = self.json(self.deploy / "grafana/dashboards/heed.json")
        if board:
            for panel, target in dashboard.targets(board):
                yield f"heed.json: {panel['title']}: {target['refId']}", dashboard.substitute(target["expr"])
        for document in self.documents(self.deploy / "kubernetes/components/autoscaling/adapter-values.yaml"):
            for rule in document["rules"]["custom"]:
                yield "adapter-values.yaml: seriesQuery", rule["seriesQuery"]
                yield "adapter-values.yaml: metricsQuery", dashboard.substitute_adapter(rule["metricsQuery"])
        for path in self.deploy.rglob("scaledobject.yaml"):
            yield str(path.relative_to(self.tree)), self.keda_query(path)

    @staticmethod
    def keda_query(path):
        """The query of a ScaledObject, or of a chart's template of one, for the pods of any matchers."""
        text = path.read_text()
        # Between the metrics' braces stand matchers: kept where they are text, "pods" where the chart makes them.
        text = re.sub(r"\{ *\{\{- \$pods -\}\} *\}", '{pod="pods"}', text)
        lines = re.search(r"^( +)query: >-\n((?:\1  .*\n)+)", text, re.M)
        return " ".join(lines[2].split())

    def check_keda(self):
        """Every ScaledObject asks for the same: what stands in components/keda, and what the adapter's rule means."""
        queries = {path: re.sub(r"\{[^}]*\}", "", self.keda_query(path)) for path in self.deploy.rglob("scaledobject.yaml")}
        first = queries[self.deploy / "kubernetes/components/keda/scaledobject.yaml"]
        for path, query in queries.items():
            self.count("ScaledObjects")
            if query != first:
                self.problem(path.relative_to(self.tree), "its query is not that of components/keda")

    def check_kserve(self):
        """Every InferenceService is one that the runtime takes, and its port one that the runtime listens on."""
        directory = self.deploy / "kserve"
        runtime = self.documents(directory / "clusterservingruntime.yaml")[0]
        container = runtime["spec"]["containers"][0]
        ports = dict(re.findall(r"--(\w*listen)=:(\d+)", " ".join(container["args"])))
        annotated = runtime["spec"]["annotations"]["prometheus.kserve.io/port"]
        probed = {str(container[probe]["httpGet"]["port"]) for probe in ("startupProbe", "readinessProbe", "livenessProbe")}
        if {annotated, *probed} != {ports["metrics_listen"]}:
            self.problem("deploy/kserve/clusterservingruntime.yaml",
                         f"metrics are at {ports['metrics_listen']}, but it names {sorted({annotated, *probed})}")
        formats = {one["name"] for one in runtime["spec"]["supportedModelFormats"]}
        for path in directory.glob("*.yaml"):
            for document in self.documents(path):
                if document.get("kind") != "InferenceService":
                    continue
                self.count("InferenceServices")
                where = path.relative_to(self.tree)
                model = document["spec"]["predictor"]["model"]
                if model["runtime"] != runtime["metadata"]["name"] or model["modelFormat"]["name"] not in formats:
                    self.problem(where, f"the runtime does not take the format {model['modelFormat']['name']}")
                flag, name = {"grpc-v2": ("listen", "h2c"), "v2": ("http_listen", "http1")}[model["protocolVersion"]]
                port = model["ports"][0]
                if port["name"] != name or str(port["containerPort"]) != ports[flag]:
                    self.problem(where, f"{model['protocolVersion']} is at port {ports[flag]}, which KServe wants named {name}")
                if not (self.tree / "weights" / model["storageUri"].rsplit("/", 1)[1] / "config.json").exists():
                    self.problem(where, f"there is no model directory for {model['storageUri']}")

    def check_queries(self):
        known = self.metrics()
        recorded = {rule["record"] for rule in self.rules() if "record" in rule}
        for where, query in self.queries():
            self.count("queries")
            # Selectors' and aggregations' labels and strings aside, what looks like a metric is one.
            for name, matchers in re.findall(r"([a-zA-Z_][\w:]*)\s*(\{[^}]*\})?", re.sub(r'"[^"]*"', '""', query)):
                if ":" in name:
                    if name not in recorded:
                        self.problem(where, f"there is no recording rule {name}")
                elif re.match(r"(heed|process)_", name) or matchers:
                    if name not in known:
                        self.problem(where, f"there is no metric {name}")
                        continue
                    for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers):
                        if label not in known[name] | TARGET_LABELS:
                            self.problem(where, f"{name} has no label {label}")
            every_label = set().union(*known.values()) | TARGET_LABELS
            for labels in re.findall(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)", query):
                for label in filter(None, (label.strip() for label in labels.split(","))):
                    if label not in every_label:
                        self.problem(where, f"no metric has a label {label}")
        # Prose may name a metric without its suffixes, fields of a model directory's tokenizer_config.json, and Spark's column.
        stems = set(known) | {re.sub(r"_(bucket|sum|count)$", "", name) for name in known}
        stems |= {"heed_tasks_per_thread", "heed_tokenization", "heed_blank", "heed_error"}
        pages = sorted((self.tree / "docs").glob("*.md"))
        for path in [self.tree / "README.md", *pages, self.deploy / "prometheus/README.md"]:
            for name in re.findall(r"`(heed_\w+|process_\w+)(?:\{[^`]*)?`", path.read_text()):
                self.count("metrics in prose")
                if name not in stems and not (self.tree / "client/python" / name).exists():
                    self.problem(path.relative_to(self.tree), f"there is no metric {name}")

    def check_promtool(self):
        promtool = promtool_of(self.bin_dir)
        if promtool is None:
            print("deploy: SKIPPED: queries are not parsed and alerts not tested: there is no promtool: scripts/promtool.sh",
                  file=sys.stderr)
            return
        with tempfile.TemporaryDirectory() as work:
            path = os.path.join(work, "queries.yml")
            queries = list(self.queries())
            with open(path, "w", encoding="utf-8") as file:
                rules = [{"record": f"query:{number}", "expr": query} for number, (_, query) in enumerate(queries)]
                yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}, file)
            directory = self.deploy / "prometheus"
            for command, what in [(["check", "rules", path], "the queries"),
                                  (["check", "config", directory / "prometheus.yml"], "prometheus.yml"),
                                  (["test", "rules", directory / "rules_test.yml"], "the alerts' tests")]:
                run = subprocess.run([promtool, *command], capture_output=True, text=True, check=False)
                self.count("promtool runs")
                if run.returncode != 0:
                    text = (run.stdout + run.stderr).strip()
                    text = re.sub(r"query:(\d+)", lambda match: f"{match[0]} ({queries[int(match[1])][0]})", text)
                    self.problem("promtool", f"{what}: {text}")

    def check_dashboard(self):
        board = self.json(self.deploy / "grafana/dashboards/heed.json")
        if not board:
            return
        taken, ids = {}, set()
        variables = {variable["name"] for variable in board["templating"]["list"]}
        for panel in board["panels"]:
            where = f"heed.json: {panel['title']}"
            self.count("panels")
            if panel["id"] in ids:
                self.problem(where, f"its id {panel['id']} is another panel's, too")
            ids.add(panel["id"])
            place = panel["gridPos"]
            if place["x"] + place["w"] > 24:
                self.problem(where, "leaves the grid of 24 columns")
            for column in range(place["x"], place["x"] + place["w"]):
                for line in range(place["y"], place["y"] + place["h"]):
                    other = taken.setdefault((column, line), panel["title"])
                    if other != panel["title"]:
                        self.problem(where, f"covers {other}")
                        break
            if panel["type"] != "row" and not panel.get("description"):
                self.problem(where, "has no description")
            for target in panel.get("targets", []):
                for variable in re.findall(r"\$\{?(\w+)", target["expr"]):
                    if variable not in variables and not variable.startswith("__"):
                        self.problem(where, f"there is no variable {variable}")

    def check_alerts(self):
        alerts = [rule for rule in self.rules() if "alert" in rule]
        told = re.findall(r"^### (\w+)$", (self.deploy / "prometheus/README.md").read_text(), re.M)
        tested = {}
        for document in self.documents(self.deploy / "prometheus/rules_test.yml"):
            for test in document["tests"]:
                for case in test["alert_rule_test"]:
                    tested.setdefault(case["alertname"], []).append(bool(case["exp_alerts"]))
        for alert in alerts:
            name = alert["alert"]
            self.count("alerts")
            where = f"deploy/prometheus/rules.yml: {name}"
            if name not in told:
                self.problem(where, "deploy/prometheus/README.md does not say what to do about it")
            if set(tested.get(name, [])) != {True, False}:
                self.problem(where, "rules_test.yml has not both a case that sets it off and one that does not")
            annotations = alert.get("annotations", {})
            if annotations.get("runbook") != f"deploy/prometheus/README.md#{name.lower()}":
                self.problem(where, f"its runbook is not deploy/prometheus/README.md#{name.lower()}")
            for key in ("summary", "description"):
                if not annotations.get(key):
                    self.problem(where, f"has no {key}")
            if alert.get("labels", {}).get("severity") not in ("critical", "warning"):
                self.problem(where, "its severity is neither critical nor warning")
        for name in set(told) - {alert["alert"] for alert in alerts}:
            self.problem("deploy/prometheus/README.md", f"there is no alert {name}")

    def command_lines(self):
        """(path, words) of the command lines of heed-server and heed."""
        path = self.deploy / "Dockerfile"
        for words in re.findall(r"^\s*(?:ENTRYPOINT|CMD) (\[.*\])$", path.read_text(), re.M):
            yield path, json.loads(words)
        path = self.tree / "docker-compose.yml"
        for document in self.documents(path):
            heed = document["services"]["heed"]
            yield path, heed["command"]
            yield path, heed["healthcheck"]["test"]
        for path in (*self.deploy.glob("kubernetes/**/*.yaml"), *self.deploy.glob("kserve/*.yaml")):
            for document in self.documents(path):
                yield path, list(strings(document))
        for path in (self.deploy / "helm/heed/templates").glob("*.yaml"):
            yield path, re.findall(r"^\s*- (--\w+=.*)$", path.read_text(), re.M)

    def check_flags(self):
        server = self.flags("heed-server")
        client = self.flags("heed", "health")
        helm = self.deploy / "helm/heed"
        for path, words in self.command_lines():
            known = client if "health" in words else server
            for word in words:
                flag = re.match(r"--(\w+)=", word)
                if flag:
                    self.count("flags")
                    if flag[1] not in known:
                        self.problem(path.relative_to(self.tree), f"there is no flag --{flag[1]}")
        for path in [helm / "values.yaml", *helm.glob("ci/*.yaml")]:
            for document in self.documents(path):
                for flag in document.get("flags", {}):
                    self.count("flags")
                    if flag not in server:
                        self.problem(path.relative_to(self.tree), f"there is no flag --{flag}")
        _, literals = self.kustomized(self.deploy / "kubernetes/base")
        for name in re.findall(r"\$\((\w+)\)", (self.deploy / "kubernetes/base/deployment.yaml").read_text()):
            if name not in literals:
                self.problem("deploy/kubernetes/base/deployment.yaml", f"heed-flags has no {name}")

    def kustomized(self, directory):
        """(seconds of grace, heed-flags' literals) of a kustomization: its own, then those of what it names."""
        grace, literals = None, {}
        for document in self.documents(directory / "kustomization.yaml"):
            for name in (*document.get("resources", []), *document.get("components", [])):
                if (directory / name).is_dir():
                    below = self.kustomized(directory / name)
                    grace = below[0] or grace
                    literals |= below[1]
            for generator in document.get("configMapGenerator", []):
                if generator["name"] == "heed-flags":
                    literals |= dict(line.split(" ")[0].split("=", 1) for line in generator["literals"])
            patches = [self.documents(directory / patch["path"]) if "path" in patch else [yaml.safe_load(patch["patch"])]
                       for patch in document.get("patches", [])]
            files = [self.documents(directory / name) for name in document.get("resources", []) if (directory / name).is_file()]
            for one in [one for documents in files + patches for one in documents]:
                if isinstance(one, dict) and one.get("kind") == "Deployment":
                    grace = one["spec"]["template"]["spec"].get("terminationGracePeriodSeconds", grace)
        return grace, literals

    def check_grace(self):
        """Kubernetes and Docker kill what is not done when its grace is over."""
        def check(where, grace, lame_duck_s, drain_timeout_s):
            self.count("graces")
            if float(lame_duck_s) + float(drain_timeout_s) >= grace:
                self.problem(where, f"the lame duck's {lame_duck_s} s and the drain's {drain_timeout_s} s are not less than the "
                                    f"grace of {grace} s")

        for directory in [self.deploy / "kubernetes/base", *(self.deploy / "kubernetes/overlays").iterdir()]:
            grace, literals = self.kustomized(directory)
            check(directory.relative_to(self.tree), grace, literals["LAME_DUCK_S"], literals["DRAIN_TIMEOUT_S"])
        for document in self.documents(self.tree / "docker-compose.yml"):
            heed = document["services"]["heed"]
            flags = defaults_of(self.bin_dir / "heed-server") | dict(re.findall(r"--(\w+)=(\S+)", " ".join(heed["command"])))
            grace = re.fullmatch(r"(\d+)s", heed["stop_grace_period"])
            check("docker-compose.yml", int(grace[1]), flags["lame_duck_s"], flags["drain_timeout_s"])

    def prometheus_rule(self):
        text = (self.deploy / "prometheus/rules.yml").read_text()
        groups = text[text.index("groups:"):]
        return ("# Made from rules.yml by tests/deploy/check_deploy.py --write.\n"
                "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: heed\nspec:\n"
                + "".join("  " + line if line.strip() else line for line in groups.splitlines(keepends=True)))

    def check_files(self):
        for path in [self.tree / "docker-compose.yml", *self.deploy.rglob("*.y*ml")]:
            if "templates" not in path.parts:
                self.count("YAML files")
                self.documents(path)
        for path in self.deploy.rglob("*.json"):
            self.count("JSON files")
            self.json(path)
        if (self.deploy / "prometheus/prometheusrule.yaml").read_text() != self.prometheus_rule():
            self.problem("deploy/prometheus/prometheusrule.yaml", "differs from rules.yml: check_deploy.py --write")
        for name, target in [("rules.yml", "prometheus/rules.yml"), ("dashboard.json", "grafana/dashboards/heed.json")]:
            link = self.deploy / "helm/heed/files" / name
            if not link.is_symlink() or link.resolve() != (self.deploy / target).resolve():
                self.problem(link.relative_to(self.tree), f"is not a link to deploy/{target}")

    def run(self):
        for check in (self.check_files, self.check_kserve, self.check_keda, self.check_queries, self.check_dashboard, self.check_alerts, self.check_flags,
                      self.check_grace, self.check_promtool):
            try:
                check()
            except Exception as error:  # What is not YAML is named already; what it breaks further on says little.
                if not self.problems:
                    raise
                self.problem(check.__name__, f"could not go on: {error!r}")
        return self.problems


# What to break: file, text, what stands in its place, what has to be said about it.
BREAKAGES = [
    ("deploy/prometheus/rules.yml", "heed_queue_seconds_bucket", "heed_queue_second_bucket", "no metric heed_queue_second_bucket"),
    ("deploy/prometheus/rules.yml", 'heed_model_loads_total{outcome="failed"}', 'heed_model_loads_total{result="failed"}',
     "no label result"),
    ("deploy/prometheus/rules.yml", "alert: HeedDown", "alert: HeedGone", "does not say what to do"),
    ("deploy/prometheus/rules.yml", "model:heed_request_faults:ratio_rate5m > 0.01", "model:heed_faults:ratio > 0.01",
     "no recording rule model:heed_faults:ratio"),
    ("deploy/prometheus/rules.yml", "for: 2m", "for: 3m", "differs from rules.yml"),
    ("deploy/prometheus/prometheusrule.yaml", "> 0.9", "> 0.95", "differs from rules.yml"),
    ("deploy/grafana/dashboards/heed.json", "heed_batch_rows_sum", "heed_batch_row_sum", "no metric heed_batch_row_sum"),
    ("deploy/grafana/dashboards/heed.json", "by (reason)", "by (cause)", "no metric has a label cause"),
    ("deploy/grafana/dashboards/heed.json", "$model", "$modell", "no variable modell"),
    ("deploy/grafana/dashboards/heed.json", '"x": 8', '"x": 4', "covers"),
    ("deploy/grafana/dashboards/heed.json", '"uid": "heed"', '"uid": heed', "is not JSON"),
    ("deploy/kubernetes/base/deployment.yaml", "--lame_duck_s=", "--lame_duck=", "no flag --lame_duck"),
    ("deploy/kubernetes/base/deployment.yaml", "terminationGracePeriodSeconds: 45", "terminationGracePeriodSeconds: 30", "grace of 30 s"),
    ("deploy/kubernetes/overlays/production/deployment.yaml", "terminationGracePeriodSeconds: 60", "terminationGracePeriodSeconds: 40",
     "overlays/production: the lame duck's 15 s and the drain's 25 s"),
    ("deploy/kubernetes/overlays/small/kustomization.yaml", "LAME_DUCK_S=2", "LAME_DUCK_S=20", "overlays/small: the lame duck's 20 s"),
    ("docker-compose.yml", "stop_grace_period: 40s", "stop_grace_period: 27s", "docker-compose.yml: the lame duck's 2 s and the drain's 25 s"),
    ("deploy/kubernetes/base/deployment.yaml", "$(THREADS)", "$(THREAD)", "heed-flags has no THREAD"),
    ("deploy/kubernetes/components/tls/kustomization.yaml", "--tls_cert=", "--tls_certificate=", "no flag --tls_certificate"),
    ("deploy/kubernetes/components/autoscaling/adapter-values.yaml", "heed_threads{", "heed_thread{", "no metric heed_thread"),
    ("deploy/kubernetes/components/keda/scaledobject.yaml", "heed_threads{", "heed_thread{", "no metric heed_thread"),
    ("deploy/kubernetes/components/http/kustomization.yaml", "--http_listen=", "--http=", "no flag --http"),
    ("deploy/kserve/scaledobject.yaml", "[1m]", "[5m]", "its query is not that of components/keda"),
    ("deploy/helm/heed/templates/scaledobject.yaml", "heed_running_tasks{", "heed_running_task{", "no metric heed_running_task"),
    ("deploy/kserve/clusterservingruntime.yaml", "--model_name=", "--model=", "no flag --model"),
    ("deploy/kserve/clusterservingruntime.yaml", "port: 8002", "port: 8003", "metrics are at 8002"),
    ("deploy/kserve/translator-grpc.yaml", "containerPort: 9000", "containerPort: 8080", "grpc-v2 is at port 9000"),
    ("deploy/kserve/translator-rest.yaml", "http1", "http", "which KServe wants named http1"),
    ("deploy/kserve/graph-grpc.yaml", "{name: pyg}", "{name: onnx}", "does not take the format onnx"),
    ("deploy/kserve/graph-rest.yaml", "models/gat-cora", "models/gat-none", "no model directory for pvc://models/gat-none"),
    ("deploy/helm/heed/values.yaml", "lame_duck_s:", "lame_ducks:", "no flag --lame_ducks"),
    ("deploy/helm/heed/templates/deployment.yaml", "--tokens=", "--token=", "no flag --token"),
    ("deploy/Dockerfile", "--metrics_listen=", "--metrics=", "no flag --metrics"),
    ("docker-compose.yml", "--sessions=", "--session=", "no flag --session"),
    ("docker-compose.yml", "services:", "services: [", "is not YAML"),
    ("deploy/prometheus/README.md", "### HeedDown", "### HeedUp", "no alert HeedUp"),
    ("docs/metrics.md", "`heed_queued_requests`", "`heed_queue_requests`", "no metric heed_queue"),
    ("docs/operations.md", "`heed_slow_requests_total`", "`heed_slow_request_total`", "no metric heed_slow_request_total"),
]
PROMTOOL_BREAKAGES = [
    ("deploy/prometheus/rules_test.yml", "exp_alerts: []", "exp_alerts: [{exp_labels: {a: b}}]", "the alerts' tests"),
    ("deploy/grafana/dashboards/heed.json", "sum by (code) (", "sum by (code) ((", "the queries"),
]


def selftest(tree, bin_dir):
    failed = 0
    breakages = BREAKAGES + (PROMTOOL_BREAKAGES if promtool_of(bin_dir) else [])
    for file, text, other, expected in breakages:
        with tempfile.TemporaryDirectory() as copy:
            copy = pathlib.Path(copy)
            for name in ("deploy", "docs"):
                shutil.copytree(tree / name, copy / name, symlinks=True)
            (copy / "weights").symlink_to((tree / "weights").resolve())
            for name in ("README.md", "docker-compose.yml"):
                shutil.copy(tree / name, copy)
            path = copy / file
            content = path.read_text()
            if text not in content:
                print(f"deploy: selftest: {file} has no '{text}' to break", file=sys.stderr)
                failed += 1
                continue
            path.write_text(content.replace(text, other))
            check = Check(copy, bin_dir)
            if not (expected in ("the queries", "the alerts' tests")):
                check.check_promtool = lambda: None
            problems = check.run()
            if not any(expected in problem for problem in problems):
                print(f"deploy: selftest: '{other}' in {file} was not found; said: {problems}", file=sys.stderr)
                failed += 1
    print(f"deploy: selftest: {len(breakages) - failed} of {len(breakages)} breakages were found")
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tree", type=pathlib.Path)
    parser.add_argument("bin_dir", type=pathlib.Path)
    parser.add_argument("--write", action="store_true", help="make deploy/prometheus/prometheusrule.yaml anew")
    parser.add_argument("--selftest", action="store_true", help="break copies of deploy/ and want it found")
    options = parser.parse_args()
    if options.selftest:
        return selftest(options.tree, options.bin_dir)
    check = Check(options.tree, options.bin_dir)
    if options.write:
        (options.tree / "deploy/prometheus/prometheusrule.yaml").write_text(check.prometheus_rule())
    problems = check.run()
    for problem in problems:
        print(f"deploy: {problem}", file=sys.stderr)
    print("deploy: " + ", ".join(f"{number} {what}" for what, number in check.checked.items())
          + f": {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
