// SPDX-License-Identifier: Apache-2.0
// Reads graph files: Heed's (.safetensors, docs/graphs.md), and JSON of a heed.v1.Graph, or of a request that has some.

// A file above this is refused before it is read. The server has limits of its own.
export const MAX_FILE_BYTES = 16 * 2 ** 20;
// Nodes of a file, of all its graphs. Above this a tab has not the memory for them.
const MAX_FILE_NODES = 1_000_000;
const MAX_HEADER_BYTES = 2 ** 20;
const TYPES = { F64: 8, F32: 4, F16: 2, BF16: 2, I64: 8, I32: 4 };

// What the message says, begins with the file's name.
export class GraphFileError extends Error {}

// A graph of a file. `message` is a heed.v1.Graph as JSON. `ids` are the nodes' ids as texts, `sources` and `targets` the
// edges' rows. `names` of the nodes, `classes`: what the file says each node's class is, `graphClass`: the whole graph's;
// null where it does not say.
export class FileGraph {
  constructor({ message, nodeCount, names = null, classes = null, graphClass = null }) {
    this.message = message;
    this.nodeCount = nodeCount;
    this.ids = message.nodeIds?.length ? message.nodeIds.map(String) : Array.from({ length: nodeCount }, (_, row) => String(row));
    this.sources = (message.edgeSources ?? []).map(Number);
    this.targets = (message.edgeTargets ?? []).map(Number);
    this.names = names;
    this.classes = classes;
    this.graphClass = graphClass;
  }

  get edgeCount() {
    return this.sources.length;
  }

  get hasEdgeFeatures() {
    return Number(this.message.edgeFeatureWidth ?? 0) > 0;
  }
}

// The FileGraphs of a File of the browser.
export async function readGraphFile(file) {
  if (file.size > MAX_FILE_BYTES) {
    throw new GraphFileError(`${file.name} has ${file.size} bytes. This page reads graph files of at most ${MAX_FILE_BYTES} bytes.`);
  }
  const bytes = await file.arrayBuffer();
  const first = new Uint8Array(bytes, 0, Math.min(bytes.byteLength, 64)).find((byte) => byte > 32);
  if (file.name.toLowerCase().endsWith(".json") || (first === 0x7b && !file.name.endsWith(".safetensors"))) {
    return graphsOfJson(file.name, new TextDecoder().decode(bytes));
  }
  return graphsOfTensors(file.name, readTensors(file.name, bytes));
}

function tooMany(nodes) {
  return `has ${nodes} nodes or more. This page reads graph files of at most ${MAX_FILE_NODES} nodes.`;
}

// ------------------------------------------------------------------------------------------------ safetensors

// {name: {shape, values}} of the tensors that a graph file may have. Others are passed over.
function readTensors(name, buffer) {
  const fail = (what) => {
    throw new GraphFileError(`${name}: ${what}`);
  };
  if (buffer.byteLength < 8) fail(`the file has ${buffer.byteLength} bytes, a graph file has at least 8`);
  const view = new DataView(buffer);
  const headerBytes = Number(view.getBigUint64(0, true));
  if (headerBytes > Math.min(MAX_HEADER_BYTES, buffer.byteLength - 8)) {
    fail(`is no safetensors file: its header would have ${headerBytes} bytes, the file has ${buffer.byteLength}`);
  }
  let header;
  try {
    header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, headerBytes)));
  } catch {
    fail("is no safetensors file: its header is not JSON");
  }
  const known = ["x", "x_indptr", "x_indices", "x_values", "x_shape", "edge_index", "edge_attr", "node_id", "y", "graph_ptr"];
  const tensors = {};
  for (const key of known) {
    const entry = header[key];
    if (!entry) continue;
    const size = TYPES[entry.dtype];
    if (!size) fail(`tensor '${key}' is ${entry.dtype}; numbers are F32, F16, BF16 or F64, indices I64 or I32`);
    if (!Array.isArray(entry.shape) || !entry.shape.every((n) => Number.isSafeInteger(n) && n >= 0)) fail(`tensor '${key}' has no shape`);
    const count = entry.shape.reduce((product, n) => product * n, 1);
    const [begin, end] = entry.data_offsets ?? [];
    if (!(begin >= 0 && end >= begin && 8 + headerBytes + end <= buffer.byteLength)) {
      fail(`tensor '${key}' ends at byte ${8 + headerBytes + end} of ${buffer.byteLength}`);
    }
    if (end - begin !== count * size)
      fail(`tensor '${key}' [${entry.shape.join(", ")}] of ${entry.dtype} takes ${count * size} bytes, and has ${end - begin}`);
    tensors[key] = {
      shape: entry.shape,
      isIndex: entry.dtype[0] === "I",
      values: numbersOf(view, 8 + headerBytes + begin, count, entry.dtype),
    };
    // Ids may be beyond what a double holds.
    if (key === "node_id" && entry.dtype === "I64")
      tensors[key].texts = Array.from({ length: count }, (_, i) => String(view.getBigInt64(8 + headerBytes + begin + 8 * i, true)));
  }
  return tensors;
}

function numbersOf(view, offset, count, type) {
  const read = {
    F64: (at) => view.getFloat64(at, true),
    F32: (at) => view.getFloat32(at, true),
    F16: (at) => halfToNumber(view.getUint16(at, true)),
    BF16: (at) => bfloatToNumber(view.getUint16(at, true)),
    I64: (at) => Number(view.getBigInt64(at, true)),
    I32: (at) => view.getInt32(at, true),
  }[type];
  const values = new Float64Array(count);
  for (let i = 0; i < count; ++i) values[i] = read(offset + i * TYPES[type]);
  return values;
}

function halfToNumber(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024));
}

const bfloat = new DataView(new ArrayBuffer(4));

function bfloatToNumber(bits) {
  bfloat.setUint32(0, bits << 16);
  return bfloat.getFloat32(0);
}

// JSON has no other numbers, and a float's shortest decimal is shorter than its double's.
function shorten(value) {
  return Number(Math.fround(value).toPrecision(8));
}

function graphsOfTensors(name, tensors) {
  const fail = (what) => {
    throw new GraphFileError(`${name}: ${what}`);
  };
  const shapeOf = (key) => `[${tensors[key].shape.join(", ")}]`;
  const index = (key) => {
    if (!tensors[key]) fail(`tensor '${key}' is missing`);
    if (!tensors[key].isIndex) fail(`tensor '${key}' must be of whole numbers (I64 or I32)`);
    return tensors[key];
  };
  const edges = index("edge_index");
  if (edges.shape.length !== 2 || edges.shape[0] !== 2) fail(`edge_index is ${shapeOf("edge_index")}, but it must be [2, edges]`);
  const rows = featureRows(tensors, fail, index);
  const nodes = rows.count;
  if (nodes > MAX_FILE_NODES) fail(tooMany(nodes));
  const edgeCount = edges.shape[1];
  for (let i = 0; i < 2 * edgeCount; ++i) {
    if (edges.values[i] < 0 || edges.values[i] >= nodes)
      fail(`edge ${i % edgeCount} names node ${edges.values[i]}; the nodes are 0 to ${nodes - 1}`);
  }
  const attributes = tensors.edge_attr;
  if (attributes && attributes.shape[0] !== edgeCount) fail(`edge_attr is ${shapeOf("edge_attr")}, but there are ${edgeCount} edges`);
  const ids = tensors.node_id && index("node_id");
  if (ids && ids.values.length !== nodes) fail(`node_id has ${ids.values.length} ids, but there are ${nodes} nodes`);
  const pointers = tensors.graph_ptr ? index("graph_ptr").values : Float64Array.of(0, nodes);
  if (pointers.length < 2 || pointers[0] !== 0 || pointers[pointers.length - 1] !== nodes) {
    fail(`graph_ptr runs from ${pointers[0]} to ${pointers[pointers.length - 1]}, the nodes from 0 to ${nodes}`);
  }
  const graphCount = pointers.length - 1;
  const classes = tensors.y && index("y").values;
  if (classes && classes.length !== (tensors.graph_ptr ? graphCount : nodes)) {
    fail(`y has ${classes.length} classes, but there are ${tensors.graph_ptr ? `${graphCount} graphs` : `${nodes} nodes`}`);
  }
  const graphOf = new Int32Array(nodes);
  for (let g = 0; g < graphCount; ++g) {
    if (pointers[g + 1] < pointers[g]) fail(`graph_ptr falls from ${pointers[g]} to ${pointers[g + 1]}`);
    graphOf.fill(g, pointers[g], pointers[g + 1]);
  }
  const edgesOf = Array.from({ length: graphCount }, () => []);
  for (let i = 0; i < edgeCount; ++i) {
    const [source, target] = [edges.values[i], edges.values[edgeCount + i]];
    if (graphOf[source] !== graphOf[target])
      fail(`edge ${i} joins node ${source} of graph ${graphOf[source]} and node ${target} of graph ${graphOf[target]}`);
    edgesOf[graphOf[source]].push(i);
  }
  const edgeWidth = attributes ? (attributes.shape[1] ?? 1) : 0;
  return edgesOf.map((own, g) => {
    const [begin, end] = [pointers[g], pointers[g + 1]];
    const message = {
      features: rows.message(begin, end),
      edgeSources: own.map((i) => edges.values[i] - begin),
      edgeTargets: own.map((i) => edges.values[edgeCount + i] - begin),
    };
    if (ids) message.nodeIds = ids.texts?.slice(begin, end) ?? Array.from(ids.values.subarray(begin, end));
    if (edgeWidth) {
      message.edgeFeatures = own.flatMap((i) => Array.from(attributes.values.subarray(i * edgeWidth, (i + 1) * edgeWidth), shorten));
      message.edgeFeatureWidth = edgeWidth;
    }
    return new FileGraph({
      message,
      nodeCount: end - begin,
      classes: classes && !tensors.graph_ptr ? Array.from(classes) : null,
      graphClass: classes && tensors.graph_ptr ? classes[g] : null,
    });
  });
}

// {count, message(begin, end)}: the nodes' features, of which message() makes a NodeFeatures of some rows.
function featureRows(tensors, fail, index) {
  const { x } = tensors;
  if (x) {
    if (x.shape.length !== 2) fail(`x is [${x.shape.join(", ")}], but it must be [nodes, features]`);
    const [count, width] = x.shape;
    if (width === 0) fail(`x is [${count}, 0], but a node has at least 1 feature`);
    const zeros = x.values.reduce((sum, value) => sum + (value === 0), 0);
    const rowMessage = (begin, end) => {
      const part = x.values.subarray(begin * width, end * width);
      return zeros > 0.6 * x.values.length ? sparseMessage(part, width) : { width, values: Array.from(part, shorten) };
    };
    return { count, message: rowMessage };
  }
  if (!tensors.x_indptr) fail("has neither tensor 'x' nor 'x_indptr'");
  const [ends, columns, shape] = [index("x_indptr").values, index("x_indices").values, index("x_shape").values];
  const values = tensors.x_values?.values ?? fail("tensor 'x_values' is missing");
  const [count, width] = shape;
  if (ends.length !== count + 1) fail(`x_indptr has ${ends.length} entries, but x_shape says ${count} rows`);
  if (ends[count] !== values.length || columns.length !== values.length) {
    fail(`x_indptr ends at ${ends[count]}, x_values has ${values.length} and x_indices ${columns.length} entries`);
  }
  return {
    count,
    message: (begin, end) => ({
      width,
      values: Array.from(values.subarray(ends[begin], ends[end]), shorten),
      rowEnds: Array.from(ends.subarray(begin + 1, end + 1), (at) => at - ends[begin]),
      columns: Array.from(columns.subarray(ends[begin], ends[end])),
    }),
  };
}

function sparseMessage(dense, width) {
  const message = { width, values: [], rowEnds: [], columns: [] };
  for (let i = 0; i < dense.length; ++i) {
    if (dense[i] !== 0) {
      message.values.push(shorten(dense[i]));
      message.columns.push(i % width);
    }
    if (i % width === width - 1) message.rowEnds.push(message.values.length);
  }
  return message;
}

// ------------------------------------------------------------------------------------------------ JSON

// The text may be a Graph, a request, {queries: [{graph}]}, or one of its queries, which may have names and classes of
// the nodes beside the graph.
export function graphsOfJson(name, text) {
  const fail = (what) => {
    throw new GraphFileError(`${name}: ${what}`);
  };
  let top;
  try {
    top = JSON.parse(text);
  } catch (error) {
    fail(`is not JSON: ${error.message}`);
  }
  const queries = Array.isArray(top?.queries) ? top.queries : [top?.graph ? top : { graph: top }];
  if (!queries.length) fail("'queries' is empty");
  let nodes = 0;
  return queries.map((query, i) => {
    const at = queries.length > 1 ? `queries[${i}].graph` : "the graph";
    const graph = camelCase(query.graph ?? {});
    if (query.stored) fail(`queries[${i}] names a stored graph; this page draws graphs that the request brings`);
    if (!graph.features) fail(`${at} has no 'features'; it must be a heed.v1.Graph, or a request with 'queries'`);
    const nodeCount = countNodes(graph, at, fail);
    nodes += nodeCount;
    if (nodes > MAX_FILE_NODES) fail(tooMany(nodes));
    checkEdges(graph, nodeCount, at, fail);
    const classes = Array.isArray(query.classes) ? query.classes.map(Number) : null;
    if (classes && classes.length !== nodeCount) fail(`'classes' has ${classes.length} entries, but ${at} has ${nodeCount} nodes`);
    const names = Array.isArray(query.names) ? query.names.map(String) : null;
    return new FileGraph({ message: graph, nodeCount, names, classes });
  });
}

// Protobuf's JSON may be in snake_case, too.
function camelCase(value) {
  if (Array.isArray(value) || typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase()), camelCase(inner)]),
  );
}

function countNodes({ features, nodeIds }, at, fail) {
  const width = Number(features.width ?? 0);
  if (features.rowEnds?.length) return features.rowEnds.length;
  const count = width > 0 ? (features.values ?? []).length / width : (nodeIds ?? []).length;
  if (!Number.isInteger(count))
    fail(`${at}: features.values has ${features.values.length} numbers, which is no multiple of width ${width}`);
  return count;
}

function checkEdges({ edgeSources = [], edgeTargets = [] }, nodeCount, at, fail) {
  if (edgeSources.length !== edgeTargets.length)
    fail(`${at}: edgeSources has ${edgeSources.length} entries, edgeTargets ${edgeTargets.length}`);
  for (const end of [...edgeSources, ...edgeTargets].map(Number)) {
    if (!(Number.isInteger(end) && end >= 0 && end < nodeCount))
      fail(`${at}: an edge names node ${end}; the nodes are 0 to ${nodeCount - 1}`);
  }
}
