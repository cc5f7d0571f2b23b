# SPDX-License-Identifier: Apache-2.0
"""What a recurrent translator's config.json and tensors compute (docs/rnn-seq2seq.md), in plain PyTorch and float64.

Written to be read beside that page, not to be fast: the converters' --check holds a conversion against the outputs of the
original with it. One sentence at a time. Needs PyTorch 1.13 or newer.
"""

import torch

ACTIVATIONS = {"none": lambda x: x, "tanh": torch.tanh, "relu": torch.relu}


class Cell:
    """One layer and direction of a recurrent network: h, or h and c, of the step before -> those of this step."""

    def __init__(self, kind, tensors, prefix, suffix):
        self.kind = kind
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        self.w_input, self.w_state, self.b_input, self.b_state = (tensors[f"{prefix}.{name}{suffix}"] for name in names)

    def __call__(self, x, state):
        h = state[0]
        from_input, from_state = self.w_input @ x + self.b_input, self.w_state @ h + self.b_state
        if self.kind == "gru":
            r, z, n = from_input.chunk(3)
            r_h, z_h, n_h = from_state.chunk(3)
            r, z = torch.sigmoid(r + r_h), torch.sigmoid(z + z_h)
            return ((1 - z) * torch.tanh(n + r * n_h) + z * h,)
        i, f, g, o = (from_input + from_state).chunk(4)
        c = torch.sigmoid(f) * state[1] + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c

    def zeros(self):
        return (self.w_state.new_zeros(self.w_state.shape[1]),) * (1 if self.kind == "gru" else 2)


class Reference:
    """A translator; `forced` gives the logits and attention of every step of a given translation."""

    def __init__(self, config, tensors):
        self.config = config
        self.tensors = {name: tensor.double() for name, tensor in tensors.items()}
        if config.get("tied_embeddings"):
            self.tensors["encoder.embedding.weight"] = self.tensors["decoder.embedding.weight"]
        if config.get("tied_output"):
            self.tensors["output.weight"] = self.tensors["decoder.embedding.weight"]
        encoder, decoder, kind = config["encoder"], config["decoder"], config["cell"]
        self.suffixes = ["", "_reverse"] if encoder.get("bidirectional") else [""]
        self.encoder = [
            [Cell(kind, self.tensors, "encoder.rnn", f"_l{layer}{suffix}") for suffix in self.suffixes]
            for layer in range(encoder.get("layers", 1))
        ]
        self.decoder = [
            Cell(kind, self.tensors, "decoder.rnn", f"_l{layer}") for layer in range(decoder.get("layers", 1))
        ]
        self.attention = config.get("attention")
        if self.attention and self.attention["when"] == "between":
            self.second = Cell(kind, self.tensors, "decoder.rnn2", "_l0")

    def linear(self, name, x):
        y = self.tensors[f"{name}.weight"] @ x
        return y + self.tensors[f"{name}.bias"] if f"{name}.bias" in self.tensors else y

    def encode(self, ids):
        """(h_1 .. h_S [S, C], final states [layer][direction], each (h,) or (h, c))"""
        ids = list(ids)
        source = self.config["source"]
        if source.get("reverse"):
            begin, end = int("start" in source), len(ids) - int("end" in source)
            ids[begin:end] = ids[begin:end][::-1]
        rows = self.tensors["encoder.embedding.weight"][ids] * self.config["encoder"].get("embedding_scale", 1)
        finals = []
        for cells in self.encoder:
            outputs, ends = [], []
            for direction, cell in enumerate(cells):
                state, found = cell.zeros(), []
                for row in rows.flip(0) if direction else rows:
                    state = cell(row, state)
                    found.append(state[0])
                outputs.append(torch.stack(found[::-1] if direction else found))
                ends.append(state)
            rows = torch.cat(outputs, 1)
            finals.append(ends)
        return rows, finals

    def start(self, outputs, finals):
        """The decoder's first state, [layer] of (h,) or (h, c)."""
        init, layers = self.config["init"], range(len(self.decoder))
        if init["from"] == "zeros":
            return [cell.zeros() for cell in self.decoder]

        def linear(name, x):
            return ACTIVATIONS[init.get("activation", "none")](self.linear(f"init.{name}", x)) if init.get("linear") else x

        def states(part, name):
            """[layer] of what h (part 0) or c (part 1) starts from."""
            if init["from"] == "flattened":
                flat = torch.cat([ends[part] for directions in finals for ends in directions])
                flat = torch.cat([linear(name, piece) for piece in flat.chunk(len(self.suffixes))])
                return list(flat.chunk(len(layers)))
            if init["from"] == "layers":
                return [linear(name, torch.cat([ends[part] for ends in finals[layer]])) for layer in layers]
            if init["from"] == "mean":
                f = outputs.mean(0)
            else:
                f = torch.cat([ends[part] for ends in finals[-1][: 1 if init["from"] == "top-forward" else None]])
            return [linear(name, f)] * len(layers)

        hidden = states(0, "hidden")
        if self.config["cell"] == "gru":
            return [(h,) for h in hidden]
        cell = init.get("cell", "hidden" if init["from"] == "mean" else "own")
        if cell == "own":
            return list(zip(hidden, states(1, "cell")))
        return [(h, h if cell == "hidden" else torch.zeros_like(h)) for h in hidden]

    def attend(self, query, keys):
        """(weights [S], context [C])"""
        score = self.attention["score"]
        if score == "mlp":
            projected = torch.stack([self.linear("attention.key", key) for key in keys])
            scores = torch.tanh(self.linear("attention.query", query) + projected)
            scores = scores @ self.tensors["attention.energy.weight"][0]
        elif score == "general" and "attention.key.weight" in self.tensors:
            scores = (keys @ self.tensors["attention.key.weight"].T) @ query
        else:
            scores = keys @ (self.linear("attention.query", query) if score == "general" else query)
        weights = scores.softmax(0)
        return weights, weights @ keys

    def joined(self, names, parts):
        return torch.cat([parts[name] for name in names])

    def forced(self, source, target):
        """(logits [T, V_t], attention [T, S] or None): row t chooses target[t], after target.start and target[:t]."""
        with torch.no_grad():
            return self.run(source, lambda step, _: target[step], len(target))

    def greedy(self, source, limit, suppressed=(), least=0):
        """The ids that greedy search gives, target.end included if it comes within `limit` tokens and after `least`,
        suppressed ones never."""
        found = []

        def choose(step, logits):
            best = logits.clone()
            best[[*suppressed, *([self.config["target"]["end"]] if step < least else [])]] = -float("inf")
            found.append(int(best.argmax()))
            return None if found[-1] == self.config["target"]["end"] else found[-1]

        with torch.no_grad():
            self.run(source, choose, limit)
        return found

    def run(self, source, choose, limit):
        config = self.config
        keys, finals = self.encode(source)
        states = self.start(keys, finals)
        when = self.attention["when"] if self.attention else None
        width = config.get("context_vector", {}).get("width", config["decoder"]["hidden_size"])
        parts = {"initial": states[-1][0], "feed": keys.new_zeros(width)}
        token, all_logits, all_weights = config["target"]["start"], [], []
        for step in range(limit):
            table = self.tensors["decoder.embedding.weight"]
            parts["embedding"] = table.new_zeros(table.shape[1]) if token == "zeros" else table[token]
            parts["embedding"] = parts["embedding"] * config["decoder"].get("embedding_scale", 1)
            if when == "before":
                weights, parts["context"] = self.attend(states[-1][0], keys)
            x = self.joined(config["decoder"].get("inputs", ["embedding"]), parts)
            for layer, cell in enumerate(self.decoder):
                states[layer] = cell(x, states[layer])
                x = states[layer][0]
            if when in ("after", "between"):
                weights, parts["context"] = self.attend(x, keys)
            if when == "between":
                states[0] = self.second(parts["context"], states[0])
            parts["state"] = parts["feed"] = states[-1][0]
            if "context_vector" in config:
                layer = config["context_vector"]
                y = self.linear("context_vector", self.joined(layer["inputs"], parts))
                parts["context_vector"] = parts["feed"] = ACTIVATIONS[layer.get("activation", "tanh")](y)
            readout = config["readout"]
            r = self.joined(readout["inputs"], parts)
            if "width" in readout:
                r = ACTIVATIONS[readout.get("activation", "none")](self.linear("readout", r))
            all_logits.append(self.linear("output", r))
            if self.attention:
                all_weights.append(weights)
            token = choose(step, all_logits[-1])
            if token is None:
                break
        return torch.stack(all_logits), torch.stack(all_weights) if all_weights else None
