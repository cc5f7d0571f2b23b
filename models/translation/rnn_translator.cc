// SPDX-License-Identifier: Apache-2.0
#include "models/translation/rnn_translator.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/json_fields.h"
#include "base/status_macros.h"
#include "files/checkpoint.h"
#include "models/kinds/served_precision.h"
#include "models/text/configured_tokenizer.h"
#include "models/translation/rnn_config.h"
#include "models/translation/rnn_network.h"
#include "models/translation/seq2seq_translator.h"

namespace heed {

absl::StatusOr<std::shared_ptr<const Translator>> LoadRnnTranslator(const std::string& path, const std::string& name,
                                                                    Precision precision) {
  HEED_ASSIGN_OR_RETURN(JsonFields fields, JsonFields::Read(absl::StrCat(path, "/config.json")));
  HEED_ASSIGN_OR_RETURN(const RnnConfig config, ReadRnnConfig(path, fields));
  HEED_ASSIGN_OR_RETURN(const Checkpoint checkpoint, Checkpoint::Open(path));
  HEED_ASSIGN_OR_RETURN(std::unique_ptr<RnnNetwork> network,
                        RnnNetwork::Load(checkpoint, config, PrecisionHere(precision)));
  if (!fields.Has("tokenizer")) {
    fields.Missing("tokenizer");
    return fields.status();
  }
  ConfiguredTokenIds ids;
  ids.source_vocabulary = config.source_embedding.vocabulary;
  ids.target_vocabulary = config.target_embedding.vocabulary;
  ids.source_start = config.source_start;
  ids.source_end = config.source_end;
  ids.source_unknown = config.source_unknown;
  ids.target_start = config.target_start;
  ids.target_end = config.target_end;
  ids.target_unknown = config.target_unknown;
  ids.target_pad = config.target_pad;
  ids.source_special = config.source_special;
  ids.target_special = config.target_special;
  HEED_ASSIGN_OR_RETURN(std::unique_ptr<const TranslationTokenizer> tokenizer,
                        LoadConfiguredTokenizer(path, fields.Inner("tokenizer"), ids));
  ModelSpec spec;
  spec.name = name;
  spec.architecture = "rnn-seq2seq";
  spec.warnings = config.generation.warnings;
  NotePrecision(precision, spec);
  return std::make_shared<const Seq2SeqTranslator>(std::move(spec), std::move(network), std::move(tokenizer),
                                                   config.generation.search, config.generation.default_options,
                                                   config.replace_unknown ? config.target_unknown : std::nullopt);
}

}  // namespace heed
