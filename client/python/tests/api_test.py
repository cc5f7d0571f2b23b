# SPDX-License-Identifier: Apache-2.0
"""That the client has all of heed.v1, and that its parts agree: both clients, the options' types and the messages."""

import inspect
import typing

import pytest
from heed.v1 import graphs_pb2, language_modeling_pb2, models_pb2, questions_pb2, sequences_pb2, translation_pb2

import heed_client
from heed_client import graphs, language_calls, models, options, questions, sequences, translation
from heed_client.calls import Method

FILES = (translation_pb2, graphs_pb2, questions_pb2, sequences_pb2, language_modeling_pb2, models_pb2)
MODULES = (translation, graphs, questions, sequences, language_calls, models)


def methods():
    return {value.name: value for module in MODULES for value in vars(module).values() if isinstance(value, Method)}


def test_every_method_of_every_service_has_its_messages():
    served = {
        f"{service.full_name}/{method.name}": (method.input_type.full_name, method.output_type.full_name)
        for file in FILES
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }
    assert len(served) > 30
    assert {
        name: (method.request_type.DESCRIPTOR.full_name, method.response_type.DESCRIPTOR.full_name)
        for name, method in methods().items()
    } == served


def test_the_service_config_names_methods_that_there_are():
    names = {f"{one['service']}/{one['method']}" for one in heed_client.service_config()["methodConfig"][0]["name"]}
    assert names <= set(methods())


def public(kind):
    return {name: value for name, value in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")}


@pytest.mark.parametrize(
    "sync, aio",
    [
        (heed_client.Client, heed_client.AsyncClient),
        (heed_client.TextSession, heed_client.AsyncTextSession),
    ],
)
def test_both_clients_have_the_same_methods_with_the_same_parameters(sync, aio):
    one, other = public(sync), public(aio)
    assert set(one) == set(other)
    for name in one:
        parameters = [
            [
                (parameter.name, parameter.kind, parameter.default)
                for parameter in inspect.signature(each).parameters.values()
            ]
            for each in (one[name], other[name])
        ]
        assert parameters[0] == parameters[1], name
        assert one[name].__doc__, name
        assert other[name].__doc__, name


def fields(message):
    return {field.name for field in message.DESCRIPTOR.fields}


@pytest.mark.parametrize(
    "kind, names",
    [
        (options.Sampling, fields(translation_pb2.TranslateOptions.Sampling)),
        (options.Sampling, fields(language_modeling_pb2.GenerateOptions.Sampling)),
        (options.TranslateOptions, fields(translation_pb2.TranslateOptions)),
        (options.ClassifyOptions, fields(graphs_pb2.GraphQueryOptions)),
        (options.GraphUpdate, fields(graphs_pb2.GraphUpdate)),
        (options.AnswerOptions, fields(questions_pb2.QuestionAnswerOptions)),
        (options.TextOptions, fields(language_modeling_pb2.TextOptions)),
        (
            options.ScoreOptions,
            fields(language_modeling_pb2.ScoreOptions) - {"text"} | fields(language_modeling_pb2.TextOptions),
        ),
        (
            options.StreamScoreOptions,
            fields(language_modeling_pb2.ScoreOptions) - {"text", "segment_tokens"}
            | fields(language_modeling_pb2.TextOptions),
        ),
        (
            options.GenerateOptions,
            fields(language_modeling_pb2.GenerateOptions) - {"text"} | fields(language_modeling_pb2.TextOptions),
        ),
        (options.LabelOptions, {"return_attention"} | fields(language_modeling_pb2.TextOptions)),
    ],
)
def test_options_are_the_messages_fields(kind, names):
    assert set(typing.get_type_hints(kind)) == names


def test_what_is_exported_is_there():
    for name in heed_client.__all__:
        assert getattr(heed_client, name) is not None
