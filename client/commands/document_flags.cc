// SPDX-License-Identifier: Apache-2.0
#include "client/commands/document_flags.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"

namespace heed::client {

void DocumentFlags::AddTo(FlagTable& flags) {
  flags.AddSection("Documents");
  flags.AddChoice("format", &format, DocumentFormatNames(),
                  "What FILE is. All but its texts stays. Defaults to what the name says (.srt .vtt .html .xml .md .po "
                  ".json ...), else to lines.");
  flags.AddString("output", &output, "FILE",
                  "File to write, as a whole or not at all. A run that stops keeps its translations beside it, and the "
                  "same command goes on from there. Defaults to standard output.");
  flags.AddBool("restart", &restart, "Begin again, without the translations of a run that stopped. Needs --output.");
  flags.AddInt("line_columns", &line_columns, 10, 1000, "Maximum width of a line of subtitles.");
  flags.AddBool("keep_line_breaks", &keep_line_breaks,
                "Break the lines of a subtitle as often as its source, whatever their width.");
  flags.AddBool("front_matter", &front_matter,
                "Translate title, subtitle, description and summary in the front matter of Markdown.");
  flags.AddBool("no_fuzzy", &no_fuzzy, "Do not flag what is translated in a po file as fuzzy.");
  flags.AddBool("retranslate", &retranslate, "Translate also what has a translation in a po file.");
  flags.AddString("json_keys", &json_keys, "PATTERNS",
                  "Translate only these values of JSON: title,menu.*,**.text. * is any key, ** any number of keys; a "
                  "key without a point counts at any depth. Defaults to all.");
  flags.AddString("skip_keys", &skip_keys, "PATTERNS", "Do not translate these values of JSON, nor what is below.");
}

DocumentFormat DocumentFlags::Format(const std::string& file) const {
  return format.empty() ? FormatOfFile(file) : DocumentFormatOf(format);
}

absl::Status DocumentFlags::Fill(DocumentFormat of, DocumentOptions& options) const {
  const bool subtitles = of == DocumentFormat::kSrt || of == DocumentFormat::kVtt;
  struct Use {
    const char* flag;
    bool given;
    bool fits;
  };
  for (const Use& use : {Use{"--output", !output.empty(), of != DocumentFormat::kLines},
                         {"--line_columns", line_columns != SubtitleOptions().line_columns, subtitles},
                         {"--keep_line_breaks", keep_line_breaks, subtitles},
                         {"--front_matter", front_matter, of == DocumentFormat::kMarkdown},
                         {"--no_fuzzy", no_fuzzy, of == DocumentFormat::kPo},
                         {"--retranslate", retranslate, of == DocumentFormat::kPo},
                         {"--json_keys", !json_keys.empty(), of == DocumentFormat::kJson},
                         {"--skip_keys", !skip_keys.empty(), of == DocumentFormat::kJson}}) {
    if (use.given && !use.fits) {
      return InvalidArgument(use.flag, " is of no use with --format=", DocumentFormatNames()[static_cast<size_t>(of)]);
    }
  }
  if (restart && output.empty()) return InvalidArgument("--restart needs --output");
  options.subtitles.line_columns = line_columns;
  options.subtitles.keep_line_breaks = keep_line_breaks;
  options.markdown.front_matter = front_matter;
  options.po.mark_fuzzy = !no_fuzzy;
  options.po.retranslate = retranslate;
  absl::StatusOr<PathPatterns> keys = PathPatterns::Parse(json_keys);
  if (!keys.ok()) return InvalidArgument("--json_keys: ", keys.status().message());
  options.json.keys = *std::move(keys);
  absl::StatusOr<PathPatterns> skipped = PathPatterns::Parse(skip_keys);
  if (!skipped.ok()) return InvalidArgument("--skip_keys: ", skipped.status().message());
  options.json.skipped = *std::move(skipped);
  return absl::OkStatus();
}

}  // namespace heed::client
