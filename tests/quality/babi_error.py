#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Scores a running server on bAbI: asks the questions of its files with `heed ask --babi` and prints the error of each task.

    babi_error.py DIRECTORY [--split=valid] [--server=ADDRESS] [--model=NAME] [--client=PATH] [--maximum=PERCENT]

DIRECTORY holds qaN_SPLIT.txt or qaN_SPLIT.txt.gz for N from 1 to 20. "supported" is how often the fact that an answer came from
most is one of the question's supporting facts. Exits 1 if the mean error is above --maximum. Needs nothing but Python.
"""

import argparse
import gzip
import json
import os
import subprocess
import sys

REPOSITORY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
TASKS = range(1, 21)
FAILED = 5.0  # per cent: a task with more is failed, by the literature's custom


def read(path):
    """The bytes of PATH, or of PATH.gz."""
    if os.path.exists(path):
        with open(path, "rb") as file:
            return file.read()
    with gzip.open(f"{path}.gz") as file:
        return file.read()


def score(command, data):
    """(questions, wrong, supported, with supporting facts) of one file."""
    result = subprocess.run(command, input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if result.returncode != 0:
        sys.exit(f"babi_error.py: {' '.join(command)} exited with {result.returncode}: {result.stderr.decode()}")
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    wrong = sum(not answer["right"] for answer in answers)
    told = [answer for answer in answers if answer.get("supporting")]
    supported = sum(bool(answer.get("facts")) and answer["facts"][0]["fact"] in answer["supporting"] for answer in told)
    return len(answers), wrong, supported, len(told)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", help="of the data's files")
    parser.add_argument("--split", default="valid", help="which files: valid or train (default: %(default)s)")
    parser.add_argument("--server", default="127.0.0.1:50051", help="address of the server (default: %(default)s)")
    parser.add_argument("--model", default="ntm-babi", help="model to ask (default: %(default)s)")
    parser.add_argument("--client", default=os.path.join(REPOSITORY, "build/bin/heed"), help="client binary")
    parser.add_argument("--maximum", type=float, default=100.0, help="fail above this mean error")
    arguments = parser.parse_args()
    if not os.access(arguments.client, os.X_OK):
        parser.error(f"--client: {arguments.client} is not there; scripts/build.sh builds it")
    command = [arguments.client, "ask", f"--server={arguments.server}", f"--model={arguments.model}", "--babi=-"]
    command += ["--why", "--json"]
    print("task  questions  error %  supported %")
    errors, all_supported, all_told = [], 0, 0
    for task in TASKS:
        path = os.path.join(arguments.directory, f"qa{task}_{arguments.split}.txt")
        questions, wrong, supported, told = score(command, read(path))
        errors.append(100 * wrong / questions)
        all_supported, all_told = all_supported + supported, all_told + told
        print(f"{task:4} {questions:10} {errors[-1]:8.1f} {100 * supported / max(1, told):12.1f}", flush=True)
    mean = sum(errors) / len(errors)
    print(f"mean error {mean:.2f} %, {sum(error <= FAILED for error in errors)} of {len(errors)} tasks at most {FAILED:.0f} %")
    print(f"strongest fact is a supporting one: {100 * all_supported / max(1, all_told):.1f} % of {all_told} answers")
    if mean > arguments.maximum:
        sys.exit(f"babi_error.py: {mean:.2f} is above {arguments.maximum}")


if __name__ == "__main__":
    main()
