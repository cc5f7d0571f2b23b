#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws deploy/grafana/dashboards/heed.json from a Prometheus' data: the dashboard's own panels, queries, units and colours.

python3 tests/deploy/draw_dashboard.py --prometheus=http://127.0.0.1:9090 [--minutes=30] [--rate_interval=20s] --output=FILE.png

For where there is no Grafana. Needs matplotlib.
"""

import argparse
import io
import json
import math
import pathlib
import re
import sys
import time
import urllib.parse
import urllib.request

import matplotlib

matplotlib.use("Agg")
import matplotlib.dates  # noqa: E402
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.colors import LinearSegmentedColormap, PowerNorm  # noqa: E402
from matplotlib.ticker import FuncFormatter, MaxNLocator  # noqa: E402
from PIL import Image  # noqa: E402, comes with matplotlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import dashboard  # noqa: E402

TREE = pathlib.Path(__file__).resolve().parents[2]
BACKGROUND, PANEL, EDGE, TEXT, DIM = "#111217", "#181b1f", "#2c3235", "#ccccdc", "#8e8e9a"
PALETTE = ["#73bf69", "#f2cc0c", "#5794f2", "#ff9830", "#f2495c", "#b877d9", "#8ab8ff", "#37872d", "#e0b400", "#1f60c4",
           "#fa6400", "#c4162a", "#8f3bb8", "#96d98d", "#ffcb7d"]
NAMED = {"green": "#73bf69", "yellow": "#f2cc0c", "red": "#f2495c", "orange": "#ff9830", "blue": "#5794f2"}
HEAT = LinearSegmentedColormap.from_list("oranges", [PANEL, "#5a2a0c", "#c4560f", "#ff9830", "#fff1d6"])
TIME_STEPS = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800]
DPI, COLUMN, LINE, GAP = 80, 0.8, 0.42, 0.08  # inches of a grid's column and line


def scaled(value, steps, digits=3):
    """A number with the largest of ((factor, unit), ...) that leaves at least 1."""
    for factor, unit in steps:
        if abs(value) >= factor:
            return f"{value / factor:.0f}{unit}" if value >= 100 * factor else f"{value / factor:.{digits}g}{unit}"
    return f"{value / steps[-1][0]:.{digits}g}{steps[-1][1]}"


def text_of(value, unit, decimals=None):
    """As Grafana writes it."""
    if value is None or math.isnan(value):
        return "–"
    if unit == "s":
        if value == 0:
            return "0 s"
        return scaled(value, ((3600, " h"), (60, " min"), (1, " s"), (1e-3, " ms"), (1e-6, " µs")))
    if unit == "bytes":
        if value == 0:
            return "0 B"
        return scaled(value, ((2**30, " GiB"), (2**20, " MiB"), (2**10, " KiB"), (1, " B")))
    if unit == "percentunit":
        return f"{100 * value:.{0 if decimals is None else max(0, decimals)}f} %" if decimals is not None else f"{100 * value:.3g} %"
    if unit in ("reqps", "ops"):
        number = f"{value:.{decimals}f}" if decimals is not None else scaled(value, ((1e6, " M"), (1e3, " k"), (1, "")))
        return number + (" req/s" if unit == "reqps" else " /s")
    if decimals is not None:
        return f"{value:,.{decimals}f}"
    return "0" if value == 0 else scaled(value, ((1e6, " M"), (1e3, " k"), (1, "")))


def legend_of(target, labels):
    text = re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda match: labels.get(match[1], ""), target["legendFormat"]).strip()
    return text or ", ".join(labels.values())


class ByteLocator(MaxNLocator):
    """Ticks at round numbers of MiB or GiB."""

    def __init__(self):
        super().__init__(5)

    def tick_values(self, vmin, vmax):
        factor = next((factor for factor in (2**30, 2**20, 2**10) if vmax >= 4 * factor), 1)
        return [tick * factor for tick in super().tick_values(vmin / factor, vmax / factor)]


class Drawing:
    def __init__(self, ask, start, end, rate_interval):
        self.ask, self.start, self.end, self.rate_interval = ask, start, end, rate_interval
        self.step = max(1.0, (end - start) / 300)
        with open(TREE / "deploy/grafana/dashboards/heed.json", encoding="utf-8") as file:
            self.board = json.load(file)

    def series(self, panel):
        """(legend, times, values) of all queries of a panel, by legend."""
        found = []
        for target in panel["targets"]:
            query = dashboard.substitute(target["expr"], interval=self.rate_interval)
            data = self.ask("query_range", query=query, start=self.start, end=self.end, step=self.step)
            for one in data["result"]:
                times = [float(moment) for moment, _ in one["values"]]
                found.append((legend_of(target, one["metric"]), times, [float(value) for _, value in one["values"]]))
        return found

    def now(self, expression):
        query = dashboard.substitute(expression, interval=self.rate_interval)
        return self.ask("query", query=query, time=self.end)["result"]

    @staticmethod
    def dates(times):
        """Days since the epoch, as matplotlib counts."""
        return [moment / 86400 for moment in times]

    def overrides(self, panel, name):
        """The properties that an override gives the series of this name."""
        properties = {}
        for override in panel["fieldConfig"]["overrides"]:
            matcher = override["matcher"]
            if (matcher["id"] == "byName" and matcher["options"] == name) or (
                    matcher["id"] == "byRegexp" and re.search(matcher["options"], name)):
                properties.update({item["id"]: item["value"] for item in override["properties"]})
        return properties

    def time_axis(self, axes):
        axes.set_xlim(self.dates([self.start])[0], self.dates([self.end])[0])
        step = next((step for step in TIME_STEPS if (self.end - self.start) / step <= 6), 86400)
        first = math.ceil(self.start / step)
        axes.set_xticks(self.dates([step * tick for tick in range(first, int(self.end // step) + 1)]))
        axes.xaxis.set_major_formatter(matplotlib.dates.DateFormatter("%H:%M:%S" if step % 60 else "%H:%M"))
        axes.tick_params(colors=DIM, labelsize=7, length=0)
        axes.grid(color=EDGE, linewidth=0.6)
        axes.set_axisbelow(True)
        for spine in axes.spines.values():
            spine.set_visible(False)

    def time_series(self, figure, box, panel):
        series = self.series(panel)
        axes = figure.add_axes(box, facecolor=PANEL)
        defaults = panel["fieldConfig"]["defaults"]
        custom, unit = defaults["custom"], defaults["unit"]
        log = custom.get("scaleDistribution", {}).get("type") == "log"
        stacked = custom["stacking"]["mode"] == "normal"
        right, handles, base = None, [], None
        series.sort(key=lambda one: one[0])
        grid = sorted({moment for _, times, _ in series for moment in times})
        for number, (name, times, values) in enumerate(series):
            properties = self.overrides(panel, name)
            colour = properties.get("color", {}).get("fixedColor")
            colour = NAMED.get(colour, colour) or PALETTE[number % len(PALETTE)]
            target, dashed = axes, "custom.lineStyle" in properties
            if properties.get("custom.axisPlacement") == "right":
                right = right or axes.twinx()
                target = right
            if stacked and not dashed:
                known = dict(zip(times, values))
                heights = [known.get(moment, 0.0) for moment in grid]
                heights = [0.0 if math.isnan(height) else height for height in heights]
                base = base or [0.0] * len(grid)
                top = [below + height for below, height in zip(base, heights)]
                axes.fill_between(self.dates(grid), base, top, color=colour, alpha=0.3, linewidth=0)
                line, = axes.plot(self.dates(grid), top, color=colour, linewidth=0.9)
                base = top
            elif custom["drawStyle"] == "bars":
                target.bar(self.dates(times), values, width=self.step / 86400, color=colour, alpha=0.8)
                line = plt.Line2D([], [], color=colour)
            else:
                line, = target.plot(self.dates(times), values, color=colour, linewidth=1.0, linestyle="--" if dashed else "-")
                if not dashed and not log and custom["fillOpacity"]:
                    target.fill_between(self.dates(times), values, color=colour, alpha=custom["fillOpacity"] / 150, linewidth=0)
            handles.append((line, name))
        self.time_axis(axes)
        if log:
            axes.set_yscale("log")
            axes.minorticks_off()
        elif defaults.get("min") == 0:
            axes.set_ylim(bottom=0, top=defaults.get("max"))
            axes.yaxis.set_major_locator(ByteLocator() if unit == "bytes" else MaxNLocator(5))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: text_of(value, unit if unit != "none" else "short")))
        if right is not None:
            self.time_axis(right)
            right.grid(False)
            right.set_ylim(bottom=0)
        if not series:
            axes.text(0.5, 0.5, "No data", color=DIM, ha="center", va="center", transform=axes.transAxes, fontsize=10)
            axes.set_yticks([])
        return handles

    def heat_map(self, figure, box, panel):
        unit = panel["options"]["yAxis"]["unit"]
        rows = sorted(((float(name), times, values) for name, times, values in self.series(panel)), key=lambda row: row[0])
        axes = figure.add_axes(box, facecolor=PANEL)
        if rows:
            grid = sorted({moment for _, times, _ in rows for moment in times})
            counts, below = [], [0.0] * len(grid)
            for _, times, values in rows:  # buckets count all below them
                known = dict(zip(times, values))
                present = [known.get(moment, 0.0) for moment in grid]
                counts.append([max(0.0, here - there) for here, there in zip(present, below)])
                below = present
            # Empty rows above and below say nothing.
            full = [number for number, row in enumerate(counts) if max(row) > 0] or [0]
            low, high = max(0, full[0] - 1), min(len(rows) - 1, full[-1] + 1)
            edges = self.dates(grid + [grid[-1] + self.step])
            axes.pcolormesh(edges, range(high - low + 2), counts[low:high + 1], cmap=HEAT,
                            norm=PowerNorm(0.5, vmin=0, vmax=max(max(row) for row in counts) or 1), linewidth=0, rasterized=True)
            bounds = [rows[number][0] for number in range(low, high + 1)]
            ticks = list(range(0, len(bounds), max(1, len(bounds) // 7)))
            axes.set_yticks([tick + 1 for tick in ticks])
            axes.set_yticklabels(["∞" if math.isinf(bounds[tick]) else text_of(bounds[tick], unit) for tick in ticks])
        self.time_axis(axes)
        axes.grid(False)
        return []

    def stat(self, figure, box, panel):
        defaults = panel["fieldConfig"]["defaults"]
        series = self.series(panel)
        values = [value for value in (series[0][2] if series else []) if not math.isnan(value)]
        value = values[-1] if values else None
        colour = TEXT
        for step in defaults["thresholds"]["steps"]:
            if value is not None and (step["value"] is None or value >= step["value"]):
                colour = NAMED[step["color"]]
        axes = figure.add_axes(box, facecolor=PANEL)
        axes.axis("off")
        if values:
            axes.fill_between(range(len(values)), values, color=colour, alpha=0.2, linewidth=0)
            axes.plot(values, color=colour, linewidth=0.8)
            axes.set_ylim(0, (max(values) or 1) * 2.2)
            axes.set_xlim(0, max(1, len(values) - 1))
        axes.text(0.5, 0.72, text_of(value, defaults["unit"], defaults.get("decimals")), color=colour, fontsize=21,
                  ha="center", va="center", transform=axes.transAxes, fontweight="bold")
        return []

    def table(self, figure, box, panel):
        columns = dashboard.columns(panel)
        units, cells = {}, {}
        for override in panel["fieldConfig"]["overrides"]:
            units[override["matcher"]["options"]] = {item["id"]: item["value"] for item in override["properties"]}
        for target in panel["targets"]:
            for one in self.now(target["expr"]):
                cells.setdefault(one["metric"].get("model", ""), {})[columns[target["refId"]]] = float(one["value"][1])
        order = next(item["options"]["sort"][0] for item in panel["transformations"] if item["id"] == "sortBy")
        rows = sorted(cells.items(), key=lambda row: (-(row[1].get(order["field"]) or 0), row[0]))
        axes = figure.add_axes(box, facecolor=PANEL)
        axes.axis("off")
        names = ["Model", *columns.values()]
        lines = max(len(rows) + 1, 9)
        places = [0.005] + [0.2 + 0.8 * (number + 1) / len(columns) - 0.006 for number in range(len(columns))]
        for name, place in zip(names, places):
            axes.text(place, 1 - 0.5 / lines, name, color="#6e9fff", fontsize=9, ha="left" if name == "Model" else "right", va="center",
                      transform=axes.transAxes)
        for line, (model, row) in enumerate(rows, 1):
            height = 1 - (line + 0.5) / lines
            axes.axhline(1 - line / lines, color=EDGE, linewidth=0.6)
            axes.text(places[0], height, model or "(of no model)", color=TEXT, fontsize=9, va="center", transform=axes.transAxes)
            for name, place in zip(names[1:], places[1:]):
                properties, value, colour = units.get(name, {}), row.get(name), TEXT
                shown = text_of(value, properties.get("unit", "none"), properties.get("decimals"))
                for mapping in properties.get("mappings", []):
                    option = mapping["options"].get(f"{value:g}" if value is not None else "")
                    if option:
                        shown, colour = option["text"], NAMED[option["color"]]
                axes.text(place, height, shown, color=colour, fontsize=9, ha="right", va="center", transform=axes.transAxes)
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        return []

    def draw(self, path):
        panels = self.board["panels"]
        lines = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
        head = 0.55
        width, height = 24 * COLUMN, lines * LINE + head
        figure = plt.figure(figsize=(width, height), facecolor=BACKGROUND)

        def inches(left, top, wide, high):
            return [left / width, 1 - (top + high) / height, wide / width, high / height]

        moment = time.strftime("%Y-%m-%d %H:%M", time.gmtime(self.start))
        figure.text(0.1 / width, 1 - 0.3 / height, self.board["title"], color=TEXT, fontsize=16, va="center", fontweight="bold")
        figure.text(1 - 0.1 / width, 1 - 0.3 / height, f"Job All   Instance All   Model All      {moment} UTC, {(self.end - self.start) / 60:.0f} min",
                    color=DIM, fontsize=10, va="center", ha="right")
        kinds = {"timeseries": self.time_series, "heatmap": self.heat_map, "stat": self.stat, "table": self.table}
        for panel in panels:
            place = panel["gridPos"]
            left, top = place["x"] * COLUMN + GAP / 2, place["y"] * LINE + head + GAP / 2
            wide, high = place["w"] * COLUMN - GAP, place["h"] * LINE - GAP
            if panel["type"] == "row":
                figure.text((left + 0.06) / width, 1 - (top + high / 2) / height, "⌄ " + panel["title"], color=TEXT, fontsize=11, va="center",
                            fontweight="bold")
                continue
            figure.patches.append(plt.Rectangle(inches(left, top, wide, high)[:2], wide / width, high / height, facecolor=PANEL,
                                                edgecolor=EDGE, linewidth=0.8, transform=figure.transFigure, zorder=-1))
            figure.text((left + 0.1) / width, 1 - (top + 0.17) / height, panel["title"], color=TEXT, fontsize=9.5, va="center",
                        fontweight="bold")
            margin = {"timeseries": (0.62, 0.15), "heatmap": (0.62, 0.15)}.get(panel["type"], (0.08, 0.08))
            legend_lines = 0
            if panel["type"] == "timeseries":
                legend_lines = 2
            below = {"timeseries": 0.26 + 0.17 * legend_lines, "heatmap": 0.26, "stat": 0.05}.get(panel["type"], 0.08)
            handles = kinds[panel["type"]](figure, inches(left + margin[0], top + 0.36, wide - sum(margin), high - 0.36 - below), panel)
            self.legend(figure, handles, left, top + high - 0.17 * legend_lines - 0.05, wide, legend_lines, width, height)
        with io.BytesIO() as full:
            figure.savefig(full, dpi=DPI, facecolor=BACKGROUND)
            Image.open(full).convert("RGB").quantize(255, dither=Image.Dither.NONE).save(path, optimize=True)
        plt.close(figure)

    def legend(self, figure, handles, left, top, wide, lines, width, height):
        """Names in rows as wide as the panel; what has no room is counted."""
        x, y, line = left + 0.12, top, 0
        for number, (handle, name) in enumerate(handles):
            need = 0.25 + 0.062 * len(name)
            if x + need > left + wide - 0.3 and x > left + 0.2:
                x, y, line = left + 0.12, y + 0.17, line + 1
            if line >= lines:
                figure.text((left + wide - 0.08) / width, 1 - (top + 0.17 * (lines - 1) + 0.08) / height, f"+{len(handles) - number}", color=DIM,
                            fontsize=7, va="center", ha="right")
                return
            figure.lines.append(plt.Line2D([x / width, (x + 0.14) / width], [1 - (y + 0.08) / height] * 2, color=handle.get_color(),
                                           linestyle=handle.get_linestyle(), linewidth=2, transform=figure.transFigure))
            figure.text((x + 0.18) / width, 1 - (y + 0.08) / height, name, color=TEXT, fontsize=7, va="center")
            x += need


def draw(ask, start, end, rate_interval, path):
    """`ask(path, **parameters)` asks Prometheus' HTTP API and returns the answer's data."""
    Drawing(ask, start, end, rate_interval).draw(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prometheus", default="http://127.0.0.1:9090")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate_interval", default="20s", help="four scrape intervals or more")
    parser.add_argument("--output", required=True)
    options = parser.parse_args()

    def ask(path, **parameters):
        with urllib.request.urlopen(f"{options.prometheus}/api/v1/{path}?{urllib.parse.urlencode(parameters)}", timeout=60) as response:
            return json.load(response)["data"]

    end = time.time()
    draw(ask, end - 60 * options.minutes, end, options.rate_interval, options.output)


if __name__ == "__main__":
    main()
