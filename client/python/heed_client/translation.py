# SPDX-License-Identifier: Apache-2.0
"""TranslationService: translations whole and as they grow, languages, detection."""

from __future__ import annotations

from typing import (
    TYPE_CHECKING,
    Any,
    AsyncGenerator,
    Callable,
    Dict,
    Generator,
    Iterable,
    List,
    Mapping,
    Optional,
    Tuple,
    TypeVar,
)

from heed.v1 import translation_pb2 as pb

from heed_client.async_transport import AsyncTransport
from heed_client.calls import Call, Method, options_message, strings, whole
from heed_client.transport import Transport

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from heed_client.options import TranslateOptions, TranslationOptions

R = TypeVar("R", pb.TranslateRequest, pb.TranslateStreamRequest)
OnDelta = Callable[[int, int, str], None]

TRANSLATE = Method("heed.v1.TranslationService/Translate", pb.TranslateRequest, pb.TranslateResponse)
TRANSLATE_STREAM = Method(
    "heed.v1.TranslationService/TranslateStream", pb.TranslateStreamRequest, pb.TranslateStreamResponse
)
LIST_LANGUAGES = Method("heed.v1.TranslationService/ListLanguages", pb.ListLanguagesRequest, pb.ListLanguagesResponse)
DETECT_LANGUAGE = Method(
    "heed.v1.TranslationService/DetectLanguage", pb.DetectLanguageRequest, pb.DetectLanguageResponse
)

EARLY_STOPPING = {
    "heuristic": pb.TranslateOptions.EARLY_STOPPING_HEURISTIC,
    "first": pb.TranslateOptions.EARLY_STOPPING_FIRST,
    "never": pb.TranslateOptions.EARLY_STOPPING_NEVER,
}
FORMATS = {"plain": pb.TEXT_FORMAT_PLAIN, "html": pb.TEXT_FORMAT_HTML, "xml": pb.TEXT_FORMAT_XML}


def make_options(**options: Unpack[TranslateOptions]) -> pb.TranslateOptions:
    """TranslateOptions from keywords: its fields' names; early_stopping as "heuristic", "first" or "never", sampling as
    a dictionary of Sampling's fields. None leaves a field to the server's default."""
    fields: Dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    if "early_stopping" in fields:
        name = fields["early_stopping"]
        if name not in EARLY_STOPPING:
            raise ValueError(f"early_stopping is {name!r}; it can be {', '.join(map(repr, EARLY_STOPPING))}")
        fields["early_stopping"] = EARLY_STOPPING[name]
    if "sampling" in fields:
        fields["sampling"] = options_message(pb.TranslateOptions.Sampling, "sampling", **fields["sampling"])
    return options_message(pb.TranslateOptions, "translate options", **fields)


def make_translation_fields(
    source: Optional[str] = None,
    target: Optional[str] = None,
    format: Optional[str] = None,
    glossary: Optional[Mapping[str, str]] = None,
    keep: Optional[Iterable[str]] = None,
    placeholders: Optional[bool] = None,
) -> Dict[str, Any]:
    """What a request says beside its texts and options. source ("auto": detected) and target: languages, "de", "pt-BR".
    format: "plain", "html" or "xml". glossary: phrases and their translations, a dictionary. keep: phrases that are not
    translated. placeholders: whether {name}, %s and the like stay."""
    fields: Dict[str, Any] = {}
    if source is not None:
        fields["source_language"] = source
    if target is not None:
        fields["target_language"] = target
    if format is not None:
        if format not in FORMATS:
            raise ValueError(f"format is {format!r}; it can be {', '.join(map(repr, FORMATS))}")
        fields["format"] = FORMATS[format]
    if glossary:
        fields["glossary"] = [pb.GlossaryEntry(source=phrase, target=word) for phrase, word in glossary.items()]
    if keep or placeholders:
        phrases = strings(keep or (), "keep", "phrases")
        fields["do_not_translate"] = pb.DoNotTranslate(phrases=phrases, placeholders=bool(placeholders))
    return fields


_FIELDS = ("source", "target", "format", "glossary", "keep", "placeholders")


def _request(
    request_type: Callable[..., R], texts: Iterable[str], model: str, model_version: int, options: Dict[str, Any]
) -> R:
    listed = strings(texts, "texts", "texts")
    fields = make_translation_fields(**{name: options.pop(name) for name in _FIELDS if name in options})
    if "format" in fields and request_type is pb.TranslateStreamRequest:
        raise ValueError("format: streams are of plain texts")
    return request_type(
        model=model, model_version=model_version, texts=listed, options=make_options(**options), **fields
    )


def translate_call(
    texts: Iterable[str], model: str, model_version: int, options: Dict[str, Any]
) -> Call[pb.TranslateResponse]:
    return TRANSLATE.call(_request(pb.TranslateRequest, texts, model, model_version, options), whole)


def texts_of(response: pb.TranslateResponse) -> List[str]:
    return [translation.text for translation in response.translations]


def stream_call(
    texts: Iterable[str], model: str, model_version: int, on_delta: Optional[OnDelta], options: Dict[str, Any]
) -> Call[Optional[Tuple[int, int, str]]]:
    """None for what on_delta was called with."""

    def read(event: pb.TranslateStreamResponse) -> Optional[Tuple[int, int, str]]:
        if event.WhichOneof("event") == "sentence":
            hypotheses = event.sentence.hypotheses
            return event.text_index, event.sentence_index, hypotheses[0].text if hypotheses else ""
        if on_delta is not None:
            on_delta(event.text_index, event.sentence_index, event.delta)
        return None

    return TRANSLATE_STREAM.call(_request(pb.TranslateStreamRequest, texts, model, model_version, options), read)


def languages_call() -> Call[pb.ListLanguagesResponse]:
    return LIST_LANGUAGES.call(pb.ListLanguagesRequest(), whole)


def detect_call(texts: Iterable[str], languages: Iterable[str]) -> Call[List[List[Tuple[str, float]]]]:
    if isinstance(texts, str) or isinstance(languages, str):
        raise TypeError("texts and languages are lists")
    request = pb.DetectLanguageRequest(texts=texts, languages=languages)
    return DETECT_LANGUAGE.call(
        request,
        lambda response: [[(guess.language, guess.confidence) for guess in text.guesses] for text in response.texts],
    )


class TranslationMethods(Transport):
    """Of Client."""

    def translate(
        self, texts: Iterable[str], model: str = "", model_version: int = 0, **options: Unpack[TranslationOptions]
    ) -> List[str]:
        """The translation of each text, in order. Without a model, source and target choose one, or two in a chain;
        these and format, glossary, keep and placeholders: see make_translation_fields. model_version, here and below: a
        version of the model; 0: its default one. Options: see make_options."""
        return texts_of(self._run(translate_call(texts, model, model_version, {**options})))

    def translate_fully(
        self, texts: Iterable[str], model: str = "", model_version: int = 0, **options: Unpack[TranslationOptions]
    ) -> pb.TranslateResponse:
        """The server's whole TranslateResponse: scores, n best, and tokens and attention where asked for; the languages
        and the models that translated each text."""
        return self._run(translate_call(texts, model, model_version, {**options}))

    def stream(
        self,
        texts: Iterable[str],
        model: str = "",
        on_delta: Optional[OnDelta] = None,
        model_version: int = 0,
        **options: Unpack[TranslationOptions],
    ) -> Generator[Tuple[int, int, str], None, None]:
        """Yields (text index, sentence index, translation) as sentences are finished, in any order. For what a greedy
        translation grew by, on_delta(text index, sentence index, text) is called."""
        return self._stream(stream_call(texts, model, model_version, on_delta, {**options}))

    def languages(self) -> pb.ListLanguagesResponse:
        """The server's ListLanguagesResponse: languages with their names, and pairs with the models that serve them."""
        return self._run(languages_call())

    def detect(self, texts: Iterable[str], languages: Iterable[str] = ()) -> List[List[Tuple[str, float]]]:
        """For each text the guesses [(language, confidence)], likeliest first, among `languages` (none: all that the
        server translates between). At most 1,000 texts."""
        return self._run(detect_call(texts, languages))


class AsyncTranslationMethods(AsyncTransport):
    """Of AsyncClient: TranslationMethods as coroutines and asynchronous iterators."""

    async def translate(
        self, texts: Iterable[str], model: str = "", model_version: int = 0, **options: Unpack[TranslationOptions]
    ) -> List[str]:
        """As Client.translate."""
        return texts_of(await self._run(translate_call(texts, model, model_version, {**options})))

    async def translate_fully(
        self, texts: Iterable[str], model: str = "", model_version: int = 0, **options: Unpack[TranslationOptions]
    ) -> pb.TranslateResponse:
        """As Client.translate_fully."""
        return await self._run(translate_call(texts, model, model_version, {**options}))

    def stream(
        self,
        texts: Iterable[str],
        model: str = "",
        on_delta: Optional[OnDelta] = None,
        model_version: int = 0,
        **options: Unpack[TranslationOptions],
    ) -> AsyncGenerator[Tuple[int, int, str], None]:
        """As Client.stream."""
        return self._stream(stream_call(texts, model, model_version, on_delta, {**options}))

    async def languages(self) -> pb.ListLanguagesResponse:
        """As Client.languages."""
        return await self._run(languages_call())

    async def detect(self, texts: Iterable[str], languages: Iterable[str] = ()) -> List[List[Tuple[str, float]]]:
        """As Client.detect."""
        return await self._run(detect_call(texts, languages))
