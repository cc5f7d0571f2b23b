"""Client of a Heed server.

    with Client("127.0.0.1:50051") as client:
        print(client.translate(["Good morning."]))
        print(client.classify_nodes("cora", [0, 5, 9], model="gat-cora"))
        for text, sentence, translation in client.stream(["Good morning. How are you?"]):
            print(text, sentence, translation)

The stubs beneath it are written by generate.sh, once. Errors of the server arrive as grpc.RpcError; a full queue
(RESOURCE_EXHAUSTED) is tried again until the deadline.
"""

import random
import time

import grpc

try:
    from heed.v1 import graphs_pb2, graphs_pb2_grpc, models_pb2, models_pb2_grpc, translation_pb2, translation_pb2_grpc
except ImportError as error:
    raise ImportError(f"{error}; the stubs are written by client/python/generate.sh") from error

EARLY_STOPPING = {
    "heuristic": translation_pb2.EARLY_STOPPING_HEURISTIC,
    "first": translation_pb2.EARLY_STOPPING_FIRST,
    "never": translation_pb2.EARLY_STOPPING_NEVER,
}


def make_options(**options):
    """TranslateOptions from keywords: its fields' names; early_stopping as "heuristic", "first" or "never", sampling as
    a dictionary of Sampling's fields. None leaves a field to the server's default."""
    options = {name: value for name, value in options.items() if value is not None}
    if "early_stopping" in options:
        name = options["early_stopping"]
        if name not in EARLY_STOPPING:
            raise ValueError(f"early_stopping is {name!r}; it can be {', '.join(map(repr, EARLY_STOPPING))}")
        options["early_stopping"] = EARLY_STOPPING[name]
    if "sampling" in options:
        options["sampling"] = translation_pb2.Sampling(**options["sampling"])
    try:
        return translation_pb2.TranslateOptions(**options)
    except ValueError as error:
        raise ValueError(f"translate options: {error}") from None


def make_classify_options(**options):
    """ClassifyOptions from keywords: its fields' names. None leaves a field to the server's default."""
    try:
        return graphs_pb2.ClassifyOptions(**{name: value for name, value in options.items() if value is not None})
    except ValueError as error:
        raise ValueError(f"classify options: {error}") from None


def _numbers(values):
    """Any nesting of lists, or an array of NumPy or PyTorch, as a flat list."""
    if hasattr(values, "reshape"):
        return values.reshape(-1).tolist()
    return [number for row in values for number in (row if hasattr(row, "__iter__") else [row])]


def make_features(x):
    """Features from rows of numbers: a list of lists, or an array [nodes, width]. For sparse rows build the message."""
    rows = list(x)
    if any(len(row) != len(rows[0]) for row in rows):
        raise ValueError("x has rows of different lengths")
    return graphs_pb2.Features(width=len(rows[0]) if rows else 0, values=_numbers(x))


def make_graph(x, edge_index, edge_attr=None, node_ids=None):
    """A Graph as PyTorch Geometric has it: x [nodes, width] (or Features), edge_index [2, edges] (sources and targets, as
    rows of x), edge_attr [edges, width]; each a list of lists or an array."""
    sources, targets = edge_index
    graph = graphs_pb2.Graph(
        features=x if isinstance(x, graphs_pb2.Features) else make_features(x),
        node_ids=_numbers(node_ids) if node_ids is not None else None,
        edge_sources=_numbers(sources),
        edge_targets=_numbers(targets),
    )
    if edge_attr is not None:
        graph.edge_features.extend(_numbers(edge_attr))
        edges = len(graph.edge_sources)
        graph.edge_feature_width = len(graph.edge_features) // edges if edges else 0
    return graph


def _edge_ids(edges):
    return [graphs_pb2.EdgeId(source=int(source), target=int(target)) for source, target in edges]


class Client:
    """One connection; may be used by many threads at once."""

    def __init__(self, server="127.0.0.1:50051", timeout_s=60.0, max_message_bytes=64 << 20):
        sizes = [("grpc.max_receive_message_length", max_message_bytes), ("grpc.max_send_message_length", -1)]
        self._channel = grpc.insecure_channel(server, options=sizes)
        self._translation = translation_pb2_grpc.TranslationStub(self._channel)
        self._graphs = graphs_pb2_grpc.GraphsStub(self._channel)
        self._models = models_pb2_grpc.ModelsStub(self._channel)
        self._timeout_s = timeout_s

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._channel.close()

    def models(self):
        """A ModelInfo for every model directory of the server, also those that failed to load."""
        return list(self._models.List(models_pb2.ListModelsRequest(), timeout=self._timeout_s).models)

    def translate(self, texts, model="", **options):
        """The translation of each text, in order. Options: see make_options."""
        return [translation.text for translation in self.translate_fully(texts, model, **options).translations]

    def translate_fully(self, texts, model="", **options):
        """The server's whole TranslateResponse: scores, n best, and tokens and attention where asked for."""
        return self._patiently(self._translation.Translate, self._request(texts, model, options))

    def stream(self, texts, model="", on_delta=None, **options):
        """Yields (text index, sentence index, translation) as sentences are finished, in any order. For what a greedy
        translation grew by, on_delta(text index, sentence index, text) is called."""
        for event in self._translation.TranslateStream(self._request(texts, model, options), timeout=self._timeout_s):
            if event.WhichOneof("event") == "sentence":
                hypotheses = event.sentence.hypotheses
                yield event.text_index, event.sentence_index, hypotheses[0].text if hypotheses else ""
            elif on_delta is not None:
                on_delta(event.text_index, event.sentence_index, event.delta)

    def classify_nodes(self, graph, nodes=None, model="", **options):
        """A Classification of each of `nodes` (ids; None: all) as [(id, Classification)]. `graph` is a stored graph's name,
        a StoredGraph (a version, unseen nodes), or a Graph (see make_graph). Options: see make_classify_options."""
        query = graphs_pb2.ClassifyNodesRequest.Query(**self._on(graph))
        if nodes is not None:
            query.nodes.extend(_numbers(nodes))
            if not query.nodes:
                return []  # an empty list would ask for all
        answer = self.classify(graphs_pb2.ClassifyNodesRequest, [query], model, **options).answers[0]
        return [(node.id, node.classification) for node in answer.nodes]

    def classify_edges(self, graph, edges=None, model="", **options):
        """The same of pairs of ids (None: all edges of the graph), as [((source, target), Classification)]."""
        query = graphs_pb2.ClassifyEdgesRequest.Query(**self._on(graph))
        if edges is not None:
            query.edges.extend(_edge_ids(edges))
            if not query.edges:
                return []
        answer = self.classify(graphs_pb2.ClassifyEdgesRequest, [query], model, **options).answers[0]
        return [((edge.id.source, edge.id.target), edge.classification) for edge in answer.edges]

    def classify_graphs(self, graphs, model="", **options):
        """The Classification of each whole graph, in order; they travel in one request."""
        queries = [graphs_pb2.ClassifyGraphsRequest.Query(**self._on(graph)) for graph in graphs]
        if not queries:
            return []
        answers = self.classify(graphs_pb2.ClassifyGraphsRequest, queries, model, **options).answers
        return [answer.classification for answer in answers]

    def classify(self, request_type, queries, model="", **options):
        """The server's whole response to a ClassifyNodesRequest, ClassifyEdgesRequest or ClassifyGraphsRequest: also
        attention and where the answers came from."""
        calls = {
            graphs_pb2.ClassifyNodesRequest: self._graphs.ClassifyNodes,
            graphs_pb2.ClassifyEdgesRequest: self._graphs.ClassifyEdges,
            graphs_pb2.ClassifyGraphsRequest: self._graphs.ClassifyGraphs,
        }
        request = request_type(model=model, queries=queries, options=make_classify_options(**options))
        return self._patiently(calls[request_type], request)

    def put_graph(self, name, graph, precompute=()):
        """Stores a Graph, or an iterable of Graphs that are its parts in order; the GraphInfo of its new version."""
        if isinstance(precompute, str):
            raise TypeError("precompute is a list of models, not one model")
        parts = [graph] if isinstance(graph, graphs_pb2.Graph) else graph

        def requests():
            first = graphs_pb2.PutGraphRequest(name=name, precompute=precompute)
            for part in parts:
                first.part.CopyFrom(part)
                yield first
                first = graphs_pb2.PutGraphRequest()

        return self._graphs.PutGraph(requests(), timeout=self._timeout_s)

    def update_graph(self, name, expected_version=0, **update):
        """Changes a stored graph in one new version, whose GraphInfo it returns. Keywords are the fields of GraphUpdate;
        edges are pairs of ids, features rows of numbers."""
        for field in ("remove_edges", "add_edges"):
            if field in update:
                update[field] = _edge_ids(update[field])
        for field in ("add_features", "change_features"):
            if field in update and not isinstance(update[field], graphs_pb2.Features):
                update[field] = make_features(update[field])
        request = graphs_pb2.UpdateGraphRequest(
            name=name, expected_version=expected_version, update=graphs_pb2.GraphUpdate(**update)
        )
        return self._graphs.UpdateGraph(request, timeout=self._timeout_s)

    def describe_graph(self, name=""):
        """The GraphInfo of one stored graph, or of all of them, as a list."""
        request = graphs_pb2.DescribeGraphRequest(name=name)
        return list(self._graphs.DescribeGraph(request, timeout=self._timeout_s).graphs)

    def delete_graph(self, name):
        self._graphs.DeleteGraph(graphs_pb2.DeleteGraphRequest(name=name), timeout=self._timeout_s)

    def _patiently(self, call, request):
        """Tries again while the server's queue is full."""
        deadline, pause_s = time.monotonic() + self._timeout_s, 0.05
        while True:
            try:
                return call(request, timeout=max(0.001, deadline - time.monotonic()))
            except grpc.RpcError as error:
                full = error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
                if not full or time.monotonic() + pause_s > deadline:
                    raise
            time.sleep(pause_s * random.uniform(0.5, 1))
            pause_s = min(2 * pause_s, 2.0)

    @staticmethod
    def _on(graph):
        """What a query is on."""
        if isinstance(graph, graphs_pb2.Graph):
            return {"graph": graph}
        return {"stored": graph if isinstance(graph, graphs_pb2.StoredGraph) else graphs_pb2.StoredGraph(name=graph)}

    @staticmethod
    def _request(texts, model, options):
        if isinstance(texts, str):
            raise TypeError("texts is a list of texts, not one text")
        return translation_pb2.TranslateRequest(model=model, texts=texts, options=make_options(**options))
