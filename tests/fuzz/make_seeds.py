#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the seeds of the fuzz targets: tests/fuzz/seeds/TARGET/NAME, from tests/fixtures and from what stands here.

    make_seeds.py [TARGET]...

Seeds that begin with "found-" are inputs that a target once failed on: they stay. Needs protoc and libxxhash.
"""
import ctypes
import gzip
import json
import pathlib
import struct
import subprocess
import sys
import zipfile
import zlib

HERE = pathlib.Path(__file__).resolve().parent
TREE = HERE.parent.parent
FIXTURES = TREE / "tests/fixtures"


def fixture(path):
    return (FIXTURES / path).read_bytes()


def message(name, text):
    """The bytes of a message in protobuf's text form."""
    texts = {"ScoreRequest", "GenerateRequest", "FillInRequest", "ClassifyTextsRequest", "TagTextsRequest",
             "AnswerFromTextRequest", "EmbedTextsRequest", "ReadTextRequest"}
    file = "inference.proto" if name.startswith("inference.") else "heed/v1/language_modeling.proto" if name.split(
        ".")[-1] in texts else {
        "Classify": "heed/v1/graphs.proto", "Translat": "heed/v1/translation.proto"}.get(name.split(".")[-1][:8],
                                                                                       "heed/v1/questions.proto")
    done = subprocess.run(["protoc", "-I", TREE / "proto", f"--encode={name}", file], input=text.encode(), check=True,
                          capture_output=True)
    return done.stdout


def safetensors(tensors, metadata=None):
    """tensors: name -> (dtype, shape, bytes)."""
    header, data = {}, b""
    if metadata:
        header["__metadata__"] = metadata
    for name, (dtype, shape, raw) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<Q", len(text)) + text + data


def floats(*values):
    return struct.pack(f"<{len(values)}f", *values)


def integers(*values):
    return struct.pack(f"<{len(values)}q", *values)


def safetensors_seeds():
    yield "gat", fixture("pyg-gat/model.safetensors")
    yield "graph", fixture("pyg-edge-dot/graph.safetensors")
    yield "types", safetensors({
        "a": ("F64", [1], bytes(8)), "b": ("F32", [2, 1], floats(1, -2)), "c": ("F16", [3], bytes(6)),
        "d": ("BF16", [2], bytes(4)), "e": ("I64", [1], integers(-1)), "f": ("I32", [1, 1], bytes(4)),
        "g": ("I16", [1], bytes(2)), "h": ("I8", [2], bytes(2)), "i": ("U8", [1], bytes(1)),
        "j": ("BOOL", [1], bytes(1)), "empty": ("F32", [0, 7], b""), "scalar": ("F32", [], floats(3)),
    }, {"format": "pt"})
    yield "none", safetensors({})


def graph_file_seeds():
    yield "gat", fixture("pyg-gat/graph.safetensors")
    yield "edge-features", fixture("pyg-gatv2-edge-features-mean/graph.safetensors")
    yield "pool", fixture("pyg-pool-attention/graph.safetensors")
    yield "sparse", fixture("pyg-sparse-gat/graph.safetensors")
    yield "small", safetensors({
        "x": ("F32", [3, 2], floats(1, 0, 0, 2, 3, 4)), "edge_index": ("I64", [2, 2], integers(0, 1, 1, 2)),
        "edge_attr": ("F32", [2], floats(0.5, 1)), "node_id": ("I64", [3], integers(7, 5, 9)),
        "graph_ptr": ("I64", [2], integers(0, 3)), "y": ("I64", [3], integers(0, 1, 1))}, {"version": "4"})
    yield "small-sparse", safetensors({
        "x_shape": ("I64", [2], integers(2, 9)), "x_indptr": ("I64", [3], integers(0, 1, 3)),
        "x_indices": ("I64", [3], integers(4, 0, 8)), "x_values": ("F32", [3], floats(1, 2, 3)),
        "graph_ptr": ("I64", [3], integers(0, 1, 2))})


CONFIGS = [("marian-separate", "generation_config.json"), ("pyg-gat", None), ("pyg-gatv2-edge-features-mean", None),
           ("pyg-gcn-edge-weights", None), ("pyg-edge-mlp-concat", None), ("pyg-pool-attention", None),
           ("ntm-cell", None), ("ntm-questions", "vocab.json"), ("rnn-reference-nematus", "generation_config.json"),
           ("rnn-reference-joeynmt-luong", "generation_config.json"), ("xlnet-lm", None), ("xlnet-classify", None),
           ("xlnet-answer-beam", None), ("transformer-xl-segments", None), ("transformer-xl-classifier", None)]


def model_config_seeds():
    for number, (name, other) in enumerate(CONFIGS):
        config = bytes([number]) + fixture(f"{name}/config.json")
        yield name, config + (b"\0" + fixture(f"{name}/{other}") if other else b"")
    yield "marian-bans", (bytes([0]) + fixture("marian-separate/config.json") + b"\0" + json.dumps({
        "num_beams": 3, "bad_words_ids": [[96], [1, 2]], "suppress_tokens": [3], "forced_eos_token_id": 0,
        "length_penalty": 0.6, "no_repeat_ngram_size": 2, "min_length": 3, "early_stopping": "never",
        "renormalize_logits": True}).encode())
    yield "xlnet-options", (bytes([10]) + json.dumps({**json.loads(fixture("xlnet-lm-uni/config.json")), "mem_len": 3,
        "clamp_len": 2, "same_length": True, "reuse_len": 2, "ff_activation": "relu", "untie_r": False}).encode() +
        b"\0" + json.dumps({"do_sample": True, "top_k": 5, "temperature": 0.7, "max_new_tokens": 9,
                            "repetition_penalty": 1.2, "no_repeat_ngram_size": 2, "num_beams": 2}).encode())
    yield "gat-norm", bytes([1]) + json.dumps({
        "model_type": "gat", "task": "node", "in_channels": 11, "output": "sigmoid", "layers": [
            {"name": "conv1", "out_channels": 4, "heads": 8, "activation": "elu", "residual": "identity",
             "negative_slope": 0.1, "add_self_loops": False, "bias": False, "activation_first": True,
             "norm": {"name": "n", "type": "layer", "mode": "graph", "eps": 1e-5}},
            {"name": "conv2", "out_channels": 5, "heads": 1, "concat": False, "fill_value": 0.5, "logit_bias": False}],
        "mlp": [{"name": "m", "activation": "relu"}]}).encode()
    yield "ntm-options", bytes([6]) + json.dumps({
        "model_type": "ntm", "task": "sequences", "input_width": 5, "slots": 9, "slot_width": 4,
        "heads": ["read", "write"], "shifts": [-2, 0, 1], "order": "interleaved", "key_activation": "none",
        "add_activation": "none", "cosine": {"form": "clamped", "epsilon": 1e-6},
        "sharpening": {"base_epsilon": 1e-6, "sum_epsilon": 1e-6}, "clip": 20,
        "controller": {"type": "feed-forward", "width": 12, "layers": 2, "activation": "tanh", "residual": True,
                       "input_norm": True, "output_norm": True},
        "output": {"width": 4, "reads": "previous", "activation": "sigmoid"},
        "frame": {"task": "repeat-copy", "data_width": 4, "max_repeats": 3}}).encode()


WEIGHTS = ["pyg-gat", "pyg-gatv2-edge-features-mean", "pyg-gcn-edge-weights", "pyg-edge-mlp-concat",
           "pyg-pool-attention", "ntm-defaults", "ntm-questions", "marian-separate",
           "rnn-reference-nematus", "rnn-reference-joeynmt-luong", "xlnet-lm", "xlnet-classify", "xlnet-answer-beam",
           "transformer-xl-segments", "transformer-xl-classifier"]


def model_weights_seeds():
    for number, name in enumerate(WEIGHTS):
        yield name, bytes([number]) + fixture(f"{name}/model.safetensors")


def subwords_seeds():
    for name in ["marian-separate", "marian-relu", "marian-swish"]:
        yield name, fixture(f"{name}/source.spm")


def vocabulary_seeds():
    parts = ["vocab.json", "tokenizer_config.json", "target_vocab.json"]
    yield "separate", b"\0".join(fixture(f"marian-separate/{part}") for part in parts)
    small = {"</s>": 0, "<unk>": 1, ">>de<<": 2, "<pad>": 96}
    yield "languages", json.dumps(small).encode() + b'\0{"separate_vocabs":false,"source_lang":"en"}'


def configured_tokenizer_seeds():
    vocabulary = "<unk>\n<pad>\n<s>\n</s>\nthe\ncat\n&apos;s\nb@@\no@@\nwl\n\n.\n@-@\nl&apos;"
    codes = "#version: 0.2\nb o\nw l</w>\nbo wl</w>\nth e</w>\nt h\n"
    text = "The cat's  b-bowl, 3,4 kg... No. 5 (“l'eau”) U.S. <s> \u4e2d."
    moses = {"moses": {"aggressive_hyphens": True}, "source_language": "en", "target_language": "fr"}
    for name, settings, codes in [
            ("words", {"kind": "words", "lowercase": True, **moses}, codes),
            ("bpe", {"kind": "bpe", "restrict_to_vocabulary": True}, codes),
            ("bpe-moses", {"kind": "bpe", "bpe_separator": "@@", **moses, "moses": {"escape": False}}, codes),
            ("bpe-without-version", {"kind": "bpe", "restrict_to_vocabulary": True}, "l </w>\nw l</w>\nb o\n"),
            ("sentencepiece", {"kind": "sentencepiece", "lowercase": True}, ""),
            ("sentencepiece-restricted", {"kind": "sentencepiece", "restrict_to_vocabulary": True}, "")]:
        yield name, "\0".join([json.dumps(settings), vocabulary, codes, text]).encode()


NASTY_TEXT = ("It’s Mr. “Smith”, 1,234.5 – 5\u00a0%… (well-known) ``so'' <unk> <EOS>\n\na\x01b é 漢字 \u0301 ΑΣ\", "
              "<mask> <sep>x  2001, ﬁ ▁ 😀\u00a01\u00a02")


def transformer_xl_tokenizer_seeds():
    words = "<eos>\n<unk>\n<formula>\nIt\n's\nMr.\n@-@\n@,@\n@.@\n\"\n,\n1\n234\nthe 17\nwell"
    for name, config, vocabulary in [
            ("moses", {}, words),
            ("lower", {"lower_case": True, "pad_token": "the", "clean_up_tokenization_spaces": False}, words),
            ("german", {"language": "de"}, words),
            ("whitespace", {"heed_tokenization": "whitespace", "language": "en"}, words),
            ("characters", {"heed_tokenization": "characters", "heed_blank": "_"}, "_\n<eos>\na\nb\né\nI\n<unk>\n "),
            ("objects", {"delimiter": "", "eos_token": {"content": "a", "lstrip": True, "rstrip": False},
                         "additional_special_tokens": ["b", "ab"]}, "a\nb\nab\n<UNK>")]:
        yield name, "\0".join([json.dumps(config), vocabulary, NASTY_TEXT]).encode()


def xlnet_tokenizer_seeds():
    for name, config, model in [
            ("model", {}, fixture("text-xlnet/spiece.model")),
            ("fixture", {}, b""),
            ("lower", {"do_lower_case": True, "keep_accents": True, "remove_space": False}, b""),
            ("objects", {"mask_token": {"content": "the", "lstrip": True, "rstrip": True},
                         "additional_special_tokens": ["<eop>", ","]}, b""),
            ("added", {"added_tokens_decoder": {"371": {"content": "Mr.", "lstrip": True}, "372": {"content": "漢字"},
                                                "3": {"content": "<cls>", "special": True}}}, b"")]:
        yield name, "\0".join([json.dumps(config), NASTY_TEXT, ""]).encode() + model


GRAPH_11 = """graph { features { width: 11 values: [0.5, -0.5, 0, 0, 1, 0, 0, 0, 0, 0, 0.25,
                                              1, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1] }
                    node_ids: [7, 3] edge_sources: [0, 1, 1] edge_targets: [1, 0, 1] }"""
SPARSE_11 = "graph { features { width: 11 values: [0.5, -0.5, 1] row_ends: [2, 2, 3] columns: [0, 4, 10] } }"


def width_of(name):
    config = json.loads(fixture(f"{name}/config.json"))
    return config["in_channels"], config.get("edge_dim", 0)


def dense(name, nodes, edges):
    width, edge_width = width_of(name)
    values = ", ".join(str((i % 5) / 2 - 1) for i in range(width * nodes))
    text = f"graph {{ features {{ width: {width} values: [{values}] }} "
    if edges:
        text += f"edge_sources: [{', '.join(str(s) for s, _ in edges)}] "
        text += f"edge_targets: [{', '.join(str(t) for _, t in edges)}] "
        if edge_width:
            text += f"edge_feature_width: {edge_width} "
            text += f"edge_features: [{', '.join(str(i / 4) for i in range(edge_width * len(edges)))}] "
    return text + "}"


def unseen(name, width):
    values = ", ".join(["0.5"] * width)
    return f"""stored {{ name: "g" unseen {{ remove_edges {{ source: 0 target: 1 }} remove_nodes: 3 add_nodes: 9
      add_features {{ width: {width} values: [{values}] }} change_nodes: 1
      change_features {{ width: {width} values: [{values}] }} add_edges {{ source: 9 target: 1 }} }} }}"""


def graph_request_seeds():
    names = [["pyg-gat", "pyg-gatv2-edge-features-mean", "pyg-gcn-edge-weights"],
             ["pyg-edge-dot", "pyg-edge-mlp-concat", "pyg-edge-mlp-product"],
             ["pyg-pool-attention", "pyg-pool-max", "pyg-pool-norm-graph"]]
    requests = ["ClassifyNodesRequest", "ClassifyEdgesRequest", "ClassifyGraphsRequest"]
    asked = ["nodes: [0, 2]", "edges { source: 0 target: 2 }", ""]
    for kind in range(3):
        for variant in range(3):
            name = names[kind][variant]
            selector = bytes([kind + 3 * variant])
            edges = [(0, 1), (1, 2), (2, 0), (0, 0)]
            text = (f"queries {{ {dense(name, 3, edges)} {asked[kind]} }} queries {{ {dense(name, 2, [])} }} "
                    "options { top_k: 0 return_embeddings: true return_attention: true fan_out: 2 seed: 5 }")
            yield name, selector + message(f"heed.v1.{requests[kind]}", text)
            if variant == 0:
                width = width_of(name)[0]
                yield name + "-stored", selector + message(
                    f"heed.v1.{requests[kind]}",
                    f'queries {{ stored {{ name: "g" }} }} queries {{ {unseen(name, width)} }}')
    yield "sparse", bytes([0]) + message("heed.v1.ClassifyNodesRequest",
                                         f"queries {{ {GRAPH_11} nodes: 3 }} queries {{ {SPARSE_11} }}")


def graph_changes_seeds():
    for number, name in enumerate(["pyg-gat", "pyg-gatv2-edge-features-mean", "pyg-gcn-edge-weights"]):
        width, edge_width = width_of(name)
        edges = [(0, 1), (1, 2), (2, 0), (0, 0), (3, 1)]
        update = unseen(name, width)
        if edge_width:
            features = ", ".join(["0.25"] * edge_width)
            update = update.replace("add_edges {", f"add_edge_features: [{features}] add_edges {{")
        text = (f"queries {{ {dense(name, 4, edges)} }} queries {{ {dense(name, 2, [(0, 1)])} }} "
                f"queries {{ {update} }} queries {{ stored {{ unseen {{ remove_nodes: [9, 0] }} }} }}")
        yield name, bytes([number]) + message("heed.v1.ClassifyNodesRequest", text)
    text = f"queries {{ {GRAPH_11} }} queries {{ stored {{ unseen {{ remove_nodes: [7] add_nodes: [100, 7] add_features "
    text += "{ width: 11 values: [1, 2] row_ends: [1, 2] columns: [3, 5] } add_edges { source: 7 target: 3 } } } }"
    yield "sparse-ids", bytes([0]) + message("heed.v1.ClassifyNodesRequest", text)


def text_of(data):
    return struct.pack("<Q", len(data)) + data


def state(facts, told):
    """Of tests/fixtures/ntm-questions."""
    slots, width, heads, reads, hidden = 9, 5, 2, 5, 12
    result = struct.pack("<I5q", 1, slots, width, heads, reads, hidden)
    memory = [((i % 7) - 3) / 8 for i in range(slots * width)]
    weights = [1 / slots] * (heads * slots)
    result += floats(*memory, *weights, *([0.1] * reads), *([0.2] * (2 * hidden)))
    result += struct.pack("<q", len(facts)) + b"".join(text_of(fact.encode()) for fact in facts)
    for slot in range(slots):
        shares = [(fact, 0.5 / (fact + 1)) for fact in range(len(facts))] if told and slot % 2 == 0 else []
        result += struct.pack("<B", len(shares)) + b"".join(struct.pack("<if", *share) for share in shares)
    return result


def session(facts, told=True, records=()):
    body = text_of(b"qa") + text_of(b"0123456789abcdef") + struct.pack("<qqI", 2, len(facts), len(records))
    body += b"".join(text_of(part) for record in records for part in record) + text_of(state(facts, told))
    size = 8 + 4 + 8 + len(body) + 8
    whole = b"HEEDSESS" + struct.pack("<IQ", 1, size) + body
    library = ctypes.CDLL("libxxhash.so.0")
    library.XXH3_64bits.restype = ctypes.c_uint64
    library.XXH3_64bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
    return whole + struct.pack("<Q", library.XXH3_64bits(whole, len(whole)))


FACTS = ["Mary went to the bathroom.", "John moved to the hallway."]


def session_file_seeds():
    yield "new", session([], told=False)
    yield "told", session(FACTS, records=[(b"first", b"\x0a\x02ok"), (b"second", b"")])


def session_import_seeds():
    for name, data in session_file_seeds():
        yield name, bytes([0]) + data
    yield "other-model", bytes([1]) + session(FACTS)


def raw(*numbers, form="f"):
    packed = struct.pack(f"<{len(numbers)}{form}", *numbers)
    return '"' + "".join(f"\\x{byte:02x}" for byte in packed) + '"'


def rest_request_seeds():
    def body(request, *tensors, whole=False):
        text = json.dumps(request).encode()
        return struct.pack("<H", 0 if whole else len(text)) + text + b"".join(tensors)

    yield "texts", body({"id": "7", "parameters": {"beam_size": 4, "binary_data_output": True, "timeout": 5.5, "a": "b"},
                         "inputs": [{"name": "text", "shape": [2], "datatype": "BYTES", "data": ["Good morning.", "\u00fc\"\\"]}],
                         "outputs": [{"name": "translation", "parameters": {"binary_data": False}}]}, whole=True)
    yield "binary", body({"inputs": [
        {"name": "x", "shape": [2, 1], "datatype": "FP32", "parameters": {"binary_data_size": 8}},
        {"name": "t", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": 7}},
        {"name": "s", "shape": [1], "datatype": "BYTES", "parameters": {"shared_memory_region": "mine"}}]},
        floats(1, -0.5), struct.pack("<I", 3) + b"cat")
    yield "nested", body({"model_name": "m", "inputs": [
        {"name": "a", "shape": [2, 2], "datatype": "INT64", "data": [[1, -2], [3, 4]]},
        {"data": [[0.1, "NaN"], [-0.0, "-Infinity"]], "datatype": "FP32", "shape": [2, 2], "name": "b"},
        {"name": "c", "shape": [2, 0], "datatype": "UINT8", "data": [[], []]},
        {"name": "d", "shape": [], "datatype": "BOOL", "data": [True]}]}, whole=True)
    for datatype, data in (("INT8", [-128]), ("INT16", [7]), ("INT32", [-5]), ("UINT16", [65535]), ("UINT32", [1]),
                           ("UINT64", [2**64 - 1]), ("FP64", [1e300]), ("FP16", [1])):
        yield datatype.lower(), body({"inputs": [{"name": "x", "shape": [1], "datatype": datatype, "data": data}]})


def infer_request_seeds():
    name = "inference.ModelInferRequest"
    yield "translator", bytes([0]) + message(name, """model_name: "m" id: "1"
      inputs { name: "text" datatype: "BYTES" shape: 2 contents { bytes_contents: ["the cat", "a dog. it ran."] } }
      parameters { key: "beam_size" value { int64_param: 2 } } parameters { key: "n_best" value { string_param: "2" } }
      parameters { key: "max_tokens" value { int64_param: 6 } } parameters { key: "return_tokens" value { bool_param: true } }
      outputs { name: "translation" } outputs { name: "details" } outputs { name: "score" }""")
    yield "sampling", bytes([0]) + message(name, """
      inputs { name: "text" datatype: "BYTES" shape: 1 } raw_input_contents: "\\x03\\0\\0\\0cat"
      parameters { key: "temperature" value { double_param: 0.5 } } parameters { key: "top_k" value { int64_param: 5 } }
      parameters { key: "max_tokens" value { int64_param: 5 } } parameters { key: "priority" value { int64_param: 1 } }
      parameters { key: "timeout" value { int64_param: 1000 } }""")
    yield "questions", bytes([1]) + message(name, """
      inputs { name: "story" datatype: "BYTES" shape: 2 contents { bytes_contents: ["Mary went to the bathroom", "John moved"] } }
      inputs { name: "question" datatype: "BYTES" shape: 2 contents { bytes_contents: ["Where is Mary", "Where is John"] } }
      inputs { name: "after_facts" datatype: "INT64" shape: 2 contents { int64_contents: [1, 2] } }
      parameters { key: "return_attribution" value { bool_param: true } }
      parameters { key: "return_reads" value { bool_param: true } } parameters { key: "top_k" value { int64_param: 2 } }
      outputs { name: "answer" } outputs { name: "details" }""")
    width, edge_width = width_of("pyg-gatv2-edge-features-mean")
    yield "nodes", bytes([2]) + message(name, f"""
      inputs {{ name: "x" datatype: "FP32" shape: [2, {width}] contents {{ fp32_contents: [{', '.join(['0.5'] * 2 * width)}] }} }}
      inputs {{ name: "edge_index" datatype: "INT64" shape: [2, 1] contents {{ int64_contents: [0, 1] }} }}
      inputs {{ name: "edge_attr" datatype: "FP32" shape: [1, {edge_width}] contents {{ fp32_contents: [{', '.join(['1'] * edge_width)}] }} }}
      inputs {{ name: "nodes" datatype: "INT64" shape: 1 contents {{ int64_contents: 1 }} }}
      parameters {{ key: "fan_out" value {{ int64_param: 1 }} }} parameters {{ key: "seed" value {{ int64_param: 3 }} }}
      outputs {{ name: "embedding" }} outputs {{ name: "class" }}""")
    width = width_of("pyg-edge-dot")[0]
    yield "edges", bytes([3]) + message(name, f"""
      inputs {{ name: "x" datatype: "FP32" shape: [2, {width}] }} inputs {{ name: "edge_index" datatype: "INT64" shape: [2, 1] }}
      inputs {{ name: "edge_label_index" datatype: "INT64" shape: [2, 1] }}
      raw_input_contents: {raw(*([0.5] * 2 * width))} raw_input_contents: {raw(0, 1, form='q')}
      raw_input_contents: {raw(1, 0, form='q')}""")
    width = width_of("pyg-pool-attention")[0]
    yield "graphs", bytes([4]) + message(name, f"""
      inputs {{ name: "x" datatype: "FP32" shape: [3, {width}] contents {{ fp32_contents: [{', '.join(['0.5'] * 3 * width)}] }} }}
      inputs {{ name: "edge_index" datatype: "INT64" shape: [2, 1] contents {{ int64_contents: [0, 1] }} }}
      inputs {{ name: "batch" datatype: "INT64" shape: 3 contents {{ int64_contents: [0, 0, 1] }} }}""")
    yield "graphs-stream", bytes([137]) + message(name, f"""
      inputs {{ name: "x" datatype: "FP32" shape: [3, {width}] contents {{ fp32_contents: [{', '.join(['0.5'] * 3 * width)}] }}
                parameters {{ key: "binary_data_size" value {{ int64_param: 9 }} }} }}
      inputs {{ name: "edge_index" datatype: "INT64" shape: [2, 1] contents {{ int64_contents: [0, 1] }} }}
      inputs {{ name: "graph_ptr" datatype: "INT64" shape: 4 contents {{ int64_contents: [0, 2, 2, 3] }} }}""")
    yield "translator-stream", bytes([133]) + message(name, """
      inputs { name: "text" datatype: "BYTES" shape: 3 contents { bytes_contents: ["the cat. a dog.", " ", "it ran "] } }
      parameters { key: "max_tokens" value { int64_param: 6 } } parameters { key: "sequence_id" value { int64_param: 0 } }
      parameters { key: "triton_enable_empty_final_response" value { bool_param: true } }""")
    for number, fixture_name in [(5, "ntm-feed-forward"), (6, "ntm-pytorch-ntm")]:
        width = json.loads(fixture(f"{fixture_name}/config.json"))["input_width"]
        yield "sequence-" + fixture_name, bytes([number]) + message(name, f"""
          inputs {{ name: "input" datatype: "FP32" shape: [2, {width}] contents {{ fp32_contents: [{', '.join(['1'] * 2 * width)}] }} }}
          parameters {{ key: "answer_rows" value {{ int64_param: 2 }} }}""")


def translate_request_seeds():
    name = "heed.v1.TranslateRequest"
    yield "greedy", bytes([1]) + message(name, """texts: ["the cat sleeps. it sleeps!", " \\n", "a\\tb"]
      options { beam_size: 1 max_tokens: 9 }""")
    yield "beam", bytes([0]) + message(name, """texts: "the cat" options { beam_size: 3 n_best: 3 length_penalty: 0.6
      early_stopping: EARLY_STOPPING_FIRST no_repeat_ngram: 2 min_tokens: 2 max_tokens: 8 return_tokens: true
      return_attention: true target_prefix: "die" stop_loops: false split_sentences: false }""")
    yield "sampling", bytes([3]) + message(name, """texts: "the dog" options { max_tokens: 12
      sampling { temperature: 0.7 top_k: 9 top_p: 0.9 seed: 4 } }""")
    yield "defaults", bytes([2]) + message(name, 'model: "m" texts: ["z\\u00e9 \\u4e16\\u754c"] options { max_tokens: 4 }')


def language_request_seeds():
    yield "score", bytes([0]) + message("heed.v1.ScoreRequest", """
      items { context: "a man" text: "was there ." } items { tokens { ids: [1, 2, 3] } }
      options { top_k: 2 return_attention: true begin: BEGIN_END_OF_TEXT }""")
    yield "all-context", bytes([0]) + message("heed.v1.ScoreRequest", """
      items { text: "the man was" } options { order: ORDER_ALL_CONTEXT return_tokens: true }""")
    yield "all-context-of-nothing", bytes([0]) + message("heed.v1.ScoreRequest", """
      items { text: "" } options { order: ORDER_ALL_CONTEXT }""")
    yield "generate", bytes([1]) + message("heed.v1.GenerateRequest", """
      prompt: "the man" options { max_tokens: 6 stop: "." beam_size: 2 n: 2 top_k_alternatives: 1 }""")
    yield "draw", bytes([1]) + message("heed.v1.GenerateRequest", """
      prompt: "the man" options { max_tokens: 4 sampling { temperature: 0.5 top_k: 5 seed: 3 } n: 3 mode: MODE_AS_HUGGING_FACE }""")
    yield "fill", bytes([2]) + message("heed.v1.FillInRequest", """
      texts { text: "the <mask> was" pieces: 2 } texts { text: "the man" gaps { start: 4 end: 7 candidates: ["dog", "old man"] } }
      order: ORDER_MOST_CERTAIN_FIRST top_k: 3""")
    yield "classify", bytes([3]) + message("heed.v1.ClassifyTextsRequest", """
      items { text: "a man" pair: "a dog" } top_k: 0 function: FUNCTION_SIGMOID overlong: OVERLONG_TEXT_TRUNCATE max_tokens: 9""")
    yield "tag", bytes([4]) + message("heed.v1.TagTextsRequest", """texts: ["a man was", ""] return_attention: true""")
    yield "answer", bytes([5]) + message("heed.v1.AnswerFromTextRequest", """
      context: "the man was there" questions: ["who", "where was he"] top_k: 3 allow_no_answer: true""")
    yield "embed", bytes([6]) + message("heed.v1.EmbedTextsRequest", """
      texts: "a man" pooling: POOLING_TOKENS layer: -2 normalize: true""")
    yield "read", bytes([7]) + message("heed.v1.ReadTextRequest", """
      session: "s" text: "the man was there" request_id: "one" options { return_tokens: true }""")


def question_request_seeds():
    yield "answer", bytes([0]) + message("heed.v1.AnswerRequest", """
      facts: ["Mary went to the bathroom.", "John's dog moved to the hallway."]
      questions { text: "Where is Mary?" after_fact_count: 1 } questions { text: "Where is zebra?" }
      options { top_k: 0 return_attribution: true return_reads: true }""")
    yield "tell", bytes([1]) + message("heed.v1.TellRequest",
                                       'session: "s" facts: ["Mary got the milk", "yes"] request_id: "1"')
    yield "ask", bytes([2]) + message("heed.v1.AskRequest", """session: "s" questions: ["Where is Mary", "who"]
      commit: true request_id: "2" options { top_k: 2 return_attribution: true }""")


def message_check_seeds():
    yield "translate", bytes([0]) + message("heed.v1.TranslateRequest", """model: "m" texts: ["the cat", "z\\u00e9"]
      options { sampling { temperature: 0.7 seed: 4 } beam_size: 2 }""")
    yield "answer", bytes([1]) + message("heed.v1.AnswerRequest", """facts: ["a", "b"]
      questions { text: "Where?" after_fact_count: 1 } options { top_k: 2 }""")
    yield "nodes", bytes([2]) + message("heed.v1.ClassifyNodesRequest", """queries { nodes: [1, 300]
      graph { features { width: 1 values: [1, 2] } edge_sources: 0 edge_targets: 1 } }""")
    yield "chat", bytes([3]) + message("heed.v1.ChatRequest", 'fact: "Mary went home"')
    yield "infer", bytes([4]) + message("inference.ModelInferRequest", """model_name: "m"
      inputs { name: "x" datatype: "FP32" shape: [1, 2] contents { fp32_contents: [1, 2] } }
      parameters { key: "seed" value { int64_param: 3 } } raw_input_contents: "\\377\\000" """)
    for number, compress in enumerate([lambda data: gzip.compress(data, mtime=0), zlib.compress]):
        yield f"compressed-{number}", bytes([0]) + compress(bytes(1000))


def torch_file_seeds():
    for path in sorted((FIXTURES / "torch-files").glob("*.bin")):
        if path.stem.startswith("model-"):
            continue
        if path.stem != "refused-torchscript":
            yield path.stem, b"\0" + path.read_bytes()
        if zipfile.is_zipfile(path) and path.stem in ("zip", "views", "parameters", "zip-protocol-4", "refused-os-system"):
            archive = zipfile.ZipFile(path)
            entry = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
            yield path.stem + "-pickle", b"\1" + archive.read(entry)


def checkpoint_index_seeds():
    yield "good", json.dumps({"metadata": {"total_size": 24}, "weight_map": {
        "x": "a.safetensors", "y": "b.safetensors", "z": "b.safetensors"}}).encode()
    yield "escaping", b'{"weight_map": {"x": "../a.safetensors", "y": "/b.safetensors"}}'
    yield "one", b'{"weight_map": {"x": "a.safetensors"}}'


def operator_text_seeds():
    yield "flags", b"\0" + "\n".join([
        "--models=models", "--threads=2", "--tls_cert=a", "--tls_key=b", "--max_queued_requests=8",
        "--model_limits=en-de:max_queued_requests=64,max_batch_rows=256;qa:max_queued_requests=1",
        "--model_versions=latest:2,qa=1+3", "--log_level=debug", "--drain_timeout_s=1.5"]).encode()
    yield "flags-2", b"\0--models=m\n--listen=[::]:0\n--graphs=g\n--max_batch_rows=1\n--lame_duck_s=2"
    yield "config", (b"\x04" b"models = \"/srv/models\"  # all of them\nthreads = 4\nmanagement=true\n"
                     b"listen = '[::]:0'\n\"log_level\" = \"warn\"\n"
                     b"model_limits = \"a:max_batch_rows=7,max_queued_rows=8;b:max_batch_rows=9\"\n")
    yield "config-2", b"\x04[limits]\nmax_batch_rows = [1, 2,\n 3]\nlimits.threads = 1\nmodels = \"a # b\"\nx=\n"
    yield "tokens", b"\x01# holders\nalice 0123456789abcdef infer\nbob fedcba9876543210 infer,manage # second\n"
    yield "policies", b"\x02latest:3,en-de=latest:1,qa=1+2+7"
    yield "priority", b"\x032"
    yield "traceparent", b"\x0300-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def language_text_seeds():
    yield "region", b"\0pt_br"
    yield "code", b"\0>>cmn_Hans<<"
    yield "variant", b"\0be-tarask"
    yield "locale", b"\0de_AT.UTF-8@euro"
    yield "model", b"\x01opus-mt-tc-big-en-pt_br\neng\ncat+oci\n>>pob<<\n>>ze_zh<<"
    yield "text", "\x02Das ist ein Haus. Привет 你好".encode()
    yield "html", b"\x03<p lang=en>Das <b>Haus</b> ist gr&uuml;n<script>var a</script><!-- x -->"


def http_request_seeds():
    yield "translate", b'\0{"texts":["Two dogs.","\\u00e9\\n"],"model":"en-de","modelVersion":"1","options":{"beam_size":4}}'
    yield "classify", b'\x01{"model":"cora","graph_id":"g","nodes":["1",2],"graph":{"edges":[{"source":"1"}]}}'
    yield "array", b'\x02[{"texts":["a"]}, {"texts":["]}\\""]} , {}]'
    yield "lines", b'\x02{"texts":["a"]}\n\n{"texts":[]}{}'
    yield "deep", b"\x02" + b'{"a":[' * 20
    yield "target", b"\x03/v2/models/a%20b%2Fc/infer?key=a+b&empty&%C3%A9=%26"
    yield "proxy", b"\x03http://host:80/path?x"
    yield "origins", b"\x04https://example.com, http://localhost:3000,*"


def translation_api_seeds():
    yield "libre-json", b"\0" + json.dumps({"q": ["Hello.", "<p>World</p>"], "source": "auto", "target": "de",
                                            "format": "html", "alternatives": 3, "api_key": None}).encode()
    yield "libre-form", b"\x01q=Hello+w%C3%B6rld%21&source=en&target=pb&format=text&api_key="
    yield "libre-multipart", (b"\x02--b\r\nContent-Disposition: form-data; name=\"q\"\r\n\r\nHello\r\n--b\r\n"
                              b"Content-Disposition: form-data; name=\"source\"\r\n\r\nen\r\n--b\r\n"
                              b"Content-Disposition: form-data; name=target\r\n\r\nde\r\n--b\r\n"
                              b"Content-Disposition: form-data; name=f; filename=\"a.txt\"\r\n\r\nx\r\n--b--\r\n")
    yield "deepl-json", b"\0" + json.dumps({
        "text": ["One", "Two"], "source_lang": "EN", "target_lang": "PT-BR", "tag_handling": "xml", "context": "c",
        "ignore_tags": ["x"], "splitting_tags": ["p", "q"], "non_splitting_tags": "a,b", "outline_detection": False,
        "split_sentences": "nonewlines", "show_billed_characters": True, "model_type": "latency_optimized"}).encode()
    yield "deepl-form", (b"\x01text=One%0ATwo&text=Three&target_lang=DE&split_sentences=0&preserve_formatting=1"
                         b"&formality=prefer_more&glossary_ids=a,b&source_lang=EN")
    yield "glossary", b"\x01name=g&source_lang=en&target_lang=de&entries_format=tsv&entries=house%09Haus%0Ato+go%09gehen"
    yield "glossary-csv", b"\x03entries=%22a%2C+%22%22b%22%22%22,c,en,de%0D%0Ad,%22e%22"


def main():
    wanted = sys.argv[1:]
    for name, make in list(globals().items()):
        if not name.endswith("_seeds") or (wanted and name[:-6] not in wanted):
            continue
        directory = HERE / "seeds" / name[:-6]
        directory.mkdir(parents=True, exist_ok=True)
        for old in directory.iterdir():
            if not old.name.startswith("found-"):
                old.unlink()
        for seed, data in make():
            (directory / seed).write_bytes(data)


if __name__ == "__main__":
    main()
