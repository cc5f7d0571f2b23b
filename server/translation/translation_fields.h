// SPDX-License-Identifier: Apache-2.0
// What Translate and TranslateStream have in common of their requests.
#pragma once

#include <cstdint>
#include <string>

#include "heed/v1/translation.pb.h"

namespace heed {

// Borrows the request's fields.
struct TranslationFields {
  explicit TranslationFields(const v1::TranslateRequest& request)
      : TranslationFields(request, request.format(), request.markup(), /*is_stream=*/false) {}
  // Its texts are plain.
  explicit TranslationFields(const v1::TranslateStreamRequest& request)
      : TranslationFields(request, v1::TEXT_FORMAT_PLAIN, v1::MarkupOptions::default_instance(), /*is_stream=*/true) {}

  bool has_languages() const { return !source_language.empty() || !target_language.empty(); }

  const std::string& model;
  const int64_t model_version;
  const google::protobuf::RepeatedPtrField<std::string>& texts;
  const v1::TranslateOptions& options;
  const std::string& source_language;
  const std::string& target_language;
  const google::protobuf::RepeatedPtrField<v1::GlossaryEntry>& glossary;
  const v1::DoNotTranslate& do_not_translate;
  const v1::TextFormat format;
  const v1::MarkupOptions& markup;
  const bool stream;

 private:
  template <typename Request>
  TranslationFields(const Request& request, v1::TextFormat text_format, const v1::MarkupOptions& markup_options,
                    bool is_stream)
      : model(request.model()),
        model_version(request.model_version()),
        texts(request.texts()),
        options(request.options()),
        source_language(request.source_language()),
        target_language(request.target_language()),
        glossary(request.glossary()),
        do_not_translate(request.do_not_translate()),
        format(text_format),
        markup(markup_options),
        stream(is_stream) {}
};

}  // namespace heed
