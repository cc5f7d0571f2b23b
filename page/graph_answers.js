// SPDX-License-Identifier: Apache-2.0
// What answers of heed.v1.GraphService say about the graphs of a file (graph_file.js): classes, shares, attention.
import { element, formatNumber } from "./elements.js";

export function describe(graphs) {
  const nodes = graphs.reduce((sum, graph) => sum + graph.nodeCount, 0);
  const edges = graphs.reduce((sum, graph) => sum + graph.edgeCount, 0);
  return `${graphs.length > 1 ? `${formatNumber(graphs.length)} graphs, ` : ""}${formatNumber(nodes)} nodes, ${formatNumber(edges)} edges`;
}

export function nameOf(graph, row) {
  return graph.names?.[row] ? `${graph.ids[row]} ${graph.names[row]}` : graph.ids[row];
}

// Names of all classes, by index: top_k 0 lists each.
export function labelsOf(kind, answers) {
  const labels = [];
  for (const answer of answers) {
    const first = answer.classification ?? answer.nodes?.[0]?.classification ?? answer.edges?.[0]?.classification;
    for (const { index = 0, label } of first?.top ?? []) labels[index] = label;
    if (first) break;
  }
  return labels;
}

export function sharesOf(classification, count) {
  const shares = new Array(count).fill(0);
  for (const { index = 0, probability = 0 } of classification.top ?? []) shares[index] = probability;
  return shares;
}

export function classBars(classification, labels) {
  return sharesOf(classification, labels.length)
    .map((share, i) => ({ label: labels[i], share, color: (i % 6) + 1 }))
    .sort((one, two) => two.share - one.share);
}

export function fileSays(index, labels) {
  if (index === undefined || index === null || index < 0) return null;
  return element("p", { class: "hint", text: `The file says: ${labels[index] ?? index}` });
}

// Pairs of nodes that an edge joins, each once, without loops.
export function linksOf(graph) {
  const seen = new Set();
  const links = [];
  graph.sources.forEach((source, i) => {
    const target = graph.targets[i];
    const [low, high] = source < target ? [source, target] : [target, source];
    const key = low * graph.nodeCount + high;
    if (low === high || seen.has(key)) return;
    seen.add(key);
    links.push([low, high]);
  });
  return links;
}

// For each node a Map of source row to weight. `head` -1: the mean of all.
export function attentionRows(graph, layer, head) {
  const rowOf = new Map(graph.ids.map((id, row) => [id, row]));
  const heads = layer.headCount ?? 1;
  const rows = graph.ids.map(() => new Map());
  layer.targets?.forEach((target, edge) => {
    let weight = 0;
    for (let h = 0; h < heads; ++h) if (head < 0 || head === h) weight += layer.weights[edge * heads + h];
    if (head < 0) weight /= heads;
    const source = rowOf.get(layer.sources[edge]);
    const own = rows[rowOf.get(target)];
    own?.set(source, (own.get(source) ?? 0) + weight);
  });
  return rows;
}

export function summaryOf(kind, graphs, answers) {
  const counts = new Map();
  let [agreed, known] = [0, 0];
  const count = (label) => counts.set(label, (counts.get(label) ?? 0) + 1);
  answers.forEach((answer, i) => {
    if (answer.classification) {
      count(answer.classification.label);
      if (graphs[i].graphClass !== null && graphs[i].graphClass >= 0)
        [agreed, known] = [agreed + (graphs[i].graphClass === (answer.classification.classIndex ?? 0)), known + 1];
    }
    (answer.nodes ?? answer.edges ?? []).forEach(({ classification }, row) => {
      count(classification.label);
      const said = kind === "ClassifyNodes" ? graphs[i].classes?.[row] : undefined;
      if (said >= 0) [agreed, known] = [agreed + (said === (classification.classIndex ?? 0)), known + 1];
    });
  });
  const parts = [...counts].sort((one, two) => two[1] - one[1]).map(([label, n]) => `${formatNumber(n)} ${label}`);
  const agreement = known ? ` ${formatNumber(agreed)} of ${formatNumber(known)} match the file.` : "";
  return graphs.length === 1 && kind === "ClassifyGraphs"
    ? `${graphs.name}: ${parts[0].slice(2)}.${agreement}`
    : `${describe(graphs)}: ${parts.join(", ")}.${agreement}`;
}
