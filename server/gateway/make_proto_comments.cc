// SPDX-License-Identifier: Apache-2.0
// At build time: writes proto_comments.h's table as C++, to stdout, from what
//
//   protoc --include_imports --include_source_info --descriptor_set_out=FILE
//
// left in FILE. The comments alone are a tenth of it, and need no parsing in the server.
#include <fstream>
#include <iostream>
#include <map>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/descriptor.pb.h"

namespace heed {
namespace {

using Comments = std::map<std::string, std::string>;

// Lines of a paragraph become one line; paragraphs stay apart, and lines that are set in stay as they are.
std::string Paragraphs(absl::string_view comment) {
  std::string text;
  bool breaks = false;
  for (const absl::string_view line : absl::StrSplit(comment, '\n')) {
    const bool set_in = absl::StartsWith(line, "  ");
    const absl::string_view words = set_in ? line : absl::StripAsciiWhitespace(line);
    if (absl::StripAsciiWhitespace(line).empty()) {
      breaks = !text.empty();
      continue;
    }
    text += text.empty() ? "" : breaks ? "\n\n" : set_in ? "\n" : " ";
    text.append(words.data(), words.size());
    breaks = false;
  }
  return text;
}

template <typename Descriptor>
void Add(const Descriptor& descriptor, Comments& comments) {
  google::protobuf::SourceLocation location;
  if (!descriptor.GetSourceLocation(&location)) return;
  const std::string& comment =
      location.leading_comments.empty() ? location.trailing_comments : location.leading_comments;
  std::string text = Paragraphs(comment);
  if (!text.empty()) comments[descriptor.full_name()] = std::move(text);
}

void AddEnum(const google::protobuf::EnumDescriptor& descriptor, Comments& comments) {
  Add(descriptor, comments);
  for (int i = 0; i < descriptor.value_count(); ++i) Add(*descriptor.value(i), comments);
}

void AddMessage(const google::protobuf::Descriptor& message, Comments& comments) {
  Add(message, comments);
  for (int i = 0; i < message.field_count(); ++i) Add(*message.field(i), comments);
  for (int i = 0; i < message.real_oneof_decl_count(); ++i) Add(*message.oneof_decl(i), comments);
  for (int i = 0; i < message.nested_type_count(); ++i) AddMessage(*message.nested_type(i), comments);
  for (int i = 0; i < message.enum_type_count(); ++i) AddEnum(*message.enum_type(i), comments);
}

void AddFile(const google::protobuf::FileDescriptor& file, Comments& comments) {
  for (int i = 0; i < file.message_type_count(); ++i) AddMessage(*file.message_type(i), comments);
  for (int i = 0; i < file.enum_type_count(); ++i) AddEnum(*file.enum_type(i), comments);
  for (int i = 0; i < file.service_count(); ++i) {
    Add(*file.service(i), comments);
    for (int j = 0; j < file.service(i)->method_count(); ++j) Add(*file.service(i)->method(j), comments);
  }
}

int Main(const char* path) {
  google::protobuf::FileDescriptorSet set;
  std::ifstream file(path, std::ios::binary);
  if (!set.ParseFromIstream(&file)) {
    std::cerr << path << ": no descriptors\n";
    return 1;
  }
  google::protobuf::DescriptorPool pool;
  Comments comments;
  for (const google::protobuf::FileDescriptorProto& one : set.file()) {
    const google::protobuf::FileDescriptor* built = pool.BuildFile(one);
    if (built == nullptr) return 1;
    if (!absl::StartsWith(one.name(), "google/")) AddFile(*built, comments);
  }
  std::cout << "// Written by make_proto_comments.\n#include \"server/gateway/proto_comments.h\"\n\n"
               "namespace heed {\nnamespace {\n\nconstexpr ProtoComment kProtoComments[] = {\n";
  for (const auto& [name, text] : comments) {
    std::cout << "{\"" << name << "\", \"" << absl::Utf8SafeCEscape(text) << "\"},\n";
  }
  std::cout << "};\n\n}  // namespace\n\n"
               "absl::Span<const ProtoComment> ProtoComments() { return kProtoComments; }\n\n}  // namespace heed\n";
  return 0;
}

}  // namespace
}  // namespace heed

int main(int, char** arguments) { return heed::Main(arguments[1]); }
