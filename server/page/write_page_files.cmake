# SPDX-License-Identifier: Apache-2.0
# At build time: cmake -DFILES=FILE;... -DOUTPUT=FILE.cc -P write_page_files.cmake
# writes page_files.h's table. The files are texts.
set(delimiter page_file)
set(table)
foreach(path IN LISTS FILES)
  get_filename_component(name ${path} NAME)
  file(READ ${path} text)
  string(FIND "${text}" ")${delimiter}\"" end)
  if(NOT end EQUAL -1)
    message(FATAL_ERROR "${path}: holds )${delimiter}\", which ends a text of the table")
  endif()
  string(SHA256 hash "${text}")
  string(APPEND table "{\"${name}\", \"${hash}\", R\"${delimiter}(${text})${delimiter}\"},\n")
endforeach()
file(WRITE ${OUTPUT}
     "// Written by write_page_files.cmake.\n#include \"server/page/page_files.h\"\n\nnamespace heed {\nnamespace {\n\n"
     "constexpr PageFile kPageFiles[] = {\n${table}};\n\n}  // namespace\n\n"
     "absl::Span<const PageFile> PageFiles() { return kPageFiles; }\n\n}  // namespace heed\n")
