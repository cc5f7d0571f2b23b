#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A soak of the real server, and heed top watching it.

    soak_test.py BIN_DIR MODELS_DIR [FLAG OF heed-soak]...

Fails if a request fails or is answered wrongly, the server's memory grows, a model or a kind of request is left out, or
heed top does not show what is going on.
"""

import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from heed_server import HeedServer

# Of what the requests of a soak call; sessions are opened and closed more seldom.
METHODS = {f"heed.v1.{method}" for method in (
    "TranslationService/Translate", "TranslationService/TranslateStream",
    "GraphService/ClassifyNodes", "GraphService/ClassifyEdges", "GraphService/ClassifyGraphs",
    "QuestionAnsweringService/Answer", "QuestionAnsweringService/Tell", "QuestionAnsweringService/Ask",
    "SequenceService/RunSequence")}


def main():
    bin_dir, models_dir, *flags = sys.argv[1:]
    heed = os.path.join(bin_dir, "heed")
    models = {name for name in os.listdir(models_dir) if os.path.exists(os.path.join(models_dir, name, "config.json"))}
    with HeedServer(os.path.join(bin_dir, "heed-server"), f"--models={models_dir}") as server:
        addresses = [f"--server={server.address}", f"--metrics={server.metrics_address}"]
        soak = subprocess.Popen([os.path.join(bin_dir, "heed-soak"), *addresses, "--json", *flags], stdout=subprocess.PIPE, text=True)
        top = subprocess.run([heed, "top", f"--metrics={server.metrics_address}", "--json", "--interval=4", "--count=8"],
                             stdout=subprocess.PIPE, text=True, check=True)
        text = subprocess.run([heed, "top", f"--metrics={server.metrics_address}", "--interval=1", "--count=2"],
                              stdout=subprocess.PIPE, text=True, check=True).stdout
        output, _ = soak.communicate()
        sessions = server.metrics()["heed_sessions", ()]
        code = server.terminate()
    print(output, end="")
    print(text, end="")
    report = json.loads(output)
    assert soak.returncode == 0, f"heed-soak exited with {soak.returncode}"
    assert report["failures"] == 0 and report["answers"] == report["requests"] > 0
    assert {kind["model"] for kind in report["kinds"]} == models, "a model was left out"
    assert all(kind["requests"] > 0 for kind in report["kinds"])
    assert sessions == 0, f"{sessions:g} sessions are left"
    assert code == 0, f"heed-server exited with {code}"

    # Whatever moved between any two pages.
    frames = [json.loads(line) for line in top.stdout.splitlines()]
    busy = {model["model"] for frame in frames for model in frame["models"]
            if model["requests_per_second"] and model["p99_seconds"] and model["rows_per_step"]}
    assert busy == models, f"heed top shows nothing of {models - busy}"
    called = {method["method"] for frame in frames for method in frame["methods"] if method["requests_per_second"]}
    assert METHODS <= called, f"heed top shows no {METHODS - called}"
    assert all(frame["all"]["cpu_cores"] > 0 and frame["all"]["resident_bytes"] > 0 for frame in frames)
    assert text.count(" heed top  ") == 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
