// SPDX-License-Identifier: Apache-2.0
#include "client/commands/translate_document.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "base/visible_text.h"
#include "client/cli/command_line.h"
#include "client/cli/exit_code.h"
#include "client/documents/output_file.h"
#include "client/documents/text_input.h"
#include "client/documents/translation_journal.h"
#include "client/lib/channel.h"
#include "client/lib/request_pipeline.h"
#include "client/lib/translation_client.h"
#include "client/render/progress_bar.h"

namespace heed::client {
namespace {

// Failures that are reported one by one.
constexpr int64_t kMaxReportedFailures = 20;

// A part on its way to the output.
struct RunningPart {
  std::vector<DocumentPart> before;  // without segments
  DocumentPart part;
  std::vector<std::optional<std::string>> translations;
};

// A segment that the pipeline has not delivered.
struct RunningSegment {
  std::shared_ptr<RunningPart> part;
  size_t index = 0;
  std::optional<std::string> known;  // from the journal
  std::string key;                   // for the journal; empty: there is none
};

// Failures that are no text's own: the run ends.
bool EndsRun(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::NOT_FOUND:
    case grpc::StatusCode::UNAUTHENTICATED:
    case grpc::StatusCode::PERMISSION_DENIED:
    case grpc::StatusCode::UNIMPLEMENTED:
      return true;
    default:
      return false;
  }
}

v1::TranslateRequest RequestOf(const v1::TranslateRequest& prototype, const Segment& segment) {
  v1::TranslateRequest request = prototype;
  request.add_texts(segment.text);
  request.set_format(segment.format);
  if (segment.own_marks) {
    v1::MarkupOptions& markup = *request.mutable_markup();
    markup.add_ignored_elements("k");
    for (const char* const name : {"g", "x", "k"}) markup.add_inline_elements(name);
    markup.set_detect_structure(false);
  }
  if (segment.placeholders) request.mutable_do_not_translate()->set_placeholders(true);
  return request;
}

// Writes the parts of a document in order, and remembers how it went. Used by one thread at a time.
class DocumentPrinter {
 public:
  // `output` and `journal` may be null: standard output, no journal.
  DocumentPrinter(const TranslateSettings& settings, OutputFile* output, TranslationJournal* journal, Console& console,
                  int64_t input_bytes, bool typed)
      : settings_(settings),
        output_(output),
        journal_(journal),
        console_(console),
        bar_(console.err_is_terminal && (output != nullptr || !console.out_is_terminal) && !typed ? &console.err
                                                                                                  : nullptr,
             console.columns, std::chrono::steady_clock::now()) {
    progress_.unit = "texts";
    progress_.total_bytes = input_bytes;
  }

  void PrintPart(const DocumentPart& part, Translations translations) {
    const std::vector<std::optional<std::string>> none(translations.size());
    Print(part.render(translations));
    progress_.bytes += static_cast<int64_t>(part.render(none).size());
  }

  void Take(RunningSegment& segment, RequestPipeline<v1::TranslateRequest>::Result& result) {
    RunningPart& part = *segment.part;
    std::optional<std::string>& translation = part.translations[segment.index];
    if (segment.known) {
      translation = std::move(segment.known);
    } else if (!result.status.ok()) {
      Report(part.part.segments[segment.index], StatusText(result.status));
    } else if (result.response.translations_size() != 1) {
      Report(part.part.segments[segment.index], "the server sent no translation");
    } else {
      const std::string& text = result.response.translations(0).text();
      const absl::Status checked = part.part.check ? part.part.check(segment.index, text) : absl::OkStatus();
      if (checked.ok()) {
        translation = text;
        if (journal_ != nullptr) Keep(journal_->Add(segment.key, text));
      } else {
        Report(part.part.segments[segment.index], absl::StrCat("the translation cannot be used: ", checked.message()));
      }
    }
    ++progress_.lines;
    if (segment.index + 1 == part.part.segments.size()) {
      for (const DocumentPart& before : part.before) PrintPart(before, {});
      PrintPart(part.part, part.translations);
    }
    bar_.Update(progress_, std::chrono::steady_clock::now());
  }

  void PrintOutage(const grpc::Status& status) {
    bar_.Clear();
    NoteWaiting(console_, settings_.server.address, status);
  }
  void ClearBar() { bar_.Clear(); }
  bool can_write() const { return error_.ok() && (output_ != nullptr || console_.out); }
  const absl::Status& error() const { return error_; }  // of the output file or the journal
  int64_t segments() const { return progress_.lines; }
  int64_t failures() const { return failures_; }

 private:
  void Print(const std::string& bytes) {
    if (output_ != nullptr) {
      Keep(output_->Write(bytes));
    } else {
      console_.out << (console_.out_is_terminal ? VisibleLines(bytes) : bytes) << std::flush;
    }
  }
  void Keep(absl::Status status) {
    if (error_.ok()) error_ = std::move(status);
  }
  void Report(const Segment& segment, const std::string& reason) {
    if (++failures_ > kMaxReportedFailures) return;
    bar_.Clear();
    Note(console_, absl::StrCat("line ", segment.line, ": ", reason, "; the source stays"));
  }

  const TranslateSettings& settings_;
  OutputFile* const output_;
  TranslationJournal* const journal_;
  Console& console_;
  Progress progress_;
  ProgressBar bar_;
  int64_t failures_ = 0;
  absl::Status error_;
};

// What of the server a translation depends on, beside the request: the versions behind the model's name or, where
// languages choose the models, behind all.
std::string ModelIdentity(const v1::ListModelsResponse& models, const v1::TranslateRequest& prototype) {
  std::vector<std::string> names;
  for (const v1::ModelInfo& model : models.models()) {
    if (model.kind() != v1::MODEL_KIND_TRANSLATOR) continue;
    const bool used = prototype.model().empty() ||
                      (model.name() == prototype.model() &&
                       (prototype.model_version() > 0 ? model.version() == prototype.model_version()
                                                      : model.is_default() || models.models_size() == 1));
    if (!used) continue;
    names.push_back(absl::StrCat(model.name(), ":", model.version(), ":", model.weight_count(), ":", model.precision(),
                                 ":", model.fingerprint(), "\n"));
  }
  std::sort(names.begin(), names.end());
  std::string identity;
  for (const std::string& name : names) identity += name;
  return identity;
}

// "pt-BR" of the request, or of the model that the request names.
std::string TargetLanguage(const v1::ListModelsResponse& models, const v1::TranslateRequest& prototype) {
  if (!prototype.target_language().empty()) return prototype.target_language();
  for (const v1::ModelInfo& model : models.models()) {
    if (model.name() == prototype.model() && !model.target_language().empty()) return model.target_language();
  }
  return "";
}

// One run over a document. Its thread reads and submits; the pipeline's takes and writes.
class DocumentRun {
 public:
  DocumentRun(const TranslateSettings& settings, const v1::TranslateRequest& prototype, std::string identity,
              TranslationJournal* journal, DocumentPrinter& printer, Console& console)
      : settings_(settings),
        prototype_(prototype),
        identity_(std::move(identity)),
        journal_(journal),
        printer_(printer),
        console_(console) {}

  // Returns the reader's error.
  absl::Status Translate(DocumentReader& reader, const std::shared_ptr<grpc::Channel>& channel) {
    PipelineOptions options;
    options.in_flight = settings_.in_flight;
    options.undelivered = 16 * settings_.in_flight;
    options.deadline = settings_.server.deadline();
    options.on_outage = [this](const grpc::Status& status) { printer_.PrintOutage(status); };
    RequestPipeline<v1::TranslateRequest>* running = nullptr;
    RequestPipeline<v1::TranslateRequest> pipeline(channel, options,
                                                   [&](RequestPipeline<v1::TranslateRequest>::Result result) {
                                                     RunningSegment segment = NextWaiting();
                                                     if (EndsRun(result.status)) {
                                                       lost_ = result.status;
                                                       running->Cancel();
                                                       return;
                                                     }
                                                     printer_.Take(segment, result);
                                                     if (!printer_.can_write()) running->Cancel();
                                                   });
    running = &pipeline;
    const std::stop_callback cancel(console_.stop, [&pipeline] { pipeline.Cancel(); });
    const absl::Status read = SubmitAll(reader, pipeline);
    pipeline.Finish();
    return read;
  }

  // What is behind the last segment. After Translate(), if nothing went wrong.
  void PrintRest() {
    for (const DocumentPart& part : rest_) printer_.PrintPart(part, {});
  }

  const grpc::Status& lost() const { return lost_; }  // why the server can translate none of the others
  int64_t from_journal() const { return from_journal_; }

 private:
  absl::Status SubmitAll(DocumentReader& reader, RequestPipeline<v1::TranslateRequest>& pipeline) {
    while (!console_.stop.stop_requested()) {
      absl::StatusOr<std::optional<DocumentPart>> next = reader.Next();
      if (!next.ok()) return next.status();
      if (!*next) break;
      if ((*next)->segments.empty()) {
        rest_.push_back(**std::move(next));
        continue;
      }
      auto part = std::make_shared<RunningPart>();
      part->before = std::exchange(rest_, {});
      part->part = **std::move(next);
      part->translations.resize(part->part.segments.size());
      for (size_t i = 0; i < part->part.segments.size(); ++i) {
        if (!Submit(part, i, pipeline)) return absl::OkStatus();
      }
    }
    return absl::OkStatus();
  }

  bool Submit(const std::shared_ptr<RunningPart>& part, size_t index, RequestPipeline<v1::TranslateRequest>& pipeline) {
    RunningSegment segment = {.part = part, .index = index};
    v1::TranslateRequest request = RequestOf(prototype_, part->part.segments[index]);
    if (journal_ != nullptr) {
      segment.key = absl::StrCat(identity_, request.SerializeAsString());
      segment.known = journal_->Find(segment.key);
    }
    const bool known = segment.known.has_value();
    from_journal_ += known ? 1 : 0;
    {
      MutexLock lock(mutex_);
      waiting_.push_back(std::move(segment));
    }
    return known ? pipeline.Reject(grpc::Status::OK) : pipeline.Submit(std::move(request));
  }

  RunningSegment NextWaiting() {
    MutexLock lock(mutex_);
    RunningSegment segment = std::move(waiting_.front());
    waiting_.pop_front();
    return segment;
  }

  const TranslateSettings& settings_;
  const v1::TranslateRequest& prototype_;
  const std::string identity_;
  TranslationJournal* const journal_;
  DocumentPrinter& printer_;
  Console& console_;

  Mutex mutex_;
  std::deque<RunningSegment> waiting_ GUARDED_BY(mutex_);  // in the order of the pipeline
  std::vector<DocumentPart> rest_;                         // read, and behind the last segment
  int64_t from_journal_ = 0;
  grpc::Status lost_;  // the pipeline's thread writes it; read when that has finished
};

}  // namespace

int TranslateDocument(const TranslateSettings& settings, const v1::TranslateRequest& prototype, DocumentFormat format,
                      const std::shared_ptr<grpc::Channel>& channel, CommandInput& input, Console& console) {
  const DocumentFlags& flags = settings.document;
  DocumentOptions options;
  if (const absl::Status filled = flags.Fill(format, options); !filled.ok()) {
    return Fail(console, kExitUsage, std::string(filled.message()));
  }
  v1::ListModelsResponse models;
  const TranslationClient client(channel, {.deadline = std::chrono::seconds(10), .stop = console.stop});
  if (const grpc::Status listed = client.ListModels(models); !listed.ok()) {
    return FailCall(console, settings.server, *channel, listed);
  }
  options.po.target_language = TargetLanguage(models, prototype);

  std::unique_ptr<OutputFile> output;
  std::unique_ptr<TranslationJournal> journal;
  if (!flags.output.empty()) {
    const std::string journal_path = flags.output + ".heed-journal";
    absl::StatusOr<std::unique_ptr<TranslationJournal>> opened = TranslationJournal::Open(journal_path, flags.restart);
    if (!opened.ok()) return Fail(console, kExitUsage, std::string(opened.status().message()));
    journal = *std::move(opened);
    absl::StatusOr<std::unique_ptr<OutputFile>> file = OutputFile::Open(flags.output);
    if (!file.ok()) {
      if (journal->size() == 0) journal->Remove();
      return Fail(console, kExitUsage, std::string(file.status().message()));
    }
    output = *std::move(file);
  }
  const auto end = [&](int code, const std::string& message) {
    std::string kept;
    if (journal != nullptr && journal->size() == 0) journal->Remove();
    if (journal != nullptr && journal->size() > 0) {
      kept = absl::StrCat("; ", journal->size(), " translations are kept in ", flags.output,
                          ".heed-journal, and the same command goes on from there");
    }
    return Fail(console, code, message + kept);
  };

  TextInput text(input.stream(), input.name());
  const std::unique_ptr<DocumentReader> reader = ReadDocument(format, text, options);
  DocumentPrinter printer(settings, output.get(), journal.get(), console, input.bytes(), input.typed());
  DocumentRun run(settings, prototype, ModelIdentity(models, prototype), journal.get(), printer, console);
  const absl::Status read = run.Translate(*reader, channel);
  const bool stopped = console.stop.stop_requested();
  if (!stopped && read.ok() && run.lost().ok() && printer.can_write()) run.PrintRest();
  printer.ClearBar();
  if (stopped) return end(kExitInterrupted, absl::StrCat("interrupted after ", printer.segments(), " texts"));
  if (output == nullptr && !console.out) return FailOutput(console);
  if (!printer.error().ok()) return end(kExitFailed, std::string(printer.error().message()));
  if (!run.lost().ok()) {
    const std::string place = absl::StrCat("after ", printer.segments(), " texts");
    if (run.lost().error_code() != grpc::StatusCode::UNAVAILABLE) {
      const int code = FailCall(console, settings.server, *channel, run.lost());
      if (journal != nullptr && journal->size() == 0) journal->Remove();
      return code;
    }
    return end(kExitUnavailable, absl::StrCat("the server at ", settings.server.address, " went away ", place, " (",
                                              StatusText(run.lost()), ")"));
  }
  if (!read.ok()) return end(kExitUsage, std::string(read.message()));
  if (output != nullptr) {
    if (const absl::Status committed = output->Commit(); !committed.ok()) {
      return end(kExitFailed, std::string(committed.message()));
    }
  }
  if (run.from_journal() > 0) {
    Note(console,
         absl::StrCat(run.from_journal(), " of ", printer.segments(), " translations were there from the run before"));
  }
  if (printer.failures() == 0) {
    if (journal != nullptr) journal->Remove();
    return kExitOk;
  }
  return end(kExitFailed, absl::StrCat(printer.failures(), " of ", printer.segments(), " texts keep their source"));
}

}  // namespace heed::client
