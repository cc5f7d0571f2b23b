// SPDX-License-Identifier: Apache-2.0
// TranslationService's methods about languages themselves: they run no model.
#pragma once

#include "grpcpp/server_context.h"
#include "grpcpp/support/server_callback.h"
#include "heed/v1/translation.pb.h"
#include "server/languages/language_table.h"
#include "server/rpc/call.h"

namespace heed {

inline constexpr int kMaxDetectedTexts = 1000;
inline constexpr int kMaxDetectedLanguages = 1000;

// Each answers a call of the method of its name, and ends it. All that they are given outlives the call.

grpc::ServerUnaryReactor* ListLanguages(const LanguageTable& languages, RequestLog& requests,
                                        grpc::CallbackServerContext& context, v1::ListLanguagesResponse& response);

// On the calling thread, or for large requests on one of Preparation's. INVALID_ARGUMENT: too many texts or languages,
// or one that is no language.
grpc::ServerUnaryReactor* DetectLanguages(const LanguageTable& languages, const JobParts& parts,
                                          grpc::CallbackServerContext& context,
                                          const v1::DetectLanguageRequest& request,
                                          v1::DetectLanguageResponse& response);

}  // namespace heed
