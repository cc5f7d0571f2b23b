# SPDX-License-Identifier: Apache-2.0
# The pages that heed prints.
include(${HEED_SOURCE}/cmake/install_pages.cmake)
heed_print(share/man/man1/heed.1.gz heed man)
heed_print(share/bash-completion/completions/heed heed completion bash)
heed_print(share/zsh/vendor-completions/_heed heed completion zsh)
heed_package_documents(heed-client)
