// SPDX-License-Identifier: Apache-2.0
#include "client/documents/subtitle_reader.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "base/status_macros.h"
#include "client/documents/marked_text.h"
#include "client/documents/wrapped_text.h"

namespace heed::client {
namespace {

// A sentence is looked for over at most so many cues and columns.
constexpr size_t kMaxJoinedCues = 8;
constexpr int kMaxJoinedColumns = 600;
constexpr size_t kMaxBlockBytes = size_t{1} << 20;

// What one speaker says in a cue.
struct Utterance {
  std::string before;  // a dash, tags around the words
  MarkedText text;     // lines joined by blanks
  std::string after;
  std::vector<double> line_columns;  // of the source
  int64_t line = 0;
};

struct Cue {
  std::string head;  // index, times, settings; empty for a text without
  std::vector<Utterance> utterances;
  std::string line_end;
  std::string tail;    // behind the last word: end of line, blank lines
  std::string source;  // all bytes
  bool dashed = false;
};

bool IsBlankLine(absl::string_view line) { return absl::StripAsciiWhitespace(line).empty(); }

// The length of what is before a speaker's words: tags, a dash, blanks. 0: the line does not begin with a dash.
size_t DashLength(absl::string_view line) {
  size_t i = 0;
  const auto skip_blanks = [&] {
    while (i < line.size() && (line[i] == ' ' || line[i] == '\t')) ++i;
  };
  skip_blanks();
  while (i < line.size() && (line[i] == '<' || line[i] == '{')) {
    const size_t close = line.find(line[i] == '<' ? '>' : '}', i);
    if (close == absl::string_view::npos) return 0;
    i = close + 1;
    skip_blanks();
  }
  for (const absl::string_view dash : {"-", "\u2010", "\u2013", "\u2014"}) {
    if (!absl::StartsWith(line.substr(i), dash)) continue;
    i += dash.size();
    if (absl::StartsWith(line.substr(i), dash)) return 0;  // "--" is a pause
    skip_blanks();
    return i;
  }
  return 0;
}

std::string CueText(const std::vector<TextPiece>& pieces, bool vtt) {
  std::string bytes;
  for (const TextPiece& piece : pieces) {
    if (piece.kind != TextPiece::Kind::kText) {
      bytes += piece.bytes;
    } else if (vtt) {
      bytes += absl::StrReplaceAll(piece.bytes, {{"&", "&amp;"}, {"<", "&lt;"}, {"-->", "--&gt;"}, {"\n", " "}});
    } else {
      bytes += absl::StrReplaceAll(piece.bytes, {{"-->", "->"}, {"\n", " "}});
    }
  }
  return bytes;
}

// The words in lines, each but the last with its end.
std::string Lines(const std::vector<TextPiece>& pieces, const Utterance& utterance, const Cue& cue,
                  const SubtitleOptions& options) {
  const std::string words = WordsOf(pieces);
  const std::vector<TextCut> cuts = options.keep_line_breaks ? DivideText(words, utterance.line_columns)
                                                             : WrapText(words, options.line_columns, /*balanced=*/true);
  std::vector<std::string> lines;
  for (const std::vector<TextPiece>& line : CutPieces(pieces, cuts)) lines.push_back(CueText(line, options.vtt));
  return absl::StrJoin(lines, cue.line_end);
}

// Cues whose words are one sentence, or one cue of several speakers.
struct CueGroup {
  std::vector<Cue> cues;
  MarkedText sentence;  // of several cues
  SubtitleOptions options;
};

std::string RenderCue(const CueGroup& group, const DocumentPart& part, Translations translations) {
  const Cue& cue = group.cues[0];
  std::string bytes = cue.head;
  size_t segment = 0;
  for (size_t i = 0; i < cue.utterances.size(); ++i) {
    const Utterance& utterance = cue.utterances[i];
    if (i > 0) bytes += cue.line_end;
    bytes += utterance.before;
    if (utterance.text.has_words()) {
      const std::optional<std::string>& translation = translations[segment];
      const auto read = utterance.text.Read(translation ? *translation : part.segments[segment].text);
      ++segment;
      bytes += Lines(read.ok() ? *read : utterance.text.pieces(), utterance, cue, group.options);
    } else {
      bytes += CueText(utterance.text.pieces(), group.options.vtt);
    }
    bytes += utterance.after;
  }
  return bytes + cue.tail;
}

std::string RenderSentence(const CueGroup& group, const std::string& translation) {
  const auto read = group.sentence.Read(translation);
  const std::vector<TextPiece> pieces = read.ok() ? *read : group.sentence.pieces();
  std::vector<double> weights;
  for (const Cue& cue : group.cues) weights.push_back(ColumnsOf(cue.utterances[0].text.words()));
  const std::string words = WordsOf(pieces);
  std::vector<std::vector<TextPiece>> parts = CutPieces(pieces, DivideText(words, weights));
  ReopenMarks(parts);
  // A text of fewer characters than cues: no cue that said something stays silent.
  while (parts.size() < group.cues.size()) parts.push_back({{.bytes = "\u2026"}});
  std::string bytes;
  for (size_t i = 0; i < group.cues.size(); ++i) {
    const Cue& cue = group.cues[i];
    const Utterance& utterance = cue.utterances[0];
    absl::StrAppend(&bytes, cue.head, utterance.before, Lines(parts[i], utterance, cue, group.options), utterance.after,
                    cue.tail);
  }
  return bytes;
}

class SubtitleReader : public DocumentReader {
 public:
  SubtitleReader(TextInput& input, const SubtitleOptions& options) : input_(input), options_(options) {}

  absl::StatusOr<std::optional<DocumentPart>> Next() override {
    auto group = std::make_shared<CueGroup>();
    group->options = options_;
    int columns = 0;
    while (true) {
      if (!pending_) {
        HEED_ASSIGN_OR_RETURN(pending_, NextBlock());
      }
      if (!pending_) break;
      Block& block = *pending_;
      if (!block.cue || block.cue->utterances.empty()) {
        if (!group->cues.empty()) break;
        std::string bytes = std::move(block.bytes);
        pending_.reset();
        return KeptPart(std::move(bytes));
      }
      Cue& cue = *block.cue;
      if (!group->cues.empty()) {
        const std::string before = group->cues.back().utterances.back().text.words();
        const std::string next = cue.utterances[0].text.words();
        const bool goes_on = !EndsSentence(before) || (absl::EndsWith(before, "\u2026") && BeginsSmall(next)) ||
                             (absl::EndsWith(before, "...") && BeginsSmall(next));
        if (cue.dashed || !goes_on || !cue.utterances[0].text.has_words() || group->cues.size() == kMaxJoinedCues ||
            columns > kMaxJoinedColumns) {
          break;
        }
      }
      columns += ColumnsOf(cue.utterances[0].text.words());
      const bool alone = cue.dashed || !cue.utterances[0].text.has_words();
      group->cues.push_back(std::move(cue));
      pending_.reset();
      if (alone) break;
    }
    if (group->cues.empty()) return std::nullopt;
    return PartOf(std::move(group));
  }

 private:
  struct Block {
    std::string bytes;
    std::optional<Cue> cue;
  };

  absl::StatusOr<std::optional<Block>> NextBlock() {
    std::vector<std::string> lines;
    std::string blanks;
    Block block;
    int64_t first_line = 0;
    while (true) {
      if (!line_) {
        HEED_ASSIGN_OR_RETURN(line_, input_.Line());
      }
      if (!line_) break;
      const bool blank = options_.vtt ? WithoutLineEnd(*line_).empty() : IsBlankLine(*line_);
      if (!blank && !blanks.empty()) break;  // the next block's
      if (blank) {
        blanks += *line_;
      } else {
        if (lines.empty()) first_line = input_.line();
        lines.push_back(*line_);
      }
      block.bytes += *std::exchange(line_, std::nullopt);
      if (block.bytes.size() > kMaxBlockBytes) {
        return input_.Error(
            absl::StrCat("more than ", kMaxBlockBytes, " bytes without a blank line: these are no subtitles"));
      }
    }
    block.cue = CueOf(lines, blanks, first_line);
    if (std::exchange(first_, false)) block.bytes.insert(0, input_.mark());
    if (block.bytes.empty()) return std::nullopt;
    if (block.cue) block.cue->source = block.bytes;
    return block;
  }

  std::optional<Cue> CueOf(const std::vector<std::string>& lines, const std::string& blanks, int64_t first_line) const {
    if (lines.empty()) return std::nullopt;
    if (options_.vtt) {
      if (first_) return std::nullopt;  // WEBVTT and what describes the file
      for (const absl::string_view name : {"NOTE", "STYLE", "REGION"}) {
        const absl::string_view line = WithoutLineEnd(lines[0]);
        if (absl::StartsWith(line, name) &&
            (line.size() == name.size() || line[name.size()] == ' ' || line[name.size()] == '\t')) {
          return std::nullopt;
        }
      }
    }
    Cue cue;
    size_t begin = 0;
    while (begin < lines.size() && begin < 2 && !absl::StrContains(lines[begin], "-->")) ++begin;
    if (begin < std::min<size_t>(lines.size(), 2)) {
      ++begin;  // behind the times
    } else if (options_.vtt) {
      return std::nullopt;
    } else {
      begin = 0;  // behind a blank line within a cue
    }
    if (first_) cue.head = input_.mark();
    for (size_t i = 0; i < begin; ++i) cue.head += lines[i];
    if (begin == lines.size()) return std::nullopt;
    cue.line_end = std::string(LineEnd(lines[begin]));
    if (cue.line_end.empty()) cue.line_end = begin > 0 ? std::string(LineEnd(lines[0])) : "\n";
    cue.tail = absl::StrCat(LineEnd(lines.back()), blanks);
    std::vector<std::string> texts;
    const TagRules rules = {.braces = !options_.vtt, .entities = options_.vtt};
    const auto end_utterance = [&] {
      if (texts.empty()) return;
      Utterance& utterance = cue.utterances.back();
      AddTaggedText(absl::StrJoin(texts, " "), rules, utterance.text);
      utterance.text.Trim(utterance.before, utterance.after);
      texts.clear();
    };
    for (size_t i = begin; i < lines.size(); ++i) {
      absl::string_view text = WithoutLineEnd(lines[i]);
      const size_t dash = DashLength(text);
      if (dash > 0 || i == begin) {
        end_utterance();
        cue.utterances.emplace_back();
        cue.utterances.back().before = std::string(text.substr(0, dash));
        cue.utterances.back().line = first_line + static_cast<int64_t>(i);
        text.remove_prefix(dash);
        cue.dashed = cue.dashed || dash > 0;
      }
      cue.utterances.back().line_columns.push_back(ColumnsOf(text));
      texts.emplace_back(absl::StripAsciiWhitespace(text));
    }
    end_utterance();
    return cue;
  }

  static DocumentPart PartOf(std::shared_ptr<CueGroup> group) {
    DocumentPart part;
    std::string source;
    for (const Cue& cue : group->cues) source += cue.source;
    if (group->cues.size() > 1) {
      for (const Cue& cue : group->cues) {
        if (&cue != &group->cues[0]) group->sentence.AddText(" ");
        group->sentence.AddPieces(cue.utterances[0].text.pieces());
      }
      Segment& segment = part.segments.emplace_back();
      segment.line = group->cues[0].utterances[0].line;
      group->sentence.FillSegment(segment);
    } else {
      for (const Utterance& utterance : group->cues[0].utterances) {
        if (!utterance.text.has_words()) continue;
        Segment& segment = part.segments.emplace_back();
        segment.line = utterance.line;
        utterance.text.FillSegment(segment);
      }
    }
    const auto shared = std::make_shared<const DocumentPart>(part);
    part.check = [group](size_t index, const std::string& translation) -> absl::Status {
      if (group->cues.size() > 1) return group->sentence.Read(translation).status();
      for (const Utterance& utterance : group->cues[0].utterances) {
        if (utterance.text.has_words() && index-- == 0) return utterance.text.Read(translation).status();
      }
      return absl::OkStatus();
    };
    part.render = [group, shared, source](Translations translations) {
      bool changed = false;
      for (size_t i = 0; i < translations.size(); ++i) {
        changed = changed || (translations[i] && *translations[i] != shared->segments[i].text);
      }
      if (!changed) return source;
      return group->cues.size() > 1 ? RenderSentence(*group, *translations[0])
                                    : RenderCue(*group, *shared, translations);
    };
    return part;
  }

  TextInput& input_;
  const SubtitleOptions options_;
  bool first_ = true;
  std::optional<std::string> line_;  // read, and part of the next block
  std::optional<Block> pending_;
};

}  // namespace

std::unique_ptr<DocumentReader> ReadSubtitles(TextInput& input, const SubtitleOptions& options) {
  return std::make_unique<SubtitleReader>(input, options);
}

}  // namespace heed::client
