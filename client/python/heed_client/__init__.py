# SPDX-License-Identifier: Apache-2.0
"""Client of a Heed server.

    with Client("127.0.0.1:50051") as client:
        print(client.translate(["Good morning."], "translator-en-de"))
        print(client.classify_nodes("cora", [0, 5, 9], model="gat-cora"))
        for text, sentence, translation in client.stream(["Good morning. How are you?"], "translator-en-de"):
            print(text, sentence, translation)
        print(client.answer(["Mary went to the kitchen."], ["Where is Mary?"]))
        print(client.generate("Once upon a time", "txl-novels").text)

`pip install client/python` brings the stubs beneath it; in the tree generate.sh writes them, once. Errors of the server
arrive as grpc.RpcError. What the server refuses for now, because its queue is full or its model is loading, is tried again
after the delay that it asks for, until the deadline. While there is no server, what changes nothing on it is tried again
for 30 s.
"""

import copy
import ipaddress
import os
import queue
import random
import time

import grpc

try:
    from heed.v1 import graphs_pb2, graphs_pb2_grpc, models_pb2, models_pb2_grpc, translation_pb2, translation_pb2_grpc
    from heed.v1 import language_modeling_pb2_grpc, questions_pb2, questions_pb2_grpc, sequences_pb2, sequences_pb2_grpc
except ImportError as error:
    raise ImportError(
        f"{error}; `pip install client/python` in a virtual environment brings the stubs, client/python/generate.sh writes them"
    ) from error

from heed_client.language import LanguageMethods
from heed_client.texts import make_generate_options, make_score_options

EARLY_STOPPING = {
    "heuristic": translation_pb2.TranslateOptions.EARLY_STOPPING_HEURISTIC,
    "first": translation_pb2.TranslateOptions.EARLY_STOPPING_FIRST,
    "never": translation_pb2.TranslateOptions.EARLY_STOPPING_NEVER,
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
        options["sampling"] = translation_pb2.TranslateOptions.Sampling(**options["sampling"])
    try:
        return translation_pb2.TranslateOptions(**options)
    except ValueError as error:
        raise ValueError(f"translate options: {error}") from None


FORMATS = {
    "plain": translation_pb2.TEXT_FORMAT_PLAIN,
    "html": translation_pb2.TEXT_FORMAT_HTML,
    "xml": translation_pb2.TEXT_FORMAT_XML,
}


def make_translation_fields(source=None, target=None, format=None, glossary=None, keep=None, placeholders=None):
    """What a request says beside its texts and options. source ("auto": detected) and target: languages, "de", "pt-BR".
    format: "plain", "html" or "xml". glossary: phrases and their translations, a dictionary. keep: phrases that are not
    translated. placeholders: whether {name}, %s and the like stay."""
    fields = {}
    if source is not None:
        fields["source_language"] = source
    if target is not None:
        fields["target_language"] = target
    if format is not None:
        if format not in FORMATS:
            raise ValueError(f"format is {format!r}; it can be {', '.join(map(repr, FORMATS))}")
        fields["format"] = FORMATS[format]
    if glossary:
        fields["glossary"] = [
            translation_pb2.GlossaryEntry(source=phrase, target=translation) for phrase, translation in glossary.items()
        ]
    if keep or placeholders:
        if isinstance(keep, str):
            raise TypeError("keep is a list of phrases, not one phrase")
        fields["do_not_translate"] = translation_pb2.DoNotTranslate(phrases=keep or (), placeholders=bool(placeholders))
    return fields


def make_classify_options(**options):
    """GraphQueryOptions from keywords: its fields' names. None leaves a field to the server's default."""
    try:
        return graphs_pb2.GraphQueryOptions(**{name: value for name, value in options.items() if value is not None})
    except ValueError as error:
        raise ValueError(f"classify options: {error}") from None


def make_answer_options(**options):
    """QuestionAnswerOptions from keywords: its fields' names. None leaves a field to the server's default."""
    try:
        return questions_pb2.QuestionAnswerOptions(**{name: value for name, value in options.items() if value is not None})
    except ValueError as error:
        raise ValueError(f"answer options: {error}") from None


def _sentences(values, name):
    if isinstance(values, str):
        raise TypeError(f"{name} is a list of sentences, not one sentence")
    return values


def _session_name(session):
    """Of a QuestionSession, or a name as it is."""
    return session.name if isinstance(session, questions_pb2.QuestionSession) else session


def _numbers(values):
    """Any nesting of lists, or an array of NumPy or PyTorch, as a flat list."""
    if hasattr(values, "reshape"):
        return values.reshape(-1).tolist()
    return [number for row in values for number in (row if hasattr(row, "__iter__") else [row])]


def _shape(values):
    """Of an array, or of lists as far as their first members tell; () of a number."""
    if hasattr(values, "shape"):
        return tuple(values.shape)
    if isinstance(values, (list, tuple)):
        return (len(values), *(_shape(values[0]) if values else ()))
    return ()


def make_features(x):
    """NodeFeatures from rows of numbers: a list of lists, or an array [nodes, width]. For sparse rows build the message.
    ValueError: not rows of numbers, or rows of different lengths."""
    shape = _shape(x)
    if len(shape) != 2 and shape != (0,):
        raise ValueError(f"x has shape {list(shape)}, but it must be [nodes, width]")
    rows = list(x)
    if any(len(row) != len(rows[0]) for row in rows):
        raise ValueError("x has rows of different lengths")
    return graphs_pb2.NodeFeatures(width=shape[1] if len(shape) == 2 else 0, values=_numbers(x))


def make_graph(x, edge_index, edge_attr=None, node_ids=None):
    """A Graph as PyTorch Geometric has it: x [nodes, width] (or NodeFeatures), edge_index [2, edges] (sources and targets, as
    rows of x), edge_attr [edges, width], or [edges] for one number each; each a list of lists or an array. ValueError
    names the shapes where they do not fit."""
    if _shape(edge_index)[:1] != (2,):
        raise ValueError(f"edge_index has shape {list(_shape(edge_index))}, but it must be [2, edges]")
    sources, targets = edge_index
    graph = graphs_pb2.Graph(
        features=x if isinstance(x, graphs_pb2.NodeFeatures) else make_features(x),
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


def _edge_ids(edges):
    return [graphs_pb2.GraphEdgeId(source=int(source), target=int(target)) for source, target in edges]


# Which failed calls run again, and when: client/lib/retry.h has the same policy; see docs/errors.md.
FIRST_DELAY_S = 0.02
MAX_DELAY_S = 2.0  # each delay is twice the one before it, up to this one
UNAVAILABLE_FOR_S = 30.0

_ALWAYS = "always"  # the call changes nothing, or the server knows it by its request_id
_IF_REFUSED = "if refused"  # only if the server says that it did not begin, by asking for a delay


def _asked_delay_s(error):
    """The delay that the server asks for; None: it asks for none. Below 0: it asks not to come back."""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-retry-pushback-ms":
            try:
                return min(int(value), 60_000) / 1000
            except ValueError:
                return -1.0
    return None


class _Backoff:
    """The time that a call may take with all its tries, and the pauses between them."""

    def __init__(self, timeout_s, repeat):
        self._repeat = repeat
        self._deadline = time.monotonic() + timeout_s
        self._first_failure = None
        self._delay_s = FIRST_DELAY_S

    def left_s(self):
        return max(0.001, self._deadline - time.monotonic())

    def _is_final(self, error, asked_s, now):
        if asked_s is not None and asked_s < 0:
            return True
        if error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED:
            return asked_s is None  # what will never fit: a message, a session, a graph
        if error.code() != grpc.StatusCode.UNAVAILABLE:
            return True
        return (asked_s is None and self._repeat != _ALWAYS) or now - self._first_failure >= UNAVAILABLE_FOR_S

    def wait(self, error):
        """Pauses before another try, no less than the server asks for; raises the error where that would not help, or
        not in time."""
        now, asked_s = time.monotonic(), _asked_delay_s(error)
        self._first_failure = self._first_failure or now
        if self._is_final(error, asked_s, now):
            raise error
        delay_s = max(self._delay_s * random.uniform(0.5, 1), asked_s or 0.0)
        if now + delay_s >= self._deadline:
            raise error
        time.sleep(delay_s)
        self._delay_s = min(2 * self._delay_s, MAX_DELAY_S)


def _call_metadata(priority, metadata):
    """What travels with each call. The priority is 1 (the most urgent), 2 or 3."""
    pairs = list(metadata.items() if hasattr(metadata, "items") else metadata)
    if priority is not None:
        if priority not in (1, 2, 3):
            raise ValueError(f"priority is {priority!r}; it can be 1 (the most urgent), 2 or 3")
        pairs.append(("heed-priority", str(priority)))
    return pairs


def _is_loopback(server):
    """Whether what is sent to it stays on this machine."""
    host = server.rpartition(":")[0].removeprefix("[").removesuffix("]")
    if server.startswith("unix:") or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _read(path):
    """A file's bytes; None: there is no file."""
    if path is None:
        return None
    with open(path, "rb") as file:
        return file.read()


class _AddToken(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamUnaryClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    """Adds a token to a call's headers. gRPC's own call credentials exist over TLS alone."""

    class _Details(grpc.ClientCallDetails):
        def __init__(self, details, metadata):
            for name in ("method", "timeout", "credentials", "wait_for_ready", "compression"):
                setattr(self, name, getattr(details, name, None))
            self.metadata = metadata

    def __init__(self, token):
        self._header = ("authorization", f"Bearer {token}")

    def _call(self, continuation, details, request):
        return continuation(self._Details(details, [*(details.metadata or ()), self._header]), request)

    intercept_unary_unary = intercept_unary_stream = _call
    intercept_stream_unary = intercept_stream_stream = _call


class Client(LanguageMethods):
    """One connection; may be used by many threads at once. Each call with all its tries takes timeout_s at most; it has this
    priority (1, the most urgent, to 3; None: the server's default) and metadata, a dictionary or pairs; see with_options.
    With tls=True the connection is encrypted: tls_ca is the file (PEM) of who may have signed the server's certificate
    (None: whom gRPC trusts), tls_cert and tls_key what the client shows. The token is that of token_file or, without one,
    of the environment's HEED_TOKEN; in plain text it is sent to this machine alone, unless insecure_token=True."""

    def __init__(
        self,
        server="127.0.0.1:50051",
        timeout_s=60.0,
        max_message_bytes=64 << 20,
        tls=False,
        tls_ca=None,
        tls_cert=None,
        tls_key=None,
        token_file=None,
        insecure_token=False,
        priority=None,
        metadata=(),
    ):
        if not tls and (tls_ca or tls_cert or tls_key):
            raise ValueError("tls_ca, tls_cert and tls_key are of no use without tls=True")
        token = (_read(token_file) or os.environb.get(b"HEED_TOKEN", b"")).decode().strip()
        if token_file is not None and not token:
            raise ValueError(f"token_file={token_file!r}: holds no token")
        if token and not (tls or insecure_token or _is_loopback(server)):
            raise ValueError(f"the token would travel to {server} in plain text; use tls, or insecure_token if it may")
        sizes = [("grpc.max_receive_message_length", max_message_bytes), ("grpc.max_send_message_length", -1)]
        if tls:
            credentials = grpc.ssl_channel_credentials(_read(tls_ca), _read(tls_key), _read(tls_cert))
            self._connection = grpc.secure_channel(server, credentials, options=sizes)
        else:
            self._connection = grpc.insecure_channel(server, options=sizes)
        self._channel = grpc.intercept_channel(self._connection, _AddToken(token)) if token else self._connection
        self._translation = translation_pb2_grpc.TranslationServiceStub(self._channel)
        self._graphs = graphs_pb2_grpc.GraphServiceStub(self._channel)
        self._models = models_pb2_grpc.ModelServiceStub(self._channel)
        self._questions = questions_pb2_grpc.QuestionAnsweringServiceStub(self._channel)
        self._sequences = sequences_pb2_grpc.SequenceServiceStub(self._channel)
        self._texts = language_modeling_pb2_grpc.LanguageModelingServiceStub(self._channel)
        self._timeout_s = timeout_s
        self._priority = priority
        self._extra_metadata = metadata
        self._metadata = _call_metadata(priority, metadata)

    def with_options(self, timeout_s=None, priority=None, metadata=None):
        """A client over the same connection whose calls differ in what is given here:
        client.with_options(priority=1, metadata={"x-request-id": "7"}).translate(["Hello."])"""
        other = copy.copy(self)
        other._timeout_s = self._timeout_s if timeout_s is None else timeout_s
        other._priority = self._priority if priority is None else priority
        other._extra_metadata = self._extra_metadata if metadata is None else metadata
        other._metadata = _call_metadata(other._priority, other._extra_metadata)
        return other

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._connection.close()

    def models(self):
        """A ModelInfo (name, kind, state, precision, kernel, ...) for every model directory of the server, also those that
        failed to load."""
        return self._list(self._models.ListModels, models_pb2.ListModelsRequest(), "models")

    def load_model(self, name, versions=()):
        """Has the server load the model's new version, its files anew, or these versions; its ModelInfos."""
        request = models_pb2.LoadModelRequest(model=name, versions=versions)
        return list(self._call(self._models.LoadModel, request).versions)

    def unload_model(self, name):
        """Takes the model out of service."""
        self._call(self._models.UnloadModel, models_pb2.UnloadModelRequest(model=name))

    def translate(self, texts, model="", model_version=0, **options):
        """The translation of each text, in order. Without a model, source and target choose one, or two in a chain;
        these and format, glossary, keep and placeholders: see make_translation_fields. model_version, here and below: a
        version of the model; 0: its default one. Options: see make_options."""
        response = self.translate_fully(texts, model, model_version, **options)
        return [translation.text for translation in response.translations]

    def translate_fully(self, texts, model="", model_version=0, **options):
        """The server's whole TranslateResponse: scores, n best, and tokens and attention where asked for; the languages
        and the models that translated each text."""
        request = self._request(translation_pb2.TranslateRequest, texts, model, model_version, options)
        return self._call(self._translation.Translate, request, _ALWAYS)

    def stream(self, texts, model="", on_delta=None, model_version=0, **options):
        """Yields (text index, sentence index, translation) as sentences are finished, in any order. For what a greedy
        translation grew by, on_delta(text index, sentence index, text) is called."""
        request = self._request(translation_pb2.TranslateStreamRequest, texts, model, model_version, options)
        for event in self._stream(self._translation.TranslateStream, request):
            if event.WhichOneof("event") == "sentence":
                hypotheses = event.sentence.hypotheses
                yield event.text_index, event.sentence_index, hypotheses[0].text if hypotheses else ""
            elif on_delta is not None:
                on_delta(event.text_index, event.sentence_index, event.delta)

    def languages(self):
        """The server's ListLanguagesResponse: languages with their names, and pairs with the models that serve them."""
        return self._call(self._translation.ListLanguages, translation_pb2.ListLanguagesRequest(), _ALWAYS)

    def detect(self, texts, languages=()):
        """For each text the guesses [(language, confidence)], likeliest first, among `languages` (none: all that the
        server translates between). At most 1,000 texts."""
        if isinstance(texts, str) or isinstance(languages, str):
            raise TypeError("texts and languages are lists")
        request = translation_pb2.DetectLanguageRequest(texts=texts, languages=languages)
        response = self._call(self._translation.DetectLanguage, request, _ALWAYS)
        return [[(guess.language, guess.confidence) for guess in text.guesses] for text in response.texts]

    def classify_nodes(self, graph, nodes=None, model="", model_version=0, **options):
        """A GraphClassification of each of `nodes` (ids; None: all) as [(id, GraphClassification)]. `graph` is a stored
        graph's name, a StoredGraph (an expected version, unseen nodes), or a Graph (see make_graph). Options: see make_classify_options."""
        query = graphs_pb2.ClassifyNodesRequest.Query(**self._on(graph))
        if nodes is not None:
            query.nodes.extend(_numbers(nodes))
            if not query.nodes:
                return []  # an empty list would ask for all
        answer = self.classify(graphs_pb2.ClassifyNodesRequest, [query], model, model_version, **options).answers[0]
        return [(node.id, node.classification) for node in answer.nodes]

    def classify_edges(self, graph, edges=None, model="", model_version=0, **options):
        """The same of pairs of ids (None: all edges of the graph), as [((source, target), GraphClassification)]."""
        query = graphs_pb2.ClassifyEdgesRequest.Query(**self._on(graph))
        if edges is not None:
            query.edges.extend(_edge_ids(edges))
            if not query.edges:
                return []
        answer = self.classify(graphs_pb2.ClassifyEdgesRequest, [query], model, model_version, **options).answers[0]
        return [((edge.id.source, edge.id.target), edge.classification) for edge in answer.edges]

    def classify_graphs(self, graphs, model="", model_version=0, **options):
        """The GraphClassification of each whole graph, in order; they travel in one request."""
        queries = [graphs_pb2.ClassifyGraphsRequest.Query(**self._on(graph)) for graph in graphs]
        if not queries:
            return []
        answers = self.classify(graphs_pb2.ClassifyGraphsRequest, queries, model, model_version, **options).answers
        return [answer.classification for answer in answers]

    def classify(self, request_type, queries, model="", model_version=0, **options):
        """The server's whole response to a ClassifyNodesRequest, ClassifyEdgesRequest or ClassifyGraphsRequest: also
        attention and where the answers came from."""
        calls = {
            graphs_pb2.ClassifyNodesRequest: self._graphs.ClassifyNodes,
            graphs_pb2.ClassifyEdgesRequest: self._graphs.ClassifyEdges,
            graphs_pb2.ClassifyGraphsRequest: self._graphs.ClassifyGraphs,
        }
        request = request_type(
            model=model, model_version=model_version, queries=queries, options=make_classify_options(**options)
        )
        return self._call(calls[request_type], request, _ALWAYS)

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

        return self._graphs.PutGraph(requests(), timeout=self._timeout_s, metadata=self._metadata).graph

    def update_graph(self, name, expected_version=None, **update):
        """Changes a stored graph in one new version, whose GraphInfo it returns. Keywords are the fields of GraphUpdate;
        edges are pairs of ids, features rows of numbers."""
        for field in ("remove_edges", "add_edges"):
            if field in update:
                update[field] = _edge_ids(update[field])
        for field in ("add_features", "change_features"):
            if field in update and not isinstance(update[field], graphs_pb2.NodeFeatures):
                update[field] = make_features(update[field])
        request = graphs_pb2.UpdateGraphRequest(
            name=name, expected_version=expected_version, update=graphs_pb2.GraphUpdate(**update)
        )
        return self._call(self._graphs.UpdateGraph, request).graph

    def get_graph(self, name):
        """The GraphInfo of a stored graph."""
        return self._call(self._graphs.GetGraph, graphs_pb2.GetGraphRequest(name=name)).graph

    def list_graphs(self):
        """The GraphInfo of every stored graph, by name."""
        return self._list(self._graphs.ListGraphs, graphs_pb2.ListGraphsRequest(), "graphs")

    def delete_graph(self, name, expected_version=None):
        request = graphs_pb2.DeleteGraphRequest(name=name, expected_version=expected_version)
        self._call(self._graphs.DeleteGraph, request)

    def answer(self, facts, questions, model="", model_version=0, **options):
        """The QuestionAnswer to each question about a story, in order. A question is a text, asked when all facts are told, or
        (text, number of facts told before it). Options: see make_answer_options."""
        request = questions_pb2.AnswerRequest(
            model=model,
            model_version=model_version,
            facts=_sentences(facts, "facts"),
            options=make_answer_options(**options),
        )
        for question in _sentences(questions, "questions"):
            text, after_facts = (question, None) if isinstance(question, str) else question
            request.questions.add(text=text, after_fact_count=after_facts)
        return list(self._call(self._questions.Answer, request, _ALWAYS).answers)

    def open(self, model="", model_version=0):
        """A new QuestionSession. Where a session is asked for below, it may be such a message or its name."""
        request = questions_pb2.OpenSessionRequest(model=model, model_version=model_version)
        return self._call(self._questions.OpenSession, request).session

    def tell(self, session, facts, request_id="", expected_version=None):
        """Tells facts, all or none: a TellResponse, with the changed QuestionSession and the unknown words."""
        request = questions_pb2.TellRequest(
            session=_session_name(session),
            facts=_sentences(facts, "facts"),
            request_id=request_id,
            expected_version=expected_version,
        )
        return self._call(self._questions.Tell, request, _ALWAYS if request_id else _IF_REFUSED)

    def ask(self, session, questions, commit=False, request_id="", expected_version=None, **options):
        """The QuestionAnswer to each question, in order. Options: see make_answer_options."""
        request = questions_pb2.AskRequest(
            session=_session_name(session),
            questions=_sentences(questions, "questions"),
            options=make_answer_options(**options),
            commit=commit,
            request_id=request_id,
            expected_version=expected_version,
        )
        repeat = _ALWAYS if request_id or not commit else _IF_REFUSED
        return list(self._call(self._questions.Ask, request, repeat).answers)

    def fork(self, session, expected_version=None):
        """A new QuestionSession with the same memory."""
        request = questions_pb2.ForkSessionRequest(session=_session_name(session), expected_version=expected_version)
        return self._call(self._questions.ForkSession, request).session

    def export_session(self, session, expected_version=None):
        """The session as bytes, for import_session here or elsewhere."""
        request = questions_pb2.ExportSessionRequest(session=_session_name(session), expected_version=expected_version)
        return self._call(self._questions.ExportSession, request, _ALWAYS).data

    def import_session(self, data, model=""):
        """A new QuestionSession from export_session's bytes."""
        request = questions_pb2.ImportSessionRequest(data=data, model=model)
        return self._call(self._questions.ImportSession, request).session

    def close_session(self, session):
        self._call(self._questions.CloseSession, questions_pb2.CloseSessionRequest(session=_session_name(session)))

    def chat(self, sentences, session=None, model="", model_version=0, **options):
        """Yields a ChatResponse for each sentence of an iterable as it comes: its answer, told or refusal, and the session
        as it is then. A sentence is a text, a question if it ends with "?", or a pair ("fact" or "question", text).
        Without `session` a new one is opened, which close_session ends. Options: see make_answer_options."""
        options = make_answer_options(**options)
        if session is None:
            first = questions_pb2.ChatRequest(
                open_session=questions_pb2.OpenSessionRequest(model=model, model_version=model_version)
            )
        else:
            first = questions_pb2.ChatRequest(session=_session_name(session))
        messages, stream = self._begin_chat(first)
        try:
            for sentence in _sentences(sentences, "sentences"):
                kind = "question" if isinstance(sentence, str) and sentence.rstrip().endswith("?") else "fact"
                kind, text = (kind, sentence) if isinstance(sentence, str) else sentence
                messages.put(questions_pb2.ChatRequest(**{kind: text}, options=options))
                yield next(stream)
            messages.put(None)
            for _ in stream:  # until the server has seen the end
                pass
        finally:
            messages.put(None)
            stream.cancel()

    def run(self, rows, model="", repeats=None, answer_rows=None, model_version=0):
        """Rows of numbers (a list of lists, or an array [rows, width]) through a sequence model: the rows that come back,
        as a list of lists."""
        rows = list(rows)
        if any(len(row) != len(rows[0]) for row in rows):
            raise ValueError("rows have different lengths")
        request = sequences_pb2.RunSequenceRequest(
            model=model,
            model_version=model_version,
            width=len(rows[0]) if rows else 0,
            values=[float(number) for row in rows for number in row],
            repeat_count=repeats,
            answer_row_count=answer_rows,
        )
        response = self._call(self._sequences.RunSequence, request, _ALWAYS)
        values, width = list(response.values), response.width
        return [values[i : i + width] for i in range(0, len(values), width)] if values else []

    def _call(self, call, request, repeat=_IF_REFUSED):
        backoff = _Backoff(self._timeout_s, repeat)
        while True:
            try:
                return call(request, timeout=backoff.left_s(), metadata=self._metadata)
            except grpc.RpcError as error:
                backoff.wait(error)

    def _list(self, call, request, field):
        """The items of all pages of a list."""
        items = []
        while True:
            page = self._call(call, request)
            items.extend(getattr(page, field))
            if not page.next_page_token:
                return items
            request.page_token = page.next_page_token

    def _stream(self, call, request):
        """The same of a call with many answers, before the first of them."""
        backoff = _Backoff(self._timeout_s, _ALWAYS)
        answered = False
        while True:
            stream = call(request, timeout=backoff.left_s(), metadata=self._metadata)
            try:
                for answer in stream:
                    answered = True
                    yield answer
                return
            except grpc.RpcError as error:
                if answered:
                    raise
                backoff.wait(error)
            finally:
                stream.cancel()  # for a reader that leaves early

    def _begin_chat(self, first):
        """The queue of messages to a conversation, of which None is the end, and what comes back after its first one."""
        backoff = _Backoff(self._timeout_s, _IF_REFUSED)
        while True:
            messages = queue.SimpleQueue()
            messages.put(first)
            stream = self._questions.Chat(iter(messages.get, None), metadata=self._metadata)
            try:
                next(stream)
                return messages, stream
            except grpc.RpcError as error:
                messages.put(None)
                backoff.wait(error)

    @staticmethod
    def _on(graph):
        """What a query is on."""
        if isinstance(graph, graphs_pb2.Graph):
            return {"graph": graph}
        return {"stored": graph if isinstance(graph, graphs_pb2.StoredGraph) else graphs_pb2.StoredGraph(name=graph)}

    @staticmethod
    def _request(request_type, texts, model, model_version, options):
        if isinstance(texts, str):
            raise TypeError("texts is a list of texts, not one text")
        names = ("source", "target", "format", "glossary", "keep", "placeholders")
        fields = make_translation_fields(**{name: options.pop(name) for name in names if name in options})
        if "format" in fields and request_type is translation_pb2.TranslateStreamRequest:
            raise ValueError("format: streams are of plain texts")
        return request_type(
            model=model, model_version=model_version, texts=texts, options=make_options(**options), **fields
        )
