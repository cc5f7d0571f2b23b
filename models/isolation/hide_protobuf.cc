// Build tool: hide_protobuf IN OUT copies a 64-bit ELF shared library and hides every google::protobuf symbol in it.
//
// Debian's libsentencepiece.so carries an old copy of protobuf and exports it. In a process that also uses libprotobuf.so
// the dynamic linker would bind each of the two to whichever copy comes first, and the process dies before main. A symbol
// whose visibility is hidden is bound within its own library and found by no other (ELF gABI, "Symbol Visibility"), which
// is what that library should have been built with. Nothing but the visibility bits is changed.
#include <elf.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <vector>

namespace {

constexpr char kMangledNamespace[] = "6google8protobuf";

int Fail(const char* path, const char* what) {
  std::fprintf(stderr, "hide_protobuf: %s: %s\n", path, what);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return Fail("usage", "hide_protobuf IN OUT");
  std::ifstream in(argv[1], std::ios::binary);
  std::vector<char> bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  const auto within = [&](size_t offset, size_t size) { return offset <= bytes.size() && size <= bytes.size() - offset; };
  Elf64_Ehdr header;
  if (!within(0, sizeof(header))) return Fail(argv[1], "cannot be read, or too short for an ELF file");
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64) {
    return Fail(argv[1], "not a 64-bit ELF file");
  }
  if (!within(header.e_shoff, size_t{header.e_shnum} * sizeof(Elf64_Shdr))) return Fail(argv[1], "has no section table");
  std::vector<Elf64_Shdr> sections(header.e_shnum);
  std::memcpy(sections.data(), bytes.data() + header.e_shoff, sections.size() * sizeof(Elf64_Shdr));

  int hidden = 0;
  for (const Elf64_Shdr& section : sections) {
    if (section.sh_type != SHT_DYNSYM) continue;
    if (section.sh_link >= sections.size()) return Fail(argv[1], "its dynamic symbols have no names");
    const Elf64_Shdr& names = sections[section.sh_link];
    if (!within(section.sh_offset, section.sh_size) || !within(names.sh_offset, names.sh_size)) {
      return Fail(argv[1], "its dynamic symbols are outside the file");
    }
    for (size_t at = section.sh_offset; at + sizeof(Elf64_Sym) <= section.sh_offset + section.sh_size;
         at += sizeof(Elf64_Sym)) {
      Elf64_Sym symbol;
      std::memcpy(&symbol, bytes.data() + at, sizeof(symbol));
      if (symbol.st_shndx == SHN_UNDEF || symbol.st_name >= names.sh_size) continue;
      if (std::strstr(bytes.data() + names.sh_offset + symbol.st_name, kMangledNamespace) == nullptr) continue;
      symbol.st_other = static_cast<unsigned char>((symbol.st_other & ~0x3) | STV_HIDDEN);
      std::memcpy(bytes.data() + at, &symbol, sizeof(symbol));
      ++hidden;
    }
  }
  std::ofstream out(argv[2], std::ios::binary);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  out.close();
  if (!out) return Fail(argv[2], "cannot be written");
  std::printf("hide_protobuf: %d symbols of %s\n", hidden, argv[1]);
  return 0;
}
