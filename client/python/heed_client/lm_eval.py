# SPDX-License-Identifier: Apache-2.0
"""Heed as a model of lm-evaluation-harness (pip install lm_eval), under the name "heed":

    python -m heed_client.lm_eval run --model heed --model_args server=127.0.0.1:50051,model=txl-novels --tasks wikitext

The harness reads its own tasks; this module only answers its three kinds of requests. Further model_args: timeout_s,
in_flight (requests in progress at a time), max_gen_toks, and the names of Client's arguments for TLS and tokens. batch_size
is the number of texts in a request.
"""

from __future__ import annotations

import concurrent.futures
from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence, Tuple, TypeVar

from lm_eval.api.model import LM
from lm_eval.api.registry import register_model

from heed_client import Client, HeedError, Score

T = TypeVar("T")
U = TypeVar("U")
MAX_STOPS, MAX_STOP_BYTES = 16, 256  # of a request; the texts are cut at the others here


def cut_at(text: str, stops: Iterable[str]) -> str:
    """The text before the first of the stops."""
    ends = [found for found in (text.find(stop) for stop in stops if stop) if found >= 0]
    return text[: min(ends)] if ends else text


@register_model("heed")
class HeedLM(LM):
    """Scores and continues texts with a model of a Heed server. What stands before a text without a context is the model's
    end-of-text token, as in the harness's own models."""

    def __init__(
        self,
        server: str = "127.0.0.1:50051",
        model: str = "",
        model_version: int = 0,
        timeout_s: float = 600,
        in_flight: int = 16,
        max_gen_toks: int = 256,
        tokenization: Optional[str] = None,
        append_line_end: Optional[bool] = None,
        batch_size: Any = 16,
        max_batch_size: Any = None,
        device: Any = None,
        **client_arguments: Any,
    ) -> None:
        super().__init__()
        self._client = Client(server, timeout_s=float(timeout_s), **client_arguments)
        self._name = model
        self._options: Any = {  # of every call
            "model": model,
            "model_version": int(model_version),
            "tokenization": tokenization,
            "append_line_end": append_line_end,
        }
        self._in_flight = int(in_flight)
        self._max_gen_toks = int(max_gen_toks)
        self._batch_size = 16 if batch_size in (None, "auto") or str(batch_size).startswith("auto") else int(batch_size)

    @property
    def tokenizer_name(self) -> str:
        return self._name or "heed"

    def loglikelihood(self, requests: Sequence[Any], disable_tqdm: bool = False) -> List[Tuple[float, bool]]:
        """Of each (context, continuation): the log-probability of the continuation, and whether each of its tokens was the
        likeliest. Both make up one text, as in Client.score."""
        pairs = [request.args for request in requests]
        scores = self._scores([(context, continuation) for context, continuation in pairs])
        answers = [(score.log_probability, score.is_greedy) for score in scores]
        self._remember("loglikelihood", requests, answers)
        return answers

    def loglikelihood_rolling(self, requests: Sequence[Any], disable_tqdm: bool = False) -> List[float]:
        """The log-probability of each whole text. The model's memory takes the place of the harness's windows."""
        scores = self._scores([("", request.args[0]) for request in requests])
        answers = [score.log_probability for score in scores]
        self._remember("loglikelihood_rolling", requests, answers)
        return answers

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> List[str]:
        """What comes behind each context, up to the first of the texts `until`."""
        answers = self._in_parallel(lambda request: self._continue(*request.args), requests)
        self._remember("generate_until", requests, answers)
        return answers

    def _scores(self, pairs: Sequence[Tuple[str, str]]) -> List[Score]:
        """Of pairs (context, text), in batches whose members begin alike: behind a context, or behind end-of-text."""
        with_context = [i for i, (context, _) in enumerate(pairs) if context]
        without = [i for i, (context, _) in enumerate(pairs) if not context]
        batches = []
        for places, begin in ((with_context, "nothing"), (without, "end-of-text")):
            for first in range(0, len(places), self._batch_size):
                batches.append((places[first : first + self._batch_size], begin))

        def score(batch: Tuple[List[int], str]) -> Tuple[List[int], List[Score]]:
            places, begin = batch
            items = [pairs[place] for place in places]
            return places, self._client.score(items, begin=begin, **self._options)

        scores: Dict[int, Score] = {}
        for places, batch_scores in self._in_parallel(score, batches):
            scores.update(zip(places, batch_scores))
        return [scores[place] for place in range(len(pairs))]

    def _continue(self, context: str, options: Any) -> str:
        options = dict(options)
        until = options.pop("until", None) or []
        stops = [until] if isinstance(until, str) else list(until)
        options.pop("max_length", None)
        arguments: Any = {
            "max_tokens": int(options.pop("max_gen_toks", self._max_gen_toks)),
            "stop": [stop for stop in stops if 0 < len(stop.encode()) <= MAX_STOP_BYTES][:MAX_STOPS],
        }
        temperature = options.pop("temperature", None)
        if options.pop("do_sample", False) and temperature != 0:
            sampling = {
                "temperature": temperature,
                "top_k": options.pop("top_k", None),
                "top_p": options.pop("top_p", None),
            }
            sampling["seed"] = options.pop("seed", 0)
            arguments["sampling"] = {name: value for name, value in sampling.items() if value is not None}
        else:
            arguments["greedy"] = True
        if "num_beams" in options:
            arguments["beam_size"] = int(options.pop("num_beams"))
        text = self._client.generate(context, **arguments, **self._options).text
        return cut_at(text, stops)

    def _in_parallel(self, call: Callable[[T], U], values: Iterable[T]) -> List[U]:
        """The calls' results, in order."""
        with concurrent.futures.ThreadPoolExecutor(max_workers=self._in_flight) as pool:
            futures = [pool.submit(call, value) for value in values]
            try:
                return [future.result() for future in futures]
            except HeedError as error:
                pool.shutdown(wait=True, cancel_futures=True)
                raise RuntimeError(f"the Heed server says {error.code().name}: {error.message}") from error

    def _remember(self, kind: str, requests: Sequence[Any], answers: Sequence[Any]) -> None:
        """For the harness's cache."""
        for request, answer in zip(requests, answers):
            self.cache_hook.add_partial(kind, request.args, answer)


if __name__ == "__main__":
    from lm_eval.__main__ import cli_evaluate

    cli_evaluate()
