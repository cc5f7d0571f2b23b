// SPDX-License-Identifier: Apache-2.0
// The load of heed-soak: requests of every kind that a server's models take, and what their answers have to be.
#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "client/bench/load_generator.h"
#include "grpcpp/channel.h"
#include "grpcpp/support/status.h"
#include "heed/v1/models.pb.h"

namespace heed::client {

// A request on its way, of the `kind`-th kind.
struct SoakCall : LoadCall {
  AnswerCounts counts() const override { return {.items = 1}; }
  // The answer is another than it has to be, and how: `status` becomes DATA_LOSS, which no server sends.
  void SetWrong(const std::string& how);

  size_t kind = 0;
  bool wrong = false;
};

struct SoakKind {
  std::string model;
  std::string request;  // "translate", "stream", "session"
};

// Where the requests of one kind come from.
class SoakSource;

// What is asked is the same in every run: built-in sentences and story, drawn graphs and rows. Each distinct request is
// first made alone; the answer to it then is what it has to be ever after, to the bit. Sessions go through a course:
// opened, told and asked in turn, copied, the copy asked, both closed; the answers, versions and numbers of facts are
// those of the course that was taken first. One thread.
class SoakLoad {
 public:
  SoakLoad(std::shared_ptr<grpc::Channel> channel, std::stop_token stop);
  ~SoakLoad();

  // Adds the kinds of requests that a model of its kind takes, and makes each alone. An error is that of the first one
  // that failed; UNIMPLEMENTED: a kind of model that is not known here.
  grpc::Status AddModel(const v1::ModelInfo& model);
  const std::vector<SoakKind>& kinds() const { return kinds_; }

  // Goes round the kinds; what it sends is a SoakCall. Borrows this.
  SendCall Send();
  // Those that are not closed: their course was cut short.
  std::vector<std::string> OpenSessions() const;

 private:
  // Scores and texts, or labels, by what its weights have a head for.
  grpc::Status AddLanguageModel(const std::string& name);
  void Add(const std::string& model, const std::string& request, std::unique_ptr<SoakSource> source);

  const std::shared_ptr<grpc::Channel> channel_;
  const std::stop_token stop_;
  std::vector<SoakKind> kinds_;
  std::vector<std::unique_ptr<SoakSource>> sources_;  // by kind
};

}  // namespace heed::client
