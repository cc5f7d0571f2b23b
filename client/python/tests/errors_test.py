# SPDX-License-Identifier: Apache-2.0
"""HeedError: what it says, and that it may travel."""

import pickle

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

from heed_client import FieldViolation, HeedError

CODE = grpc.StatusCode.INVALID_ARGUMENT


def details(*messages):
    status = status_pb2.Status(code=3)
    for message in messages:
        packed = any_pb2.Any()
        packed.Pack(message)
        status.details.append(packed)
    return (("grpc-status-details-bin", status.SerializeToString()),)


def test_violations_are_found_among_other_details():
    bad = error_details_pb2.BadRequest()
    bad.field_violations.add(field="texts[3]", description="is empty")
    error = HeedError(CODE, "texts[3] is empty", trailing_metadata=details(error_details_pb2.RetryInfo(), bad))
    assert error.violations == (FieldViolation("texts[3]", "is empty"),)


def test_details_that_are_missing_or_damaged_are_no_violations():
    damaged = status_pb2.Status()
    damaged.details.add(type_url="type.googleapis.com/google.rpc.BadRequest", value=b"\xff\xff")
    for trailing in (
        (),
        details(),
        (("grpc-status-details-bin", b"\xff\xff"),),
        (("grpc-status-details-bin", damaged.SerializeToString()),),
    ):
        assert HeedError(CODE, "no", trailing_metadata=trailing).violations == ()


def test_delays():
    for asked, seconds in (("250", 0.25), ("0", 0.0), ("-1", -0.001), ("soon", -1.0), ("99999999", 60.0)):
        assert HeedError(CODE, "no", trailing_metadata=(("grpc-retry-pushback-ms", asked),)).retry_delay_s == seconds
    assert HeedError(CODE, "no").retry_delay_s is None


def test_it_is_a_grpc_error_and_may_be_pickled():
    error = HeedError(CODE, "wrong", "heed.v1.TranslationService/Translate", (("a", "b"),), (("c", "d"),), "debug")
    copy = pickle.loads(pickle.dumps(error))
    assert isinstance(copy, grpc.RpcError)
    for one in (error, copy):
        assert str(one) == "INVALID_ARGUMENT: wrong (heed.v1.TranslationService/Translate)"
        assert repr(one) == "HeedError(INVALID_ARGUMENT, 'wrong', 'heed.v1.TranslationService/Translate')"
        assert (one.code(), one.details(), one.debug_error_string()) == (CODE, "wrong", "debug")
        assert (one.trailing_metadata(), one.initial_metadata()) == ((("a", "b"),), (("c", "d"),))
