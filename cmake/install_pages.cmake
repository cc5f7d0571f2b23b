# SPDX-License-Identifier: Apache-2.0
# For install_server.cmake and install_client.cmake: pages that a program prints, changelog and copyright.

# heed_print(FILE PROGRAM ARGUMENT...): installs what the program prints as PREFIX/FILE, compressed if FILE ends in .gz.
function(heed_print file program)
  execute_process(COMMAND ${HEED_PROGRAMS}/${program} ${ARGN} OUTPUT_VARIABLE text COMMAND_ERROR_IS_FATAL ANY)
  heed_write(${file} "${text}")
endfunction()

function(heed_write file text)
  if(NOT IS_ABSOLUTE ${file})
    set(file ${CMAKE_INSTALL_PREFIX}/${file})
  endif()
  set(path $ENV{DESTDIR}${file})
  message(STATUS "Installing: ${path}")
  string(REGEX REPLACE "\\.gz$" "" plain ${path})
  file(WRITE ${plain} "${text}")
  if(NOT plain STREQUAL path)  # without the time, so that equal pages are equal files
    execute_process(COMMAND gzip -9nf ${plain} COMMAND_ERROR_IS_FATAL ANY)
  endif()
endfunction()

function(heed_package_documents package)
  file(READ ${HEED_SOURCE}/CHANGELOG.md text)
  string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)  # or SOURCE_DATE_EPOCH
  heed_write(share/doc/${package}/changelog.Debian.gz
             "heed (${HEED_VERSION}-1) unstable; urgency=medium\n\n  * See changelog.gz.\n\n -- ${HEED_CONTACT}  ${date}\n")
  heed_write(share/doc/${package}/changelog.gz "${text}")
  file(READ ${HEED_SOURCE}/deploy/debian/copyright text)
  heed_write(share/doc/${package}/copyright "${text}")
endfunction()
