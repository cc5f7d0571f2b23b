#include "server/excerpt.h"

#include "absl/strings/str_cat.h"

namespace heed {
namespace {

// The second and further bytes of a character.
bool Continues(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) == 0x80; }

}  // namespace

std::string Excerpt(absl::string_view text, size_t most_bytes) {
  if (text.size() <= most_bytes) return std::string(text);
  size_t end = most_bytes;
  while (end > 0 && Continues(text[end])) --end;
  return absl::StrCat(text.substr(0, end), "...");
}

}  // namespace heed
