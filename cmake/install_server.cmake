# SPDX-License-Identifier: Apache-2.0
# The unit, the configuration, and the pages that heed-server prints.
include(${HEED_SOURCE}/cmake/install_pages.cmake)
heed_print(share/man/man1/heed-server.1.gz heed-server --man)
heed_print(share/bash-completion/completions/heed-server heed-server --completion=bash)
heed_print(share/zsh/vendor-completions/_heed-server heed-server --completion=zsh)
heed_package_documents(heed-server)

# As GNUInstallDirs says: /etc if the prefix is /usr.
set(etc ${CMAKE_INSTALL_PREFIX}/etc)
if(CMAKE_INSTALL_PREFIX STREQUAL "/usr")
  set(etc /etc)
endif()

# Every setting with its default, as a comment, but for the places of this installation.
execute_process(COMMAND ${HEED_PROGRAMS}/heed-server --print_config OUTPUT_VARIABLE config COMMAND_ERROR_IS_FATAL ANY)
foreach(setting "models:${CMAKE_INSTALL_PREFIX}/share/heed/models" "graphs:/var/lib/heed/graphs"
                "sessions:/var/lib/heed/sessions")
  string(REGEX MATCH "^([a-z]+):(.*)$" setting ${setting})
  set(line "${CMAKE_MATCH_1} = \"${CMAKE_MATCH_2}\"")
  string(REGEX REPLACE "\n# ${CMAKE_MATCH_1} = [^\n]*" "\n${line}" changed "${config}")
  if(changed STREQUAL config)
    message(FATAL_ERROR "heed-server --print_config has no line '# ${CMAKE_MATCH_1} = ...'")
  endif()
  set(config "${changed}")
endforeach()
heed_write(${etc}/heed/heed-server.toml "${config}")

file(READ ${HEED_SOURCE}/deploy/systemd/heed-server.service.in unit)
set(prefix ${CMAKE_INSTALL_PREFIX})
string(CONFIGURE "${unit}" unit @ONLY)
heed_write(lib/systemd/system/heed-server.service "${unit}")
