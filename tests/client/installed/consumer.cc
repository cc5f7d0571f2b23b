// SPDX-License-Identifier: Apache-2.0
// consumer ADDRESS TEXT: translates the text.
#include <iostream>

#include "client/lib/channel.h"
#include "client/lib/translation_client.h"

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const heed::client::TranslationClient client(heed::client::MakeChannel(argv[1]), {});
  heed::v1::TranslateRequest request;
  request.add_texts(argv[2]);
  heed::v1::TranslateResponse response;
  if (const grpc::Status status = client.Translate(request, response); !status.ok()) {
    std::cerr << heed::client::StatusText(status) << "\n";
    return 1;
  }
  std::cout << response.translations(0).text() << "\n";
}
