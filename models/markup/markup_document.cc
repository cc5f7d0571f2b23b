// SPDX-License-Identifier: Apache-2.0
#include "models/markup/markup_document.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"
#include "base/utf8.h"
#include "models/markup/html_scanner.h"
#include "models/markup/markup_structure.h"
#include "models/markup/tag_placement.h"
#include "models/markup/unit_cutter.h"
#include "models/markup/xml_scanner.h"

namespace heed {
namespace {

constexpr size_t kMaxDocumentBytes = size_t{1} << 30;

// A value without quotes can hold these no longer.
bool NeedsQuotes(absl::string_view value) {
  return value.empty() || value.find_first_of(" \t\n\r\f\"'=<>`/") != absl::string_view::npos;
}

}  // namespace

struct MarkupDocument::Parts {
  std::string source;
  CutUnits cut;
  std::vector<size_t> texts, attributes;  // indices of units, in the order of the document

  void AppendAttribute(size_t unit, absl::Span<const TranslatedUnit> translations, std::string& out) const {
    const UnitPlan& plan = cut.plans[unit];
    const absl::string_view value = absl::string_view(source).substr(plan.begin, plan.end - plan.begin);
    if (translations[unit].text == cut.units[unit].text) {
      out.append(value.data(), value.size());
      return;
    }
    const auto no_copy = [](uint32_t, uint32_t, std::string&) {};
    std::string translated;
    PlaceTags(cut.units[unit], plan, translations[unit], no_copy, translated);
    if (plan.quote != 0 || !NeedsQuotes(translated)) {
      out += translated;
      return;
    }
    UnitPlan quoted = plan;
    quoted.quote = '"';
    out += '"';
    PlaceTags(cut.units[unit], quoted, translations[unit], no_copy, out);
    out += '"';
  }

  // Source bytes with the attributes translated that are in them.
  void Copy(uint32_t begin, uint32_t end, absl::Span<const TranslatedUnit> translations, std::string& out) const {
    const auto begins_before = [&](size_t unit, uint32_t at) { return cut.plans[unit].begin < at; };
    auto attribute = std::lower_bound(attributes.begin(), attributes.end(), begin, begins_before);
    for (; attribute != attributes.end() && cut.plans[*attribute].end <= end; ++attribute) {
      const UnitPlan& plan = cut.plans[*attribute];
      out.append(source, begin, plan.begin - begin);
      AppendAttribute(*attribute, translations, out);
      begin = plan.end;
    }
    out.append(source, begin, end - begin);
  }
};

MarkupDocument::MarkupDocument(std::unique_ptr<const Parts> parts) : parts_(std::move(parts)) {}
MarkupDocument::MarkupDocument(MarkupDocument&&) noexcept = default;
MarkupDocument& MarkupDocument::operator=(MarkupDocument&&) noexcept = default;
MarkupDocument::~MarkupDocument() = default;

absl::StatusOr<MarkupDocument> MarkupDocument::Parse(absl::string_view source, MarkupKind kind,
                                                     const MarkupRules& rules) {
  if (source.size() > kMaxDocumentBytes) {
    return InvalidArgument("a document of ", source.size(), " bytes, must be at most ", kMaxDocumentBytes);
  }
  if (const std::optional<size_t> invalid = FirstInvalidUtf8(source)) {
    return InvalidArgument("is not UTF-8 at byte ", *invalid);
  }
  auto parts = std::make_unique<Parts>();
  parts->source = std::string(source);
  std::vector<MarkupToken> tokens;
  if (kind == MarkupKind::kHtml) {
    tokens = ScanHtml(parts->source);
    parts->cut = CutIntoUnits(parts->source, kind, tokens, HtmlRoles(parts->source, tokens, rules));
  } else {
    HEED_ASSIGN_OR_RETURN(tokens, ScanXml(parts->source));
    parts->cut = CutIntoUnits(parts->source, kind, tokens, XmlRoles(parts->source, tokens, rules));
  }
  for (size_t unit = 0; unit < parts->cut.plans.size(); ++unit) {
    (parts->cut.plans[unit].place == UnitPlan::kAttribute ? parts->attributes : parts->texts).push_back(unit);
  }
  return MarkupDocument(std::move(parts));
}

absl::Span<const MarkupUnit> MarkupDocument::units() const { return parts_->cut.units; }

std::string MarkupDocument::Render(absl::Span<const TranslatedUnit> translations) const {
  HEED_CHECK(translations.size() == parts_->cut.units.size());
  const auto copy = [&](uint32_t begin, uint32_t end, std::string& out) {
    parts_->Copy(begin, end, translations, out);
  };
  std::string out;
  out.reserve(parts_->source.size() * 5 / 4);
  uint32_t at = 0;
  for (const size_t unit : parts_->texts) {
    const UnitPlan& plan = parts_->cut.plans[unit];
    copy(at, plan.begin, out);
    at = plan.end;
    if (translations[unit].text == parts_->cut.units[unit].text) {
      copy(plan.begin, plan.end, out);
    } else {
      PlaceTags(parts_->cut.units[unit], plan, translations[unit], copy, out);
    }
  }
  copy(at, static_cast<uint32_t>(parts_->source.size()), out);
  return out;
}

}  // namespace heed
