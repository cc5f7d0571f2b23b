# SPDX-License-Identifier: Apache-2.0
# CPack: Debian packages of the two programs (scripts/package.sh).
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME heed)
set(CPACK_PACKAGE_VENDOR Heed)
set(CPACK_PACKAGE_CONTACT ${HEED_PACKAGE_CONTACT})
set(CPACK_COMPONENTS_ALL server client)
set(CPACK_STRIP_FILES ON)
set(CPACK_VERBATIM_VARIABLES ON)
# Into a staging folder by DESTDIR, with the prefix that the installed files name.
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_DEBIAN_SERVER_PACKAGE_NAME heed-server)
set(CPACK_DEBIAN_SERVER_PACKAGE_SECTION net)
set(CPACK_COMPONENT_SERVER_DESCRIPTION
    "inference server for attention models on CPUs
Serves translators, graph neural networks and Neural Turing Machines over
gRPC, with the small models that ship and a systemd unit.")
set(CPACK_DEBIAN_SERVER_PACKAGE_RECOMMENDS heed-client)
set(CPACK_DEBIAN_SERVER_PACKAGE_SUGGESTS redis-server)
set(debian ${PROJECT_SOURCE_DIR}/deploy/debian/server)
set(CPACK_DEBIAN_SERVER_PACKAGE_CONTROL_EXTRA ${debian}/conffiles ${debian}/postinst ${debian}/prerm ${debian}/postrm)

set(CPACK_DEBIAN_CLIENT_PACKAGE_NAME heed-client)
set(CPACK_DEBIAN_CLIENT_PACKAGE_SECTION net)
set(CPACK_COMPONENT_CLIENT_DESCRIPTION
    "command line of the Heed inference server
Translates, classifies, asks and chats, watches a server and measures it.")
include(CPack)
