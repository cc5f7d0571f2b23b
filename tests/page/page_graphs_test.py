#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The page's panel Graphs. See browser.py."""

import base64
import json
import os
import re
import struct
import subprocess
import sys

from browser import TREE, PageTest, expect, main

KARATE = os.path.join(TREE, "weights/gat-karate/karate.safetensors")
OPTIONS = {"topK": 0, "returnAttention": True}


def example(name):
    with open(os.path.join(TREE, "page", name), encoding="utf-8") as file:
        return json.load(file)


def ring(nodes, width, **more):
    """A heed.v1.Graph: a ring of nodes, of which each has one feature of `width`."""
    ends = [*range(nodes)]
    return {
        "features": {"width": width, "values": [1] * nodes, "rowEnds": [n + 1 for n in ends], "columns": [n % width for n in ends]},
        "edgeSources": ends,
        "edgeTargets": [(n + 1) % nodes for n in ends],
        **more,
    }


def safetensors(tensors):
    """The bytes of a file of {name: (dtype, shape, numbers)}; F32 and I64."""
    header, data = {}, b""
    for name, (dtype, shape, numbers) in tensors.items():
        part = struct.pack(f"<{len(numbers)}{'f' if dtype == 'F32' else 'q'}", *numbers)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(part)]}
        data += part
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def percents(bars):
    return [float(text.rstrip(" %")) for text in bars.locator(".bar-share").all_inner_texts()]


class GraphsTest(PageTest):
    def graphs(self, **context):
        page = self.open("graphs", **context)
        expect(page.locator(".node")).to_have_count(34)
        return page

    def give(self, page, name, content):
        """Opens a file, whose content may be a message."""
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        page.locator("input[type=file]").set_input_files({"name": name, "mimeType": "application/octet-stream", "buffer": data})

    def drop(self, page, name, content):
        """Drops a file on the panel; `content` is a JavaScript expression."""
        page.evaluate(f"""() => {{
            const transfer = new DataTransfer();
            transfer.items.add(new File([{content}], "{name}"));
            document.querySelector(".drop").dispatchEvent(new DragEvent("drop", {{dataTransfer: transfer, bubbles: true, cancelable: true}}));
        }}""")

    def ask(self, method, model, *graphs):
        return self.call(f"GraphService/{method}", {"model": model, "queries": [{"graph": graph} for graph in graphs], "options": OPTIONS})["answers"]

    def attention_of(self, answer, layer, node, head=None):
        """[(source, share)] of what a node attends to, strongest first."""
        layer = answer["attention"]["layers"][layer]
        heads = layer["headCount"]
        found = []
        for edge, (source, target) in enumerate(zip(layer["sources"], layer["targets"])):
            own = layer["weights"][edge * heads : (edge + 1) * heads]
            if target == node:
                found.append((source, sum(own) / heads if head is None else own[head]))
        return sorted(found, key=lambda one: -one[1])

    def test_classes_and_attention_of_the_karate_club(self):
        page = self.graphs()
        answer = self.ask("ClassifyNodes", "gat-karate", example("karate.json")["graph"])[0]
        labels = [node["classification"]["label"] for node in answer["nodes"]]
        expect(page.locator(".graph-summary")).to_contain_text(f"{labels.count('Officer')} Officer")
        expect(page.locator(".graph-summary")).to_contain_text("33 of 34 match the file.")
        expect(page.locator(".node-odd")).to_have_count(1)
        for row in (0, 8, 33):
            own = answer["nodes"][row]["classification"]
            expect(page.locator(f".node[data-row='{row}']")).to_have_attribute("aria-label", re.compile(rf"^Node {row}\b.*{own['label']}, {100 * own['probability']:.0f}"))
        page.locator(".node[data-row='8']").click()
        details = page.locator(".graph-details")
        expect(details.get_by_role("heading", name="Node 8")).to_be_visible()
        expect(details).to_contain_text("The file says: Mr. Hi")
        wanted = self.attention_of(answer, 1, "8")
        bars = details.get_by_role("list", name="Attends to", exact=True)
        self.assertEqual([text.split(" ")[0] for text in bars.locator(".bar-label").all_inner_texts()], [source for source, _ in wanted])
        for shown, (_, share) in zip(percents(bars), wanted):
            self.assertAlmostEqual(shown, 100 * share, delta=0.51)
        expect(page.locator(".chosen-link")).to_have_count(len(wanted) - 1)  # itself is a ring
        expect(page.locator(".self-loop")).to_have_count(1)

    def test_layers_and_heads(self):
        page = self.graphs()
        answer = self.ask("ClassifyNodes", "gat-karate", example("karate.json")["graph"])[0]
        page.locator(".node[data-row='2']").click()
        page.get_by_label("Layer").select_option("1")
        for choice, head in (("all 4 heads (mean)", None), ("head 3", 2)):
            page.get_by_label("Attention of").select_option(choice)
            bars = page.locator(".graph-details").get_by_role("list", name="Attends to", exact=True)
            for shown, (_, share) in zip(percents(bars), self.attention_of(answer, 0, "2", head)):
                self.assertAlmostEqual(shown, 100 * share, delta=0.51)

    def test_keyboard_alone(self):
        page = self.graphs()
        page.locator(".node[tabindex='0']").focus()
        self.assertEqual(page.locator(".node[tabindex='0']").count(), 1)
        heading = page.locator(".graph-details h3")
        page.keyboard.press("Enter")
        before = heading.inner_text()
        page.keyboard.press("ArrowLeft")
        expect(heading).not_to_have_text(before)
        chosen = page.locator(".node[aria-pressed='true']")
        expect(chosen).to_be_focused()
        self.assertIn(heading.inner_text().split(" ·")[0], chosen.get_attribute("aria-label"))
        scene = page.locator(".graph-svg > g")
        whole = scene.get_attribute("transform")
        page.keyboard.press("+")
        self.assertNotEqual(scene.get_attribute("transform"), whole)
        page.keyboard.press("0")
        self.assertEqual(scene.get_attribute("transform"), whole)
        page.keyboard.press("Escape")
        expect(chosen).to_have_count(0)
        page.get_by_role("button", name="11 to 0 Mr. Hi").press("Enter")
        expect(heading).to_have_text("Node 11")

    def test_the_table_has_every_node(self):
        page = self.graphs()
        page.get_by_text("All 34 nodes, as a table").click()
        rows = page.locator(".graph-listing tbody tr")
        expect(rows).to_have_count(34)
        expect(rows.nth(8)).to_contain_text("Officer")
        expect(rows.nth(8)).to_contain_text("Mr. Hi")  # what the file says
        rows.nth(5).get_by_role("button").click()
        expect(page.locator(".graph-details h3")).to_have_text("Node 5")

    def test_a_graph_file_that_is_dropped(self):
        page = self.graphs()
        with open(KARATE, "rb") as file:
            data = base64.b64encode(file.read()).decode()
        self.drop(page, "own.safetensors", f"Uint8Array.from(atob('{data}'), (one) => one.charCodeAt(0))")
        expect(page.locator(".graph-summary")).to_contain_text("34 nodes, 156 edges: 18 Officer, 16 Mr. Hi. 33 of 34 match the file.")
        expect(page.get_by_role("button", name="Karate club")).to_have_attribute("aria-pressed", "false")

    def test_messages_as_json(self):
        page = self.graphs()
        graph = example("karate.json")["graph"]
        snake = {re.sub("[A-Z]", lambda one: "_" + one[0].lower(), key): value for key, value in graph.items()}
        snake["features"] = {re.sub("[A-Z]", lambda one: "_" + one[0].lower(), key): value for key, value in graph["features"].items()}
        snake["node_ids"] = [str(9_007_199_254_740_993 + row) for row in range(34)]
        for name, message in (("graph.json", snake), ("request.json", {"model": "gat-karate", "queries": [{"graph": snake}]})):
            with self.subTest(name=name):
                self.give(page, name, message)
                expect(page.locator(".node[data-row='1']")).to_have_attribute("aria-label", re.compile("^Node 9007199254740994: "))

    def test_files_that_cannot_be_used(self):
        page = self.graphs()
        tensors = {"x": ("F32", [2, 34], [0] * 68), "edge_index": ("I64", [2, 1], [0, 1])}
        cases = (
            ("torn.safetensors", safetensors(tensors)[:-8], "torn.safetensors: tensor 'edge_index' ends at byte"),
            ("short.safetensors", b"abc", "short.safetensors: the file has 3 bytes"),
            ("text.safetensors", b"A graph? No, a text of some length.", "text.safetensors: is no safetensors file"),
            ("flat.safetensors", safetensors({**tensors, "edge_index": ("I64", [2], [0, 1])}), "edge_index is [2], but it must be [2, edges]"),
            ("far.safetensors", safetensors({**tensors, "edge_index": ("I64", [2, 1], [0, 5])}), "edge 0 names node 5; the nodes are 0 to 1"),
            ("none.safetensors", safetensors({"x": tensors["x"]}), "tensor 'edge_index' is missing"),
            ("empty.safetensors", safetensors({**tensors, "x": ("F32", [400_000_000, 0], [])}), "x is [400000000, 0], but a node has at least 1 feature"),
            ("nodes.json", {"features": {"width": 1, "values": [0] * 1_000_001}}, "nodes.json: has 1000001 nodes or more. This page reads graph files of at most 1000000 nodes."),
            ("broken.json", b'{"features":', "broken.json: is not JSON"),
            ("other.json", {"name": "?"}, "other.json: the graph has no 'features'"),
            ("far.json", ring(3, 34, edgeTargets=[1, 2, 7]), "an edge names node 7; the nodes are 0 to 2"),
        )
        for name, content, error in cases:
            with self.subTest(name=name):
                self.give(page, name, content)
                expect(page.locator(".graph-status").get_by_role("alert")).to_contain_text(error)
                expect(page.locator(".graph-summary")).to_contain_text("34 nodes")  # what was there stays
        self.drop(page, "huge.safetensors", "new Uint8Array(2 ** 24 + 1)")
        expect(page.locator(".graph-status").get_by_role("alert")).to_contain_text("huge.safetensors has 16777217 bytes. This page reads graph files of at most 16777216 bytes.")
        self.check(page)

    def test_a_graph_that_the_model_does_not_take(self):
        self.allow("status of 400")
        page = self.graphs()
        self.give(page, "wide.json", ring(5, 11))
        alert = page.locator(".graph-status").get_by_role("alert")
        expect(alert).to_contain_text("11")  # the server's words, with both widths
        expect(alert).to_contain_text("34")
        expect(page.locator(".graph-card")).to_be_hidden()
        # The graph stays, for a model that takes it.
        page.get_by_role("tabpanel", name="Graphs").get_by_label("Model", exact=True).select_option("gat-mutag")
        expect(page.locator(".graph-summary")).to_contain_text("wide.json: ")
        expect(page.locator(".node")).to_have_count(5)

    def test_a_graph_that_is_too_large_to_draw_is_listed(self):
        page = self.graphs()
        self.give(page, "large.json", ring(3100, 34))
        expect(page.locator(".graph-details")).to_contain_text("The page draws at most 3,000")
        rows = page.locator(".graph-listing tbody tr")
        expect(rows).to_have_count(100)
        page.get_by_role("button", name="Show more").click()
        expect(rows).to_have_count(200)
        expect(page.get_by_role("button", name="Save request.json")).to_be_visible()

    def test_a_graph_that_takes_long_to_place_does_not_stop_the_page(self):
        page = self.graphs()
        self.give(page, "many.json", ring(2900, 34))
        expect(page.locator(".graph-caption")).to_contain_text("Placing 2,900 nodes")
        page.get_by_role("button", name="Karate club").click()  # is heard, and takes its place
        expect(page.locator(".node")).to_have_count(34)
        expect(page.locator(".graph-caption")).not_to_contain_text("Placing")

    def test_a_graph_is_refused_while_another_is_being_placed(self):
        self.allow("status of 400")
        page = self.graphs()
        self.give(page, "many.json", ring(400, 34))
        expect(page.locator(".graph-caption")).to_contain_text("Placing 400 nodes")
        self.give(page, "wide.json", ring(5, 11))
        expect(page.locator(".graph-status").get_by_role("alert")).to_be_visible()
        # In so many turns it would be placed, with an answer that is gone: the browser would complain.
        page.evaluate("async () => { for (let turn = 0; turn < 100; ++turn) await new Promise((done) => setTimeout(done)); }")
        expect(page.locator(".graph-card")).to_be_hidden()

    def test_whole_graphs(self):
        page = self.graphs()
        molecule = example("nitropyrene.json")["graph"]
        label = self.ask("ClassifyGraphs", "gat-mutag", molecule)[0]["classification"]["label"]
        page.get_by_role("button", name="A molecule").click()
        expect(page.locator(".graph-summary")).to_contain_text(f"A molecule: {label}.")
        expect(page.locator(".node")).to_have_count(19)
        expect(page.locator(".node[data-row='16']")).to_have_text("N")

    def test_a_file_of_several_graphs(self):
        page = self.graphs()
        page.get_by_role("tabpanel", name="Graphs").get_by_label("Model", exact=True).select_option("gat-mutag")
        carbon = [0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0]  # one bond
        file = safetensors({"x": ("F32", [5, 11], carbon * 5), "edge_index": ("I64", [2, 6], [0, 1, 2, 3, 3, 4, 1, 0, 3, 2, 4, 3]), "graph_ptr": ("I64", [3], [0, 2, 5]), "y": ("I64", [2], [0, 1])})
        self.give(page, "two.safetensors", file)
        expect(page.locator(".graph-summary")).to_contain_text("2 graphs, 5 nodes, 6 edges")
        expect(page.locator(".node")).to_have_count(2)
        page.get_by_label("Graph of the file").select_option("1")
        expect(page.locator(".node")).to_have_count(3)
        expect(page.locator(".graph-details")).to_contain_text("The file says: mutagenic")

    def test_edges(self):
        page = self.graphs()
        page.get_by_role("tabpanel", name="Graphs").get_by_label("Model", exact=True).select_option("gat-cora-links")
        expect(page.locator(".graph-status")).to_contain_text("gat-cora-links has no example here")
        expect(page.locator(".graph-card")).to_be_hidden()
        self.allow("status of 400")
        graph = ring(6, 1433)
        self.give(page, "papers.json", {**graph, "edgeFeatures": [0.5] * 6, "edgeFeatureWidth": 1})
        page.get_by_role("button", name="Answer without the edges' features").click()  # holds for a pair, too
        expect(page.locator(".graph-summary")).to_contain_text("6 nodes, 6 edges")
        page.get_by_text("All 6 edges, surest first, as a table").click()
        wanted = max(edge["classification"]["probability"] for edge in self.ask("ClassifyEdges", "gat-cora-links", graph)[0]["edges"])
        first = page.locator(".graph-listing tbody tr").first.locator(".number").inner_text()
        self.assertAlmostEqual(float(first.rstrip(" %")), 100 * wanted, delta=0.51)
        page.get_by_label("From").fill("0")
        page.get_by_label("To", exact=True).fill("9")
        page.get_by_role("button", name="Ask", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("There is no node 9")
        page.get_by_label("To", exact=True).fill("3")
        page.get_by_role("button", name="Ask", exact=True).click()
        message = {"model": "gat-cora-links", "queries": [{"graph": graph, "edges": [{"source": 0, "target": 3}]}], "options": {"topK": 0}}
        label = self.call("GraphService/ClassifyEdges", message)["answers"][0]["edges"][0]["classification"]["label"]
        expect(page.get_by_text(f"0 → 3: {label}", exact=True)).to_be_visible()

    def test_edge_features_that_the_model_does_not_read(self):
        self.allow("status of 400")
        page = self.graphs()
        self.give(page, "weighed.json", ring(4, 34, edgeFeatures=[0.5] * 4, edgeFeatureWidth=1))
        page.get_by_role("button", name="Answer without the edges' features").click()
        expect(page.locator(".graph-summary")).to_contain_text("4 nodes, 4 edges")

    def test_names_stay_texts(self):
        page = self.graphs()
        query = {"graph": ring(3, 34), "names": ["<img src=x onerror='window.ran = 1'>", "", ""]}
        self.give(page, "named.json", query)
        expect(page.locator(".node")).to_have_count(3)
        page.locator(".node[data-row='1']").click()
        expect(page.locator(".graph-details")).to_contain_text("<img src=x")
        self.assertEqual(page.locator("main img").count(), 0)

    def test_the_programs_that_are_shown_run(self):
        page = self.graphs()
        forms = page.get_by_role("tabpanel", name="Graphs").locator(".request")
        forms.get_by_role("radio", name="curl", exact=True).check()
        answer = subprocess.run(["bash", "-c", forms.locator("code").inner_text()], check=True, capture_output=True, text=True, timeout=60).stdout
        self.assertEqual(len(json.loads(answer)["answers"][0]["nodes"]), 34)
        forms.get_by_role("radio", name="Python", exact=True).check()
        shown = self.run_python(forms.locator("code").inner_text())
        self.assertEqual(shown.count("nodes {"), 34)

    def test_accessible_in_both_themes_and_widths(self):
        def work(page):
            expect(page.locator(".node")).to_have_count(34)
            page.locator(".node[data-row='8']").click()
            page.get_by_text("Attended to by 5").click()
            page.get_by_text("All 34 nodes, as a table").click()

        self.check_everywhere("graphs", work)


class DataTest(PageTest):
    FLAGS = (f"--models={TREE}/weights/gat-mutag",)

    def test_graphs_at_hand_are_those_of_their_script(self):
        subprocess.run([sys.executable, os.path.join(TREE, "scripts/page_graphs.py"), "--check"], check=True)

    def test_only_graphs_whose_model_is_there_are_offered(self):
        page = self.open("graphs")
        expect(page.locator(".graph-summary")).to_contain_text("A molecule")
        expect(page.get_by_role("button", name="Karate club")).to_be_hidden()


if __name__ == "__main__":
    main()
