// SPDX-License-Identifier: Apache-2.0
// Answers as JSON, one object on one line.
#pragma once

#include <cstdint>
#include <string>

#include "grpcpp/support/status.h"
#include "heed/v1/translation.pb.h"

namespace heed::client {

// {"line":1,"text":...,"score":...,"finish_reason":"eos","source_tokens":5,"target_tokens":6,"sentences":[...]}. A
// sentence has "source", "text", "separator" (before its source) and "hypotheses"; these have "tokens" and "attention"
// (rows of target tokens) as far as the answer has them. Of a request with languages, "source_language",
// "detection_confidence" if it was detected, and "route", the models one after the other.
std::string TranslationJson(int64_t line, const v1::TranslatedText& translation);

// {"line":1,"error":{"code":"INVALID_ARGUMENT","message":...}}
std::string ErrorJson(int64_t line, const grpc::Status& status);

}  // namespace heed::client
