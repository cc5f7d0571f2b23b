# SPDX-License-Identifier: Apache-2.0
"""Reads deploy/grafana/dashboards/heed.json as Grafana does: panels, their queries, variables filled in."""

import re


def targets(board):
    """(panel, target) of every query, in the dashboard's order."""
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            yield panel, target


def substitute(query, job=".*", instance=".*", model=".*", interval="1m"):
    """The query with the values of the variables: regular expressions, and an interval as Prometheus writes it."""
    values = {"job": job, "instance": instance, "model": model, "__rate_interval": interval, "__interval": interval,
              "__range": interval}
    return re.sub(r"\$\{?(\w+)\}?", lambda match: values[match[1]] if match[1] in values else match[0], query)


def substitute_adapter(query, group="instance", matchers='job=~".+"'):
    """A query of prometheus-adapter's rule with its placeholders filled in."""
    return query.replace("<<.GroupBy>>", group).replace("<<.LabelMatchers>>", matchers).replace("<<.Series>>", "heed_queued_tasks")


def columns(panel):
    """{refId: column} of a table whose transformation renames "Value #A" and so on."""
    names = {}
    for transformation in panel["transformations"]:
        for old, new in transformation["options"].get("renameByName", {}).items():
            if old.startswith("Value #"):
                names[old.removeprefix("Value #")] = new
    return names
