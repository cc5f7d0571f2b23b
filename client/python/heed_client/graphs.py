# SPDX-License-Identifier: Apache-2.0
"""GraphService: classes of nodes, edges and graphs; stored graphs."""

from __future__ import annotations

from typing import (
    TYPE_CHECKING,
    Any,
    AsyncIterator,
    Dict,
    Iterable,
    Iterator,
    List,
    Optional,
    Tuple,
    Type,
    Union,
    overload,
)

from heed.v1 import graphs_pb2 as pb

from heed_client.async_transport import AnyIterable, AsyncTransport, each
from heed_client.calls import Call, Known, Listing, MaybeCall, Method, Repeat, nothing, options_message, strings, whole
from heed_client.transport import Transport

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from heed_client.options import ClassifyOptions, EdgeIds, GraphUpdate

Array = Any  # lists of numbers, or an array of NumPy or PyTorch
QueriedGraph = Union[str, pb.StoredGraph, pb.Graph]
EdgeId = Tuple[int, int]

CLASSIFY_NODES = Method("heed.v1.GraphService/ClassifyNodes", pb.ClassifyNodesRequest, pb.ClassifyNodesResponse)
CLASSIFY_EDGES = Method("heed.v1.GraphService/ClassifyEdges", pb.ClassifyEdgesRequest, pb.ClassifyEdgesResponse)
CLASSIFY_GRAPHS = Method("heed.v1.GraphService/ClassifyGraphs", pb.ClassifyGraphsRequest, pb.ClassifyGraphsResponse)
PUT_GRAPH = Method("heed.v1.GraphService/PutGraph", pb.PutGraphRequest, pb.PutGraphResponse)
UPDATE_GRAPH = Method("heed.v1.GraphService/UpdateGraph", pb.UpdateGraphRequest, pb.UpdateGraphResponse)
GET_GRAPH = Method("heed.v1.GraphService/GetGraph", pb.GetGraphRequest, pb.GetGraphResponse)
LIST_GRAPHS = Method("heed.v1.GraphService/ListGraphs", pb.ListGraphsRequest, pb.ListGraphsResponse)
DELETE_GRAPH = Method("heed.v1.GraphService/DeleteGraph", pb.DeleteGraphRequest, pb.DeleteGraphResponse)
_CLASSIFY: Dict[Type[Any], Method[Any, Any]] = {
    method.request_type: method for method in (CLASSIFY_NODES, CLASSIFY_EDGES, CLASSIFY_GRAPHS)
}


def _numbers(values: Array) -> List[Any]:
    """Any nesting of lists, or an array of NumPy or PyTorch, as a flat list."""
    if hasattr(values, "reshape"):
        flat: List[Any] = values.reshape(-1).tolist()
        return flat
    return [number for row in values for number in (row if hasattr(row, "__iter__") else [row])]


def _shape(values: Array) -> Tuple[int, ...]:
    """Of an array, or of lists as far as their first members tell; () of a number."""
    if hasattr(values, "shape"):
        return tuple(values.shape)
    if isinstance(values, (list, tuple)):
        return (len(values), *(_shape(values[0]) if values else ()))
    return ()


def make_features(x: Array) -> pb.NodeFeatures:
    """NodeFeatures from rows of numbers: a list of lists, or an array [nodes, width]. For sparse rows build the message.
    ValueError: not rows of numbers, or rows of different lengths."""
    shape = _shape(x)
    if len(shape) != 2 and shape != (0,):
        raise ValueError(f"x has shape {list(shape)}, but it must be [nodes, width]")
    rows = list(x)
    if any(len(row) != len(rows[0]) for row in rows):
        raise ValueError("x has rows of different lengths")
    return pb.NodeFeatures(width=shape[1] if len(shape) == 2 else 0, values=_numbers(x))


def make_graph(x: Array, edge_index: Array, edge_attr: Array = None, node_ids: Array = None) -> pb.Graph:
    """A Graph as PyTorch Geometric has it: x [nodes, width] (or NodeFeatures), edge_index [2, edges] (sources and targets,
    as rows of x), edge_attr [edges, width], or [edges] for one number each; each a list of lists or an array. ValueError
    names the shapes where they do not fit."""
    if _shape(edge_index)[:1] != (2,):
        raise ValueError(f"edge_index has shape {list(_shape(edge_index))}, but it must be [2, edges]")
    sources, targets = edge_index
    graph = pb.Graph(
        features=x if isinstance(x, pb.NodeFeatures) else make_features(x),
        node_ids=_numbers(node_ids) if node_ids is not None else None,
        edge_sources=_numbers(sources),
        edge_targets=_numbers(targets),
    )
    if edge_attr is not None:
        shape, edges = _shape(edge_attr), len(graph.edge_sources)
        if len(shape) not in (1, 2) or shape[0] != edges:
            raise ValueError(f"edge_attr has shape {list(shape)}, but edge_index [2, {edges}] needs [{edges}, width]")
        graph.edge_features.extend(_numbers(edge_attr))
        graph.edge_feature_width = shape[1] if len(shape) == 2 else 1
        if len(graph.edge_features) != edges * graph.edge_feature_width:
            raise ValueError("edge_attr has rows of different lengths")
    return graph


def make_classify_options(**options: Unpack[ClassifyOptions]) -> pb.GraphQueryOptions:
    """GraphQueryOptions from keywords: its fields' names. None leaves a field to the server's default."""
    return options_message(pb.GraphQueryOptions, "classify options", **options)


def _edge_ids(edges: EdgeIds) -> List[pb.GraphEdgeId]:
    return [pb.GraphEdgeId(source=int(source), target=int(target)) for source, target in edges]


def _on(graph: QueriedGraph) -> Dict[str, Any]:
    """What a query is on."""
    if isinstance(graph, pb.Graph):
        return {"graph": graph}
    return {"stored": graph if isinstance(graph, pb.StoredGraph) else pb.StoredGraph(name=graph)}


def classify_call(
    request_type: Type[Any], queries: Iterable[Any], model: str, model_version: int, options: Dict[str, Any]
) -> Call[Any]:
    request = request_type(
        model=model, model_version=model_version, queries=queries, options=make_classify_options(**options)
    )
    return _CLASSIFY[request_type].call(request, whole)


def classify_nodes_call(
    graph: QueriedGraph, nodes: Array, model: str, model_version: int, options: Dict[str, Any]
) -> MaybeCall[List[Tuple[int, pb.GraphClassification]]]:
    query = pb.ClassifyNodesRequest.Query(**_on(graph))
    if nodes is not None:
        query.nodes.extend(_numbers(nodes))
        if not query.nodes:
            return Known([])  # an empty list would ask for all
    request = pb.ClassifyNodesRequest(
        model=model, model_version=model_version, queries=[query], options=make_classify_options(**options)
    )
    return CLASSIFY_NODES.call(
        request, lambda response: [(node.id, node.classification) for node in response.answers[0].nodes]
    )


def classify_edges_call(
    graph: QueriedGraph, edges: Optional[EdgeIds], model: str, model_version: int, options: Dict[str, Any]
) -> MaybeCall[List[Tuple[EdgeId, pb.GraphClassification]]]:
    query = pb.ClassifyEdgesRequest.Query(**_on(graph))
    if edges is not None:
        query.edges.extend(_edge_ids(edges))
        if not query.edges:
            return Known([])
    request = pb.ClassifyEdgesRequest(
        model=model, model_version=model_version, queries=[query], options=make_classify_options(**options)
    )
    return CLASSIFY_EDGES.call(
        request,
        lambda response: [
            ((edge.id.source, edge.id.target), edge.classification) for edge in response.answers[0].edges
        ],
    )


def classify_graphs_call(
    graphs: Iterable[QueriedGraph], model: str, model_version: int, options: Dict[str, Any]
) -> MaybeCall[List[pb.GraphClassification]]:
    queries = [pb.ClassifyGraphsRequest.Query(**_on(graph)) for graph in graphs]
    if not queries:
        return Known([])
    request = pb.ClassifyGraphsRequest(
        model=model, model_version=model_version, queries=queries, options=make_classify_options(**options)
    )
    return CLASSIFY_GRAPHS.call(request, lambda response: [answer.classification for answer in response.answers])


def _first_part(name: str, precompute: Iterable[str]) -> pb.PutGraphRequest:
    return pb.PutGraphRequest(name=name, precompute=strings(precompute, "precompute", "models"))


def _parts(first: pb.PutGraphRequest, parts: Iterable[pb.Graph]) -> Iterator[pb.PutGraphRequest]:
    request = first
    for part in parts:
        request.part.CopyFrom(part)
        yield request
        request = pb.PutGraphRequest()


async def _parts_async(first: pb.PutGraphRequest, parts: AnyIterable[pb.Graph]) -> AsyncIterator[pb.PutGraphRequest]:
    request = first
    async for part in each(parts):
        request.part.CopyFrom(part)
        yield request
        request = pb.PutGraphRequest()


def _stored(response: Union[pb.PutGraphResponse, pb.UpdateGraphResponse, pb.GetGraphResponse]) -> pb.GraphInfo:
    return response.graph


def update_graph_call(name: str, expected_version: Optional[int], update: Dict[str, Any]) -> Call[pb.GraphInfo]:
    for field in ("remove_edges", "add_edges"):
        if field in update:
            update[field] = _edge_ids(update[field])
    for field in ("add_features", "change_features"):
        if field in update and not isinstance(update[field], pb.NodeFeatures):
            update[field] = make_features(update[field])
    request = pb.UpdateGraphRequest(
        name=name, expected_version=expected_version, update=options_message(pb.GraphUpdate, "graph update", **update)
    )
    return UPDATE_GRAPH.call(request, _stored)


def get_graph_call(name: str) -> Call[pb.GraphInfo]:
    # A missing server is reported at once, as with lists.
    return GET_GRAPH.call(pb.GetGraphRequest(name=name), _stored, repeat=Repeat.IF_REFUSED)


def graphs_listing() -> Listing[pb.GraphInfo]:
    return LIST_GRAPHS.listing(pb.ListGraphsRequest(), lambda page: page.graphs)


def delete_graph_call(name: str, expected_version: Optional[int]) -> Call[None]:
    return DELETE_GRAPH.call(pb.DeleteGraphRequest(name=name, expected_version=expected_version), nothing)


class GraphMethods(Transport):
    """Of Client."""

    def classify_nodes(
        self,
        graph: QueriedGraph,
        nodes: Array = None,
        model: str = "",
        model_version: int = 0,
        **options: Unpack[ClassifyOptions],
    ) -> List[Tuple[int, pb.GraphClassification]]:
        """A GraphClassification of each of `nodes` (ids; None: all) as [(id, GraphClassification)]. `graph` is a stored
        graph's name, a StoredGraph (an expected version, unseen nodes), or a Graph (see make_graph). Options: see
        make_classify_options."""
        return self._run(classify_nodes_call(graph, nodes, model, model_version, {**options}))

    def classify_edges(
        self,
        graph: QueriedGraph,
        edges: Optional[EdgeIds] = None,
        model: str = "",
        model_version: int = 0,
        **options: Unpack[ClassifyOptions],
    ) -> List[Tuple[EdgeId, pb.GraphClassification]]:
        """The same of pairs of ids (None: all edges of the graph), as [((source, target), GraphClassification)]."""
        return self._run(classify_edges_call(graph, edges, model, model_version, {**options}))

    def classify_graphs(
        self,
        graphs: Iterable[QueriedGraph],
        model: str = "",
        model_version: int = 0,
        **options: Unpack[ClassifyOptions],
    ) -> List[pb.GraphClassification]:
        """The GraphClassification of each whole graph, in order; they travel in one request."""
        return self._run(classify_graphs_call(graphs, model, model_version, {**options}))

    @overload
    def classify(
        self,
        request_type: Type[pb.ClassifyNodesRequest],
        queries: Iterable[pb.ClassifyNodesRequest.Query],
        model: str = "",
        model_version: int = 0,
        **options: Unpack[ClassifyOptions],
    ) -> pb.ClassifyNodesResponse: ...

    @overload
    def classify(
        self,
        request_type: Type[pb.ClassifyEdgesRequest],
        queries: Iterable[pb.ClassifyEdgesRequest.Query],
        model: str = "",
        model_version: int = 0,
        **options: Unpack[ClassifyOptions],
    ) -> pb.ClassifyEdgesResponse: ...

    @overload
    def classify(
        self,
        request_type: Type[pb.ClassifyGraphsRequest],
        queries: Iterable[pb.ClassifyGraphsRequest.Query],
        model: str = "",
        model_version: int = 0,
        **options: Unpack[ClassifyOptions],
    ) -> pb.ClassifyGraphsResponse: ...

    def classify(
        self,
        request_type: Type[Any],
        queries: Iterable[Any],
        model: str = "",
        model_version: int = 0,
        **options: Unpack[ClassifyOptions],
    ) -> Any:
        """The server's whole response to a ClassifyNodesRequest, ClassifyEdgesRequest or ClassifyGraphsRequest: also
        attention and where the answers came from."""
        return self._run(classify_call(request_type, queries, model, model_version, {**options}))

    def put_graph(
        self, name: str, graph: Union[pb.Graph, Iterable[pb.Graph]], precompute: Iterable[str] = ()
    ) -> pb.GraphInfo:
        """Stores a Graph, or an iterable of Graphs that are its parts in order; the GraphInfo of its new version."""
        first = _first_part(name, precompute)
        parts = [graph] if isinstance(graph, pb.Graph) else graph
        return self._upload(PUT_GRAPH, _parts(first, parts), _stored)

    def update_graph(
        self, name: str, expected_version: Optional[int] = None, **update: Unpack[GraphUpdate]
    ) -> pb.GraphInfo:
        """Changes a stored graph in one new version, whose GraphInfo it returns. Keywords are the fields of GraphUpdate;
        edges are pairs of ids, features rows of numbers."""
        return self._run(update_graph_call(name, expected_version, {**update}))

    def get_graph(self, name: str) -> pb.GraphInfo:
        """The GraphInfo of a stored graph."""
        return self._run(get_graph_call(name))

    def list_graphs(self) -> List[pb.GraphInfo]:
        """The GraphInfo of every stored graph, by name."""
        return self._list(graphs_listing())

    def delete_graph(self, name: str, expected_version: Optional[int] = None) -> None:
        """Deletes a stored graph, if it is at the expected version."""
        self._run(delete_graph_call(name, expected_version))


class AsyncGraphMethods(AsyncTransport):
    """Of AsyncClient: GraphMethods as coroutines."""

    async def classify_nodes(
        self,
        graph: QueriedGraph,
        nodes: Array = None,
        model: str = "",
        model_version: int = 0,
        **options: Unpack[ClassifyOptions],
    ) -> List[Tuple[int, pb.GraphClassification]]:
        """As Client.classify_nodes."""
        return await self._run(classify_nodes_call(graph, nodes, model, model_version, {**options}))

    async def classify_edges(
        self,
        graph: QueriedGraph,
        edges: Optional[EdgeIds] = None,
        model: str = "",
        model_version: int = 0,
        **options: Unpack[ClassifyOptions],
    ) -> List[Tuple[EdgeId, pb.GraphClassification]]:
        """As Client.classify_edges."""
        return await self._run(classify_edges_call(graph, edges, model, model_version, {**options}))

    async def classify_graphs(
        self,
        graphs: Iterable[QueriedGraph],
        model: str = "",
        model_version: int = 0,
        **options: Unpack[ClassifyOptions],
    ) -> List[pb.GraphClassification]:
        """As Client.classify_graphs."""
        return await self._run(classify_graphs_call(graphs, model, model_version, {**options}))

    @overload
    async def classify(
        self,
        request_type: Type[pb.ClassifyNodesRequest],
        queries: Iterable[pb.ClassifyNodesRequest.Query],
        model: str = "",
        model_version: int = 0,
        **options: Unpack[ClassifyOptions],
    ) -> pb.ClassifyNodesResponse: ...

    @overload
    async def classify(
        self,
        request_type: Type[pb.ClassifyEdgesRequest],
        queries: Iterable[pb.ClassifyEdgesRequest.Query],
        model: str = "",
        model_version: int = 0,
        **options: Unpack[ClassifyOptions],
    ) -> pb.ClassifyEdgesResponse: ...

    @overload
    async def classify(
        self,
        request_type: Type[pb.ClassifyGraphsRequest],
        queries: Iterable[pb.ClassifyGraphsRequest.Query],
        model: str = "",
        model_version: int = 0,
        **options: Unpack[ClassifyOptions],
    ) -> pb.ClassifyGraphsResponse: ...

    async def classify(
        self,
        request_type: Type[Any],
        queries: Iterable[Any],
        model: str = "",
        model_version: int = 0,
        **options: Unpack[ClassifyOptions],
    ) -> Any:
        """As Client.classify."""
        return await self._run(classify_call(request_type, queries, model, model_version, {**options}))

    async def put_graph(
        self, name: str, graph: Union[pb.Graph, AnyIterable[pb.Graph]], precompute: Iterable[str] = ()
    ) -> pb.GraphInfo:
        """As Client.put_graph; the parts may come from an asynchronous iterable."""
        first = _first_part(name, precompute)
        parts = [graph] if isinstance(graph, pb.Graph) else graph
        return await self._upload(PUT_GRAPH, _parts_async(first, parts), _stored)

    async def update_graph(
        self, name: str, expected_version: Optional[int] = None, **update: Unpack[GraphUpdate]
    ) -> pb.GraphInfo:
        """As Client.update_graph."""
        return await self._run(update_graph_call(name, expected_version, {**update}))

    async def get_graph(self, name: str) -> pb.GraphInfo:
        """As Client.get_graph."""
        return await self._run(get_graph_call(name))

    async def list_graphs(self) -> List[pb.GraphInfo]:
        """As Client.list_graphs."""
        return await self._list(graphs_listing())

    async def delete_graph(self, name: str, expected_version: Optional[int] = None) -> None:
        """As Client.delete_graph."""
        await self._run(delete_graph_call(name, expected_version))
