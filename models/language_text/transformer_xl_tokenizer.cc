// SPDX-License-Identifier: Apache-2.0
#include "models/language_text/transformer_xl_tokenizer.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "base/code_points.h"
#include "base/excerpt.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"
#include "models/language_text/clean_up_spaces.h"
#include "models/language_text/moses_words.h"
#include "models/language_text/special_tokens.h"
#include "models/moses/moses_characters.h"
#include "models/moses/moses_tokenizer.h"
#include "models/text/lower_case.h"
#include "models/text/vocabulary_file.h"

namespace heed {
namespace {

enum class Kind { kMoses, kWhitespace, kCharacters, kBytes };

// What tokenizer_config.json says.
struct TransformerXlSettings {
  Kind kind = Kind::kMoses;
  bool lower_case = false;
  bool clean_up = true;
  std::string language;
  std::string blank;  // how a vocabulary of characters spells " "
  std::string end_of_line;
  std::vector<std::string> unknown;     // names, of which the first that the vocabulary has counts
  std::vector<SpecialToken> tokens;     // that a text may contain
  std::vector<std::string> never_text;  // padding and the like
};

void CheckOwnFields(JsonFields& fields) {
  if (!fields.object().is_object()) return;
  for (const auto& [name, value] : fields.object().items()) {
    if (!absl::StartsWith(name, "heed_") || name == "heed_tokenization" || name == "heed_blank") continue;
    fields.Wrong(name, "but no such field is known");
  }
}

absl::StatusOr<TransformerXlSettings> ReadTransformerXlSettings(const std::string& directory) {
  constexpr Choice<Kind> kKinds[] = {{"moses", Kind::kMoses},
                                     {"whitespace", Kind::kWhitespace},
                                     {"characters", Kind::kCharacters},
                                     {"bytes", Kind::kBytes}};
  HEED_ASSIGN_OR_RETURN(TokenizerFiles files, TokenizerFiles::Read(directory, "TransfoXLTokenizer"));
  JsonFields& fields = files.fields();
  TransformerXlSettings settings;
  // transformers takes characters for tokens where the delimiter is empty.
  const bool empty_delimiter = fields.Has("delimiter") && fields.String("delimiter", "").empty();
  settings.kind = fields.OneOf("heed_tokenization", kKinds, empty_delimiter ? "characters" : "moses");
  if (fields.Has("delimiter") && !empty_delimiter) fields.Wrong("delimiter", "but only null and \"\" are served");
  if (empty_delimiter && settings.kind != Kind::kCharacters) {
    fields.Wrong("heed_tokenization", "but the delimiter is \"\", which means characters");
  }
  settings.lower_case = fields.Bool("lower_case", false);
  settings.clean_up = fields.Bool("clean_up_tokenization_spaces", true);
  settings.blank = fields.String("heed_blank", "\xe2\x96\x81");
  if (fields.Has("heed_blank") && settings.kind != Kind::kCharacters) {
    fields.Wrong("heed_blank", "but the tokens are not characters");
  }
  settings.language = fields.String("language", "en");
  if (!HasMosesRules(settings.language)) {
    fields.Wrong("language", absl::StrCat("which has no rules of Moses; there are those of ", MosesLanguages()));
  }
  if (fields.Has("never_split")) fields.Wrong("never_split", "but only null is served");
  CheckOwnFields(fields);

  const SpecialToken end_of_line = files.Token("eos_token", {"<eos>", true, true});
  const SpecialToken unknown = files.Token("unk_token", {"<unk>", true, true});
  settings.end_of_line = end_of_line.content;
  settings.unknown = {"<UNK>", "<unk>", unknown.content};
  settings.tokens = files.Additional({{"<formula>", true, true}});
  settings.tokens.push_back(end_of_line);
  settings.tokens.push_back(unknown);
  for (const char* field : {"bos_token", "sep_token", "pad_token", "cls_token", "mask_token"}) {
    SpecialToken token = files.Token(field, {});
    if (token.content.empty()) continue;
    settings.never_text.push_back(token.content);
    settings.tokens.push_back(std::move(token));
  }
  HEED_RETURN_IF_ERROR(fields.status());
  return settings;
}

// Reads vocab.txt. A line's first word is the token, as in transformers, unless tokens are characters.
absl::StatusOr<VocabularyFile> ReadVocabulary(const std::string& path, int64_t size, Kind kind) {
  HEED_ASSIGN_OR_RETURN(VocabularyFile lines, VocabularyFile::Load(path, size));
  std::vector<std::string> tokens;
  for (const std::string& line : lines.tokens()) {
    const std::vector<absl::string_view> words = SplitAtPythonSpace(line);
    if (words.empty() && (kind != Kind::kCharacters || line.empty())) {
      return InvalidArgument(path, ":", tokens.size() + 1, ": has no token");
    }
    tokens.emplace_back(kind == Kind::kCharacters ? absl::string_view(line) : words[0]);
  }
  if (tokens == lines.tokens()) return lines;
  return VocabularyFile::OfPieces(path, std::move(tokens), size);
}

// The text of bytes, given by their numbers; what is not UTF-8 becomes U+FFFD.
std::string JoinBytes(const std::vector<std::string>& numbers) {
  std::string bytes;
  for (const std::string& number : numbers) {
    int byte = 0;
    if (absl::SimpleAtoi(number, &byte) && byte >= 0 && byte <= 255) {
      bytes += static_cast<char>(byte);
    } else {
      bytes += number;
    }
  }
  return AlignedText(bytes).Utf8();
}

class TransformerXlTokenizer : public TextTokenizer {
 public:
  TransformerXlTokenizer(TransformerXlSettings settings, VocabularyFile vocabulary)
      : settings_(std::move(settings)), vocabulary_(std::move(vocabulary)), moses_(settings_.language) {
    end_of_text_ = vocabulary_.Find(settings_.end_of_line);
    for (const std::string& name : settings_.unknown) {
      if (!unknown_) unknown_ = vocabulary_.Find(name);
    }
    for (const std::string& name : settings_.never_text) {
      const std::optional<int32_t> id = vocabulary_.Find(name);
      if (id && id != end_of_text_ && id != unknown_) special_.push_back(*id);
    }
    std::sort(special_.begin(), special_.end());
    special_.erase(std::unique(special_.begin(), special_.end()), special_.end());
    for (const SpecialToken& token : settings_.tokens) whole_.push_back(AlignedText(token.content).characters());
  }

  absl::StatusOr<std::vector<TextToken>> Encode(absl::string_view text, const TokenizeOptions& options) const override;
  std::string Decode(absl::Span<const int32_t> ids) const override;

  const std::string& Piece(int32_t id) const override { return vocabulary_.token(id); }
  std::optional<int32_t> Find(absl::string_view piece) const override { return vocabulary_.Find(piece); }
  int64_t size() const override { return static_cast<int64_t>(vocabulary_.tokens().size()); }
  std::optional<int32_t> end_of_text() const override { return end_of_text_; }
  std::optional<int32_t> unknown() const override { return unknown_; }
  bool end_is_of_line() const override { return true; }
  const std::vector<int32_t>& special() const override { return special_; }

 private:
  // A text under way to its tokens.
  struct Encoding {
    absl::string_view text;
    bool special_tokens = false;
    std::vector<TextToken> tokens;
  };

  absl::StatusOr<Kind> KindFor(TokenizerRules rules) const;
  // Each appends the tokens of the text's bytes from `begin` to before `end`.
  absl::Status AppendWords(int32_t begin, int32_t end, Encoding& encoding) const;
  absl::Status AppendMoses(int32_t begin, int32_t end, Encoding& encoding) const;
  absl::Status AppendCharacters(int32_t begin, int32_t end, Encoding& encoding) const;
  absl::Status AppendBytes(int32_t begin, int32_t end, Encoding& encoding) const;
  absl::Status Append(absl::string_view spelling, TextOrigin origin, Encoding& encoding) const;
  // The parts between special tokens, or the whole if these are text.
  std::vector<TextPart> Parts(AlignedText text, const Encoding& encoding) const;
  std::string JoinLine(const std::vector<std::string>& tokens) const;
  bool IsSpecial(int32_t id) const { return std::binary_search(special_.begin(), special_.end(), id); }

  const TransformerXlSettings settings_;
  const VocabularyFile vocabulary_;
  const MosesWords moses_;
  std::optional<int32_t> end_of_text_, unknown_;
  std::vector<int32_t> special_;
  std::vector<std::u32string> whole_;
};

absl::StatusOr<Kind> TransformerXlTokenizer::KindFor(TokenizerRules rules) const {
  if (rules == TokenizerRules::kOwn) return settings_.kind;
  const bool moses = rules == TokenizerRules::kMoses;
  if (settings_.kind == Kind::kCharacters || settings_.kind == Kind::kBytes) {
    return InvalidField("tokenization", moses ? "MOSES" : "WHITESPACE", ", but this model's tokens are ",
                        settings_.kind == Kind::kBytes ? "bytes" : "characters");
  }
  return moses ? Kind::kMoses : Kind::kWhitespace;
}

absl::StatusOr<std::vector<TextToken>> TransformerXlTokenizer::Encode(absl::string_view text,
                                                                      const TokenizeOptions& options) const {
  HEED_ASSIGN_OR_RETURN(const Kind kind, KindFor(options.rules));
  if (text.size() > INT32_MAX) return InvalidArgument("the text has ", text.size(), " bytes, the limit is ", INT32_MAX);
  if (options.append_line_end && !end_of_text_) {
    return InvalidField("append_line_end", "true, but the vocabulary has no token '", settings_.end_of_line, "'");
  }
  Encoding encoding{text, options.special_tokens, {}};
  const auto append = [&](size_t begin, size_t end) {
    const auto first = static_cast<int32_t>(begin), last = static_cast<int32_t>(end);
    switch (kind) {
      case Kind::kMoses:
        return AppendMoses(first, last, encoding);
      case Kind::kWhitespace:
        return AppendWords(first, last, encoding);
      case Kind::kCharacters:
        return AppendCharacters(first, last, encoding);
      case Kind::kBytes:
        break;
    }
    return AppendBytes(first, last, encoding);
  };
  if (!options.append_line_end) {
    HEED_RETURN_IF_ERROR(append(0, text.size()));
    return std::move(encoding.tokens);
  }
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    HEED_RETURN_IF_ERROR(append(begin, end));
    encoding.tokens.push_back({*end_of_text_, static_cast<int64_t>(end), static_cast<int64_t>(end), false});
    begin = end + 1;
  }
  return std::move(encoding.tokens);
}

absl::Status TransformerXlTokenizer::Append(absl::string_view spelling, TextOrigin origin, Encoding& encoding) const {
  std::optional<int32_t> id = vocabulary_.Find(spelling);
  if (id && !encoding.special_tokens && (id == end_of_text_ || IsSpecial(*id))) id.reset();
  if (!id) id = unknown_;
  const TextOrigin place = WithoutSpaces(encoding.text, origin);
  if (!id) {
    return InvalidArgument(Quoted(spelling), " at byte ", place.begin,
                           " of the text is not in the vocabulary, which has no token for unknown ones");
  }
  encoding.tokens.push_back({*id, place.begin, place.end, id == unknown_});
  return absl::OkStatus();
}

absl::Status TransformerXlTokenizer::AppendWords(int32_t begin, int32_t end, Encoding& encoding) const {
  const auto part = encoding.text.substr(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
  for (absl::string_view word : SplitAtPythonSpace(part)) {
    const auto at = static_cast<int32_t>(word.data() - encoding.text.data());
    const TextOrigin origin{at, at + static_cast<int32_t>(word.size())};
    HEED_RETURN_IF_ERROR(Append(settings_.lower_case ? LowerCase(word) : std::string(word), origin, encoding));
  }
  return absl::OkStatus();
}

std::vector<TextPart> TransformerXlTokenizer::Parts(AlignedText text, const Encoding& encoding) const {
  std::vector<TextPart> parts;
  if (!encoding.special_tokens) {
    if (settings_.lower_case) text.LowerCaseEach();
    parts.push_back({std::move(text)});
    return parts;
  }
  if (settings_.lower_case) LowerCaseBetween(settings_.tokens, text);
  return SplitAtSpecialTokens(text, settings_.tokens);
}

absl::Status TransformerXlTokenizer::AppendMoses(int32_t begin, int32_t end, Encoding& encoding) const {
  for (TextPart& part : Parts(AlignedText(encoding.text, {begin, end}), encoding)) {
    if (part.token != nullptr) {
      HEED_RETURN_IF_ERROR(Append(part.token->content, part.text.OriginOf(0, part.text.size()), encoding));
      continue;
    }
    part.text.Strip();
    if (settings_.lower_case) part.text.LowerCase();
    const std::vector<std::u32string> none;
    for (const AlignedWord& word : moses_.Split(std::move(part.text), encoding.special_tokens ? whole_ : none)) {
      HEED_RETURN_IF_ERROR(Append(word.word, word.origin, encoding));
    }
  }
  return absl::OkStatus();
}

absl::Status TransformerXlTokenizer::AppendCharacters(int32_t begin, int32_t end, Encoding& encoding) const {
  for (const TextPart& part : Parts(AlignedText(encoding.text, {begin, end}), encoding)) {
    if (part.token != nullptr) {
      HEED_RETURN_IF_ERROR(Append(part.token->content, part.text.OriginOf(0, part.text.size()), encoding));
      continue;
    }
    for (size_t i = 0; i < part.text.size(); ++i) {
      const TextOrigin origin = part.text.origin(i);
      if (part.text[i] == U'\n' && end_of_text_) {
        encoding.tokens.push_back({*end_of_text_, origin.begin, origin.end, false});
        continue;
      }
      std::string spelling;
      AppendUtf8(part.text[i], spelling);
      if (spelling == " ") {
        spelling = settings_.blank;
      } else if (spelling == settings_.blank) {
        spelling.clear();  // is no blank: unknown
      }
      HEED_RETURN_IF_ERROR(Append(spelling, origin, encoding));
    }
  }
  return absl::OkStatus();
}

// enwik8's tokens are the numbers of bytes. Its training texts have no line breaks left, so that a vocabulary without
// their number leaves them out.
absl::Status TransformerXlTokenizer::AppendBytes(int32_t begin, int32_t end, Encoding& encoding) const {
  for (int32_t i = begin; i < end; ++i) {
    const auto byte = static_cast<unsigned char>(encoding.text[static_cast<size_t>(i)]);
    const std::string spelling = absl::StrCat(byte);
    if (byte == '\n' && !vocabulary_.Find(spelling)) continue;
    HEED_RETURN_IF_ERROR(Append(spelling, {i, i + 1}, encoding));
  }
  return absl::OkStatus();
}

std::string TransformerXlTokenizer::JoinLine(const std::vector<std::string>& tokens) const {
  switch (settings_.kind) {
    case Kind::kMoses:
      return settings_.clean_up ? CleanUpSpaces(moses_.Join(tokens)) : moses_.Join(tokens);
    case Kind::kWhitespace:
      return absl::StrJoin(tokens, " ");
    case Kind::kBytes:
      return JoinBytes(tokens);
    case Kind::kCharacters:
      break;
  }
  return absl::StrJoin(tokens, "", [this](std::string* out, const std::string& token) {
    absl::StrAppend(out, token == settings_.blank ? " " : absl::string_view(token));
  });
}

std::string TransformerXlTokenizer::Decode(absl::Span<const int32_t> ids) const {
  std::string text;
  std::vector<std::string> line;
  for (const int32_t id : ids) {
    if (id == end_of_text_) {
      absl::StrAppend(&text, JoinLine(line), "\n");
      line.clear();
    } else if (!IsSpecial(id)) {
      line.push_back(vocabulary_.token(id));
    }
  }
  return text + JoinLine(line);
}

}  // namespace

absl::StatusOr<std::unique_ptr<const TextTokenizer>> LoadTransformerXlTokenizer(const std::string& directory,
                                                                                int64_t vocabulary) {
  HEED_ASSIGN_OR_RETURN(TransformerXlSettings settings, ReadTransformerXlSettings(directory));
  HEED_ASSIGN_OR_RETURN(VocabularyFile file, ReadVocabulary(directory + "/vocab.txt", vocabulary, settings.kind));
  return std::make_unique<const TransformerXlTokenizer>(std::move(settings), std::move(file));
}

}  // namespace heed
