# SPDX-License-Identifier: Apache-2.0
"""Recurrent translators for training, with the canonical names of docs/rnn-seq2seq.md, and their search.

Two systems of one size. Both read the sentence with a bidirectional GRU.

- attention: the decoder of Nematus (Sennrich et al. 2017). Two GRU cells a step; between them an additive attention
  (Bahdanau et al. 2015) over the states of the encoder.
- plain: the decoder knows the sentence only by its first state, which is made of the encoder's last ones (Sutskever et
  al. 2014; Cho et al. 2014). Two GRU layers.

Sequences are time-major here: [length, batch, width].
"""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

from translator_model import EOS, Dropout, SmoothedCrossEntropy

SYSTEMS = ("attention", "plain")

# ---------------------------------------------------------------------------------- products in a loop over the steps


class Gate(torch.autograd.Function):
    """The weight of a product that a loop repeats. Its gradient is found in one product after the loop, instead of one
    for each step that reads and writes the whole gradient: `uses` collects (input, gradient of the output)."""

    @staticmethod
    def forward(ctx, weight, uses, dtype):
        ctx.set_materialize_grads(False)
        ctx.uses, ctx.dtype = uses, weight.dtype
        return weight.to(dtype) if dtype != weight.dtype else weight.view_as(weight)

    @staticmethod
    def backward(ctx, _):
        inputs, gradients = (torch.cat(part) for part in zip(*ctx.uses))
        ctx.uses.clear()
        return (gradients.t() @ inputs).to(ctx.dtype), None, None


class Product(torch.autograd.Function):
    """x W^T for x [batch, in] of a step, W [out, in]."""

    @staticmethod
    def forward(ctx, x, weight, uses):
        x = x.to(weight.dtype)
        ctx.save_for_backward(x, weight)
        ctx.uses = uses
        return x @ weight.t()

    @staticmethod
    def backward(ctx, gradient):
        x, weight = ctx.saved_tensors
        gradient = gradient.to(weight.dtype)
        ctx.uses.append((x, gradient))
        return (gradient @ weight).float(), None, None


def looped(weight, dtype):
    """The product with `weight` as a function for all steps of one loop."""
    uses = []
    gate = Gate.apply(weight, uses, dtype)
    return lambda x: Product.apply(x, gate, uses)


class GruState(torch.autograd.Function):
    """h' = (1 - z) n + z h of PyTorch's GRU, where [r, z, n] come from `given` = W_ih x + b_ih and `kept` = W_hh h + b_hh
    [batch, 3 hidden]: n = tanh(given_n + r kept_n)."""

    @staticmethod
    def forward(ctx, given, kept, state):
        given, kept = given.float(), kept.float()
        width = state.shape[1]
        gates = (given[:, : 2 * width] + kept[:, : 2 * width]).sigmoid_()
        reset, update = gates[:, :width], gates[:, width:]
        kept_new = kept[:, 2 * width :]
        new = torch.addcmul(given[:, 2 * width :], reset, kept_new).tanh_()
        ctx.save_for_backward(gates, new, kept_new, state)
        return torch.lerp(new, state, update)

    @staticmethod
    def backward(ctx, gradient):
        gates, new, kept_new, state = ctx.saved_tensors
        width = state.shape[1]
        reset, update = gates[:, :width], gates[:, width:]
        of_given = torch.empty(len(state), 3 * width, dtype=gradient.dtype, device=gradient.device)
        of_new = gradient * (1 - update) * (1 - new * new)
        of_given[:, 2 * width :] = of_new
        of_given[:, width : 2 * width] = gradient * (state - new) * update * (1 - update)
        of_given[:, :width] = of_new * kept_new * reset * (1 - reset)
        of_kept = of_given.clone()
        of_kept[:, 2 * width :] *= reset
        return of_given, of_kept, gradient * update


class Memory(torch.autograd.Function):
    """keys and states [batch, length, width] of the encoder for a loop of Attend, whose `uses` hold (gradient of the
    keys or None, attention weights [batch, length], gradient of the context [batch, width])."""

    @staticmethod
    def forward(ctx, keys, states, uses):
        ctx.set_materialize_grads(False)
        ctx.uses = uses
        return keys.view_as(keys), states.view_as(states)

    @staticmethod
    def backward(ctx, *_):
        of_keys, weights, of_contexts = zip(*ctx.uses)
        ctx.uses.clear()
        return next(g for g in of_keys if g is not None), torch.bmm(torch.stack(weights, 2), torch.stack(of_contexts, 1)), None


class Attend(torch.autograd.Function):
    """The context [batch, width]: the mean of `states` with weights softmax(energy . tanh(keys + query) + mask)."""

    @staticmethod
    def forward(ctx, query, keys, states, energy, mask, uses):
        hidden = torch.add(keys, query[:, None]).tanh_()
        weights = ((hidden.view(-1, len(energy)) @ energy).view_as(mask) + mask).softmax(1)
        ctx.save_for_backward(hidden, weights, states, energy)
        ctx.uses = uses
        return torch.bmm(weights[:, None], states)[:, 0]

    @staticmethod
    def backward(ctx, gradient):
        hidden, weights, states, energy = ctx.saved_tensors
        of_weights = torch.bmm(states, gradient[:, :, None])[:, :, 0]
        of_scores = weights * (of_weights - (of_weights * weights).sum(1, keepdim=True))
        of_energy = of_scores.view(-1) @ hidden.view(-1, len(energy))
        inner = torch.addcmul(energy, hidden, hidden * energy, value=-1).mul_(of_scores[:, :, None])
        of_query = inner.sum(1)
        if ctx.uses:  # the sum is kept in the first
            ctx.uses[0][0].add_(inner)
        ctx.uses.append((None if ctx.uses else inner, weights, gradient))
        return of_query, None, None, of_energy, None, None


class Weights(nn.Module):
    """Parameters of one GRU under PyTorch's names, and products with them."""

    def __init__(self, width, hidden, layers, directions):
        super().__init__()
        for layer in range(layers):
            for suffix in ("", "_reverse")[:directions]:
                inputs = width if layer == 0 else hidden * directions
                bound = hidden**-0.5
                for name, size in (("weight_ih", (3 * hidden, inputs)), ("weight_hh", (3 * hidden, hidden)), ("bias_ih", (3 * hidden,)), ("bias_hh", (3 * hidden,))):
                    setattr(self, f"{name}_l{layer}{suffix}", nn.Parameter(torch.empty(size).uniform_(-bound, bound)))
                for gate in getattr(self, f"weight_hh_l{layer}{suffix}").data.split(hidden):
                    nn.init.orthogonal_(gate)

    def of(self, suffix):
        return [getattr(self, f"{name}_{suffix}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]

    def step(self, suffix, dtype):
        """f(given, state) -> state for all steps of one loop; `given` is what `inputs` makes of them."""
        _, weight, _, bias = self.of(suffix)
        product = looped(weight, dtype)
        return lambda given, state: GruState.apply(given, product(state) + bias, state)

    def inputs(self, suffix, x):
        weight, _, bias, _ = self.of(suffix)
        return F.linear(x, weight, bias)

    def sequence(self, suffix, x, state, dtype):
        """States [length, batch, hidden] for inputs x [length, batch, width] from the first state [batch, hidden]."""
        inputs, states = self.inputs(suffix, x), []
        with torch.autocast(x.device.type, enabled=False):  # the loop's products have their types already
            step = self.step(suffix, dtype)
            for given in inputs.unbind(0):
                state = step(given, state)
                states.append(state)
            return torch.stack(states)


# ------------------------------------------------------------------------------------------------------- networks


class Part(nn.Module):
    """A name that parameters stand under."""


class Translator(nn.Module):
    """`shape` holds system, vocabulary (the last id is <pad>), embedding, encoder_hidden (of a direction), encoder_layers,
    decoder_hidden and attention_width. Every sentence of either side ends with EOS; the decoder starts from EOS."""

    def __init__(self, shape, dropout):
        super().__init__()
        self.shape, self.pad, self.attends = shape, shape["vocabulary"] - 1, shape["system"] == "attention"
        self.dropout = Dropout(dropout)
        embedding, hidden, context = shape["embedding"], shape["decoder_hidden"], 2 * shape["encoder_hidden"]
        self.encoder, self.decoder, self.init = Part(), Part(), Part()
        self.encoder.embedding = nn.Embedding(shape["vocabulary"], embedding)
        self.encoder.rnn = Weights(embedding, shape["encoder_hidden"], shape["encoder_layers"], 2)
        self.init.hidden = nn.Linear(context, hidden)
        self.decoder.embedding = nn.Embedding(shape["vocabulary"], embedding)
        if self.attends:
            self.decoder.rnn = Weights(embedding, hidden, 1, 1)
            self.decoder.rnn2 = Weights(context, hidden, 1, 1)
            self.attention = Part()
            self.attention.query = nn.Linear(hidden, shape["attention_width"], bias=False)
            self.attention.key = nn.Linear(context, shape["attention_width"])
            self.attention.energy = nn.Linear(shape["attention_width"], 1, bias=False)
        else:
            self.decoder.rnn = Weights(embedding, hidden, 2, 1)
        self.readout = nn.Linear(embedding + hidden + (context if self.attends else 0), embedding)
        self.output = Part()  # its weight is the decoder's embedding
        self.output.bias = nn.Parameter(torch.zeros(shape["vocabulary"]))
        for table in (self.encoder.embedding, self.decoder.embedding):
            nn.init.normal_(table.weight, std=embedding**-0.5)
            with torch.no_grad():
                table.weight[self.pad].zero_()

    def embed(self, part, ids):
        """[length, batch, embedding] of ids [length, batch]"""
        return self.dropout(F.embedding(ids, part.embedding.weight, padding_idx=self.pad))

    def encode(self, source, dtype):
        """(states [length, batch, context], those after the last token of each direction [batch, context]) of
        source [length, batch]. The backward direction starts at the last token of each sentence itself."""
        length, batch = source.shape
        lengths = (source != self.pad).sum(0)
        places = torch.arange(length, device=source.device)[:, None]
        mirror = torch.where(places < lengths, lengths - 1 - places, places)
        x = self.embed(self.encoder, source)
        zeros = x.new_zeros(batch, self.shape["encoder_hidden"], dtype=torch.float32)
        for layer in range(self.shape["encoder_layers"]):
            if layer:
                x = self.dropout(x)
            sides = mirror[:, :, None].expand(-1, -1, x.shape[2])
            forward = self.encoder.rnn.sequence(f"l{layer}", x, zeros, dtype)
            backward = self.encoder.rnn.sequence(f"l{layer}_reverse", x.gather(0, sides), zeros, dtype)
            last = torch.stack([side[lengths - 1, torch.arange(batch, device=source.device)] for side in (forward, backward)], 1).flatten(1)
            backward = backward.gather(0, mirror[:, :, None].expand(-1, -1, backward.shape[2]))
            x = torch.cat([forward, backward], 2)
        return x, last

    def start(self, source, dtype=torch.float32):
        """What the decoder's steps read of the sentences, {name: tensor [batch, ...]}, and the first state [batch,
        hidden]."""
        states, last = self.encode(source, dtype)
        if not self.attends:
            return {}, torch.tanh(self.init.hidden(self.dropout(last))).float()
        keep = (source != self.pad)[:, :, None]
        states = self.dropout(states)
        mean = (states * keep).sum(0) / keep.sum(0)
        mask = torch.zeros(source.shape, device=source.device).masked_fill_(source == self.pad, -math.inf)
        memory = {"states": states, "keys": self.attention.key(states), "mask": mask}
        memory = {name: tensor.float().transpose(0, 1).contiguous() for name, tensor in memory.items()}
        return memory, torch.tanh(self.init.hidden(mean)).float()

    def decoder_steps(self, memory, dtype):
        """f(given [batch, 3 hidden] of the embedding, state) -> (state, context or None)"""
        step1 = self.decoder.rnn.step("l0", dtype)
        step2 = self.decoder.rnn2.step("l0", dtype)
        query = looped(self.attention.query.weight, dtype)
        weight, _, bias, _ = self.decoder.rnn2.of("l0")
        inputs = looped(weight, dtype)
        uses = []
        keys, states = Memory.apply(memory["keys"], memory["states"], uses)
        energy = self.attention.energy.weight[0]

        def step(given, state):
            between = step1(given, state)
            context = Attend.apply(query(between).float(), keys, states, energy, memory["mask"], uses)
            return step2(inputs(context) + bias, between), context

        return step

    def hidden(self, source, target, dtype):
        """What the output layer reads [length, batch, embedding] after each token of target [length, batch]."""
        memory, state = self.start(source, dtype)
        x = self.embed(self.decoder, target)
        if self.attends:
            states, contexts = [], []
            inputs = self.decoder.rnn.inputs("l0", x)
            with torch.autocast(x.device.type, enabled=False):  # the loop's products have their types already
                step = self.decoder_steps(memory, dtype)
                for given in inputs.unbind(0):
                    state, context = step(given, state)
                    states.append(state)
                    contexts.append(context)
            read = [x, torch.stack(states), torch.stack(contexts)]
        else:
            y = self.decoder.rnn.sequence("l0", x, state, dtype)
            read = [x, self.decoder.rnn.sequence("l1", self.dropout(y), state, dtype)]
        return self.dropout(torch.tanh(self.readout(torch.cat(read, 2))))

    def logits(self, read):
        """[..., vocabulary - 1]: <pad> is never produced."""
        return F.linear(read, self.decoder.embedding.weight[: self.pad], self.output.bias[: self.pad])


def loss_of(model, source, target, smoothing):
    """Mean negative log-likelihood a token, with the gradient of the label-smoothed loss. `source` and `target`
    [batch, length] end with EOS and are padded."""
    bfloat16 = torch.is_autocast_enabled(source.device.type)
    source, target = source.t().contiguous(), target.t().contiguous()
    shifted = torch.cat([torch.full_like(target[:1], EOS), target[:-1]])
    keep = target != model.pad
    read = model.hidden(source, shifted, torch.bfloat16 if bfloat16 else torch.float32)
    return SmoothedCrossEntropy.apply(model.logits(read[keep]), target[keep], smoothing)


# --------------------------------------------------------------------------------------------------------- search


def decoder_of(model, source):
    """(step, first state [layers, rows, hidden]): step(tokens, states, sentences) -> (log-probabilities [rows, vocabulary
    - 1], states), where row i goes on with sentence number sentences[i] of source [length, sentences]."""
    memory, state = model.start(source)
    layers = 1 if model.attends else 2

    def step(tokens, states, sentences):
        x = model.embed(model.decoder, tokens)
        if model.attends:
            part = {name: tensor[sentences] for name, tensor in memory.items()}
            state, context = model.decoder_steps(part, torch.float32)(model.decoder.rnn.inputs("l0", x), states[0])
            read, states = [x, state, context], state[None]
        else:
            low = model.decoder.rnn.step("l0", torch.float32)(model.decoder.rnn.inputs("l0", x), states[0])
            top = model.decoder.rnn.step("l1", torch.float32)(model.decoder.rnn.inputs("l1", low), states[1])
            read, states = [x, top], torch.stack([low, top])
        return model.logits(torch.tanh(model.readout(torch.cat(read, 1)))).log_softmax(-1), states

    return step, torch.stack([state] * layers)


@torch.no_grad()
def search(model, source, beam, limit):
    """The best target ids without EOS of each sentence of source [length, sentences]: beam search (1: greedy) by
    log-probability over the number of tokens with EOS, at most `limit` tokens. A sentence is done when it has `beam`
    finished hypotheses."""
    count, vocabulary = source.shape[1], model.pad
    step, states = decoder_of(model, source)
    finished = [[] for _ in range(count)]
    live = {sentence: [(0.0, [])] for sentence in range(count)}
    rows = [(sentence, 0) for sentence in range(count)]
    for length in range(1, limit + 1):
        tokens = torch.tensor([(live[sentence][i][1] or [EOS])[-1] for sentence, i in rows])
        scores, states = step(tokens, states, torch.tensor([sentence for sentence, _ in rows]))
        best, places = scores.topk(min(beam, vocabulary), -1)
        best, places = best.tolist(), places.tolist()
        row_of = {row: number for number, row in enumerate(rows)}
        kept, parents, following = {}, [], []
        for sentence, hypotheses in live.items():
            options = sorted(
                ((hypotheses[i][0] + score, i, token) for i in range(len(hypotheses)) for score, token in zip(best[row_of[sentence, i]], places[row_of[sentence, i]])),
                key=lambda option: -option[0],
            )[:beam]
            next_live = []
            for score, i, token in options:
                if token == EOS or length == limit:
                    ids = hypotheses[i][1] + [token] * (token != EOS)
                    finished[sentence].append((score / length, ids))
                else:
                    next_live.append((score, hypotheses[i][1] + [token], row_of[sentence, i]))
            if next_live and len(finished[sentence]) < beam:
                kept[sentence] = [(score, ids) for score, ids, _ in next_live]
                for number, (_, _, parent) in enumerate(next_live):
                    following.append((sentence, number))
                    parents.append(parent)
        if not kept:
            break
        live, rows, states = kept, following, states[:, torch.tensor(parents)]
    return [max(hypotheses)[1] for hypotheses in finished]
