# SPDX-License-Identifier: Apache-2.0
"""What a job does with each row: the call that rows make together, and the columns that the answers become. Tasks are plain
values, which travel to the executors. The driver makes a call of each beforehand, so that a wrong option fails there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Dict, List, Optional, Sequence, Tuple, cast

from heed.v1 import questions_pb2, translation_pb2
from heed_client.calls import Call
from heed_client.language_calls import classify_texts_call, score_call
from heed_client.questions import answer_call
from heed_client.texts import Score as TextScore
from heed_client.texts import TextLabels
from heed_client.translation import translate_call

Column = Tuple[str, str]  # name and type, one of those in column.py


class Task(ABC):
    """`columns` are those that it reads. `output` names the result's column; what else is asked for is in columns named
    output_detail."""

    row_fields: ClassVar[Tuple[str, ...]]  # of the request: first the one with an entry for each item, then what items share
    output_type: ClassVar[str] = "string"
    detail_types: ClassVar[Dict[str, str]]
    takes_lists: ClassVar[bool] = False  # of strings, in the first column

    def __init__(
        self,
        columns: Sequence[str],
        output: str,
        details: Sequence[str],
        model: str,
        model_version: int,
        options: Dict[str, Any],
    ) -> None:
        if isinstance(details, str):
            raise TypeError("details is a list of names, not one name")
        unknown = [name for name in details if name not in self.detail_types]
        if unknown:
            raise ValueError(f"details has {unknown[0]!r}; it can be {', '.join(map(repr, self.detail_types))}")
        self.columns = tuple(columns)
        self.output = output
        self.details = tuple(details)
        self.model = model
        self.model_version = model_version
        self.options = options

    def results(self) -> List[Column]:
        """The columns that it adds."""
        return [
            (self.output, self.output_type),
            *((f"{self.output}_{name}", self.detail_types[name]) for name in self.details),
        ]

    def is_complete(self, values: Sequence[Any]) -> bool:
        """Whether there is something to ask, by the values of `columns` in a row. Otherwise its results are null."""
        return values[0] is not None

    def item(self, values: Sequence[Any]) -> Any:
        """Of a row's values: what call() takes."""
        return values[0]

    def size(self, item: Any) -> int:
        """In characters."""
        return len(item)

    def belong_together(self, first: Any, second: Any) -> bool:
        """Whether one call may hold both items."""
        return True

    @abstractmethod
    def sample(self) -> Any:
        """An item, for a first call on the driver."""

    @abstractmethod
    def call(self, items: Sequence[Any]) -> Call[Any]:
        """ValueError: an option is wrong."""

    @abstractmethod
    def answers(self, answer: Any) -> List[Tuple[Any, Dict[str, Any]]]:
        """For each item of a call, in order, the result and the details. `answer` is what the call reads."""


class Translate(Task):
    row_fields = ("texts",)
    detail_types = {
        "score": "double",
        "finish_reason": "string",
        "source_language": "string",
        "model": "string",
        "model_version": "bigint",
    }

    def sample(self) -> str:
        return ""

    def call(self, items: Sequence[str]) -> Call[Any]:
        # Greedy search is faster without scores.
        options = {"return_scores": "score" in self.details, **self.options}
        return translate_call(items, self.model, self.model_version, options)

    def answers(self, answer: translation_pb2.TranslateResponse) -> List[Tuple[Any, Dict[str, Any]]]:
        return [(one.text, self._details_of(one, answer)) for one in answer.translations]

    @staticmethod
    def _details_of(
        translation: translation_pb2.TranslatedText, answer: translation_pb2.TranslateResponse
    ) -> Dict[str, Any]:
        reason = translation_pb2.TranslationFinishReason.Name(translation.finish_reason)
        last = translation.route[-1] if translation.route else answer
        return {
            "score": translation.score,
            "finish_reason": reason[len("TRANSLATION_FINISH_REASON_") :].lower(),
            "source_language": translation.source_language or None,
            "model": last.model,
            "model_version": last.model_version,
        }


class ClassifyTexts(Task):
    """`columns`: the text and, if there are two, its second text."""

    row_fields = ("items",)
    detail_types = {"score": "double", "labels": "labels", "tokens": "bigint", "truncated": "boolean"}

    def item(self, values: Sequence[Any]) -> Tuple[str, str]:
        return values[0], (values[1] or "") if len(values) > 1 else ""

    def size(self, item: Any) -> int:
        return len(item[0]) + len(item[1])

    def sample(self) -> Tuple[str, str]:
        return "", ""

    def call(self, items: Sequence[Tuple[str, str]]) -> Call[Any]:
        options = dict(self.options)
        call = classify_texts_call(
            items,
            self.model,
            self.model_version,
            top_k=options.pop("top_k", None),
            function=options.pop("function", None),
            overlong=options.pop("overlong", None),
            max_tokens=options.pop("max_tokens", None),
            options=options,
        )
        return cast(Call[Any], call)

    def answers(self, answer: List[TextLabels]) -> List[Tuple[Any, Dict[str, Any]]]:
        return [
            (
                one.label,
                {
                    "score": one.score,
                    "labels": [{"label": label, "score": score} for label, score in one.labels],
                    "tokens": one.token_count,
                    "truncated": one.truncated,
                },
            )
            for one in answer
        ]


class Answer(Task):
    """`columns`: the facts, an array of strings or a string of lines, and the question where each row has its own. Rows that
    follow each other and have the same facts travel together."""

    row_fields = ("questions", "facts")
    detail_types = {"probability": "double", "unknown_words": "strings"}
    takes_lists = True

    def __init__(self, *arguments: Any, question: Optional[str] = None) -> None:
        super().__init__(*arguments)
        if (question is None) == (len(self.columns) == 1):
            raise ValueError("exactly one of question and question_column must be given")
        self._question = question

    def is_complete(self, values: Sequence[Any]) -> bool:
        return None not in values

    def item(self, values: Sequence[Any]) -> Tuple[Tuple[str, ...], Any]:
        facts = values[0].split("\n") if isinstance(values[0], str) else values[0]
        question = values[1] if len(values) > 1 else self._question
        return tuple(fact for fact in facts if fact is not None and fact.strip()), question

    def size(self, item: Any) -> int:
        return sum(map(len, item[0])) + len(item[1])

    def belong_together(self, first: Any, second: Any) -> bool:
        return bool(first[0] == second[0])

    def sample(self) -> Tuple[Tuple[str, ...], str]:
        return (), ""

    def call(self, items: Sequence[Tuple[Tuple[str, ...], str]]) -> Call[Any]:
        questions = [question for _, question in items]
        return answer_call(items[0][0], questions, self.model, self.model_version, self.options)

    def answers(self, answer: List[questions_pb2.QuestionAnswer]) -> List[Tuple[Any, Dict[str, Any]]]:
        return [
            (
                one.text,
                {
                    "probability": one.candidates[0].probability if one.candidates else None,
                    "unknown_words": list(one.unknown_words),
                },
            )
            for one in answer
        ]


class Score(Task):
    """`columns`: the text and, if there is one, the context that is read before it. The result is the log-probability."""

    row_fields = ("items",)
    output_type = "double"
    detail_types = {
        "perplexity": "double",
        "bits_per_byte": "double",
        "tokens": "bigint",
        "words": "bigint",
        "unknown_tokens": "bigint",
        "is_greedy": "boolean",
    }

    def item(self, values: Sequence[Any]) -> Tuple[str, str]:
        return (values[1] or "") if len(values) > 1 else "", values[0]

    def size(self, item: Any) -> int:
        return len(item[0]) + len(item[1])

    def sample(self) -> Tuple[str, str]:
        return "", ""

    def call(self, items: Sequence[Tuple[str, str]]) -> Call[Any]:
        return cast(Call[Any], score_call(items, self.model, self.model_version, None, None, self.options))

    def answers(self, answer: List[TextScore]) -> List[Tuple[Any, Dict[str, Any]]]:
        return [(one.log_probability, {name: getattr(one, name) for name in self.detail_types}) for one in answer]
