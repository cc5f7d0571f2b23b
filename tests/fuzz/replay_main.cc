// SPDX-License-Identifier: Apache-2.0
// Runs a fuzz target on its seeds and on changes of them: the same ones each time, without a fuzzer.
//
//   fuzz_replay TARGET SEEDS [--seconds=S] [--changes=N]
//
// SEEDS is a directory, or one file, as a fuzzer leaves it, which is run alone. Ends after N changes (100,000), or S
// seconds (3) if they take longer. An input that ends the process is written to TARGET.crash in the working directory.
#include <fcntl.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "tests/fuzz/fuzz_target.h"

namespace heed {
namespace {

constexpr size_t kMaxBytes = 64 << 10;  // of a changed input
constexpr time_t kSlowestSeconds = 10;  // of a processor, that an input may take

std::minstd_rand random_numbers(1);
std::string input;
char crash_file[256];

size_t Below(size_t end) { return random_numbers() % end; }

// For signal handlers.
void WriteInput(int signal_number) {
  const int file = open(crash_file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  const bool written = file >= 0 && write(file, input.data(), input.size()) == static_cast<ssize_t>(input.size());
  const char* const words[] = {"fuzz_replay: ",   signal_number == SIGPROF ? "too slow" : "crashed",
                               ": the input is ", written ? "in " : "lost: cannot write ",
                               crash_file,        "\n"};
  for (const char* word : words) (void)!write(STDERR_FILENO, word, std::strlen(word));
  signal(signal_number, SIG_DFL);
  raise(signal_number);
}

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void RunOne(const FuzzTarget& target, std::string bytes) {
  input = std::move(bytes);
  const itimerval limit = {{0, 0}, {kSlowestSeconds, 0}};
  setitimer(ITIMER_PROF, &limit, nullptr);
  target.run(input);
}

std::string Changed(const FuzzTarget& target, const std::vector<std::string>& seeds) {
  std::string bytes = seeds[Below(seeds.size())];
  if (Below(8) == 0) {  // the beginning of one and the end of another
    const std::string& other = seeds[Below(seeds.size())];
    bytes.resize(Below(bytes.size() + 1));
    bytes += other.substr(Below(other.size() + 1));
  }
  const size_t most = std::max(kMaxBytes, bytes.size());
  for (size_t i = 0, changes = 1 + Below(4); i < changes; ++i) {
    const size_t size = bytes.size();
    bytes.resize(most);
    auto* data = reinterpret_cast<uint8_t*>(bytes.data());
    bytes.resize(target.mutate == nullptr ? LLVMFuzzerMutate(data, size, most)
                                          : target.mutate(data, size, most, static_cast<unsigned>(random_numbers())));
  }
  return bytes;
}

int Usage(const std::string& wrong) {
  std::fprintf(stderr,
               "fuzz_replay: %s\nusage: fuzz_replay TARGET SEEDS [--seconds=S] [--changes=N]\ntargets:", wrong.c_str());
  for (const FuzzTarget& target : FuzzTargets()) std::fprintf(stderr, " %s", target.name);
  std::fprintf(stderr, "\n");
  return 2;
}

int Main(int argc, char** argv) {
  if (argc < 3) return Usage("TARGET or SEEDS is missing");
  const auto target = std::find_if(FuzzTargets().begin(), FuzzTargets().end(),
                                   [&](const FuzzTarget& one) { return absl::string_view(one.name) == argv[1]; });
  if (target == FuzzTargets().end()) return Usage(absl::StrCat("there is no target ", argv[1]));
  double seconds = 3;
  int64_t changes = 100'000;
  for (int i = 3; i < argc; ++i) {
    absl::string_view value = argv[i];
    if (!(absl::ConsumePrefix(&value, "--seconds=") && absl::SimpleAtod(value, &seconds)) &&
        !(absl::ConsumePrefix(&value, "--changes=") && absl::SimpleAtoi(value, &changes))) {
      return Usage(absl::StrCat("what is ", argv[i], "?"));
    }
  }

  std::snprintf(crash_file, sizeof(crash_file), "%s.crash", target->name);
  for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGPROF}) signal(number, WriteInput);
  std::error_code error;
  if (!std::filesystem::exists(argv[2], error)) return Usage(absl::StrCat(argv[2], ": is not there"));
  if (!std::filesystem::is_directory(argv[2])) {
    RunOne(*target, ReadFile(argv[2]));
    return 0;
  }
  std::vector<std::filesystem::path> files;
  for (const auto& file : std::filesystem::directory_iterator(argv[2])) files.push_back(file.path());
  if (files.empty()) return Usage(absl::StrCat(argv[2], ": holds no seed"));
  std::sort(files.begin(), files.end());
  const auto start = std::chrono::steady_clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); };
  std::vector<std::string> seeds;
  for (const std::filesystem::path& file : files) {
    seeds.push_back(ReadFile(file));
    RunOne(*target, seeds.back());
  }
  int64_t done = 0;
  for (; done < changes && elapsed() < seconds; ++done) RunOne(*target, Changed(*target, seeds));
  std::printf("%s: %zu seeds and %lld changes in %.1f s\n", target->name, seeds.size(), static_cast<long long>(done),
              elapsed());
  return 0;
}

}  // namespace
}  // namespace heed

// A byte, a bit, a number, a stretch: what libFuzzer does without looking at coverage.
extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size) {
  using heed::Below;
  constexpr uint8_t kBytes[] = {0, 1, 0x7f, 0x80, 0xff, '"', '{', '[', ':', ',', '-', '9', ' ', '\n'};
  const size_t at = Below(size + 1);
  const size_t length = std::min(size - at, 1 + Below(8));
  switch (size == 0 ? 0 : Below(7)) {
    case 0: {  // insert
      const size_t more = std::min(max_size - size, 1 + Below(4));
      std::memmove(data + at + more, data + at, size - at);
      for (size_t i = 0; i < more; ++i) data[at + i] = kBytes[Below(std::size(kBytes))];
      return size + more;
    }
    case 1:  // erase
      std::memmove(data + at, data + at + length, size - at - length);
      return size - length;
    case 2:  // truncate
      return Below(4) == 0 ? at : size;
    case 3:  // a number
      for (size_t i = 0; i < length; ++i) data[at + i] = length % 2 == 0 ? 0xff : 0;
      return size;
    case 4:  // a stretch, again elsewhere
      std::memmove(data + Below(size - length + 1), data + at, length);
      return size;
    case 5:
      if (at < size) data[at] = kBytes[Below(std::size(kBytes))];
      return size;
    default:
      if (at < size) data[at] ^= static_cast<uint8_t>(1 << Below(8));
      return size;
  }
}

int main(int argc, char** argv) { return heed::Main(argc, argv); }
