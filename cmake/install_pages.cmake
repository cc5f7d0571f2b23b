# For install_server.cmake and install_client.cmake: pages that a program prints, changelog and copyright.

# heed_print(FILE PROGRAM ARGUMENT...): installs what the program prints as PREFIX/FILE, compressed if FILE ends in .gz.
function(heed_print file program)
  execute_process(COMMAND ${HEED_PROGRAMS}/${program} ${ARGN} OUTPUT_VARIABLE text ERROR_VARIABLE error RESULT_VARIABLE code)
  if(NOT code EQUAL 0)
    message(WARNING "Not installed: ${file}: ${error}")
    return()
  endif()
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
  heed_write(share/doc/${package}/changelog.gz "${text}")
  file(READ ${HEED_SOURCE}/deploy/debian/copyright text)
  heed_write(share/doc/${package}/copyright "${text}")
endfunction()
