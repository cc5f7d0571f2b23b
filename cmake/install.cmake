# SPDX-License-Identifier: Apache-2.0
# What `cmake --install` puts where, in three components:
#
#   server    heed-server, its systemd unit and configuration, the models that ship, the documentation
#   client    heed, the command line
#   dev       the C++ client library: find_package(heed), heed::client
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(heed_headers ${CMAKE_INSTALL_INCLUDEDIR}/heed)
set(heed_cmake ${CMAKE_INSTALL_LIBDIR}/cmake/heed)

# Installs a library of the C++ client library, with the headers of the folder and of the folder's generated code.
function(heed_install_library name)
  string(REGEX REPLACE "^heed_" "" export_name ${name})
  set_target_properties(${name} PROPERTIES EXPORT_NAME ${export_name})
  target_compile_features(${name} PUBLIC cxx_std_20)
  target_include_directories(${name} INTERFACE $<INSTALL_INTERFACE:${heed_headers}>)
  install(TARGETS ${name} EXPORT heed ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT dev)
  file(RELATIVE_PATH folder ${PROJECT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
  if(folder STREQUAL "proto")
    set(from ${CMAKE_CURRENT_BINARY_DIR}/)
    set(to ${heed_headers})
  else()
    set(from ${CMAKE_CURRENT_SOURCE_DIR}/)
    set(to ${heed_headers}/${folder})
  endif()
  file(GLOB headers CONFIGURE_DEPENDS ${from}*.h)
  if(folder STREQUAL "proto")
    if(name STREQUAL "heed_messages")  # its headers serve heed_proto, too
      install(DIRECTORY ${from} DESTINATION ${to} COMPONENT dev
              FILES_MATCHING PATTERN "*.pb.h" PATTERN CMakeFiles EXCLUDE)
      install(DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/ DESTINATION ${CMAKE_INSTALL_DATADIR}/heed/proto COMPONENT dev
              FILES_MATCHING PATTERN "*.proto")
    endif()
  else()
    install(FILES ${headers} DESTINATION ${to} COMPONENT dev)
  endif()
endfunction()

set(HEED_PACKAGE_CONTACT "Heed maintainers <heed@localhost>" CACHE STRING "The packages' Maintainer field")

function(heed_install_programs)
  set_target_properties(heed_client_lib PROPERTIES EXPORT_NAME client)
  add_library(heed::client ALIAS heed_client_lib)
  install(EXPORT heed NAMESPACE heed:: FILE heedTargets.cmake DESTINATION ${heed_cmake} COMPONENT dev)
  configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/heedConfig.cmake.in ${PROJECT_BINARY_DIR}/heedConfig.cmake
                                INSTALL_DESTINATION ${heed_cmake})
  write_basic_package_version_file(${PROJECT_BINARY_DIR}/heedConfigVersion.cmake COMPATIBILITY SameMinorVersion)
  install(FILES ${PROJECT_BINARY_DIR}/heedConfig.cmake ${PROJECT_BINARY_DIR}/heedConfigVersion.cmake
          DESTINATION ${heed_cmake} COMPONENT dev)
  install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT dev)

  install(TARGETS heed-server RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT server)
  install(TARGETS heed RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT client)
  install(DIRECTORY weights/ DESTINATION ${CMAKE_INSTALL_DATADIR}/heed/models COMPONENT server PATTERN recipes EXCLUDE)
  install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/heed-server COMPONENT server)
  install(FILES README.md SECURITY.md DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/heed-server COMPONENT server)
  # What depends on the prefix, or is written by the programs themselves.
  foreach(component server client)
    install(CODE "set(HEED_SOURCE \"${PROJECT_SOURCE_DIR}\")
set(HEED_PROGRAMS \"${CMAKE_RUNTIME_OUTPUT_DIRECTORY}\")
set(HEED_VERSION \"${PROJECT_VERSION}\")
set(HEED_CONTACT \"${HEED_PACKAGE_CONTACT}\")"
            COMPONENT ${component})
    install(SCRIPT cmake/install_${component}.cmake COMPONENT ${component})
  endforeach()
endfunction()
