// SPDX-License-Identifier: Apache-2.0
// Linear layers by both ways beside plain oneDNN, on one thread: GFLOP/s, medians of rounds in which all take turns.
//
//   linear_bench [ROUNDS]
//
// "oneDNN" is what a program gets that hands it dense rows and weights as they are, [in, out] (ab) or [out, in] (ba);
// the ratios are to the better of the two. int8 and bf16 count the conversion of their rows. The table in
// engine/linear/linear.cc (PreferredBackend) comes from this.
#include <omp.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <vector>

#include "engine/kernels/instruction_set.h"
#include "engine/linear/bf16_product.h"
#include "engine/linear/onednn.h"
#include "engine/linear/packed_product.h"
#include "engine/linear/quantized_product.h"
#include "engine/linear/tiled_product.h"
#include "tests/bench/measure.h"

namespace heed::bench {
namespace {

// oneDNN's matmul over dense matrices: x [rows, in], weights [in, out] or transposed, y [rows, out].
class PlainOneDnn {
 public:
  PlainOneDnn(const std::vector<float>& x, const std::vector<float>& weights, const std::vector<float>& bias,
              std::vector<float>& y, int64_t rows, int64_t in, int64_t out, bool transposed)
      : engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) {
    constexpr auto kF32 = dnnl::memory::data_type::f32;
    using Tag = dnnl::memory::format_tag;
    const dnnl::memory::desc x_desc({rows, in}, kF32, Tag::ab);
    const dnnl::memory::desc w_desc({in, out}, kF32, transposed ? Tag::ba : Tag::ab);
    const dnnl::memory::desc b_desc({1, out}, kF32, Tag::ab);
    const dnnl::memory::desc y_desc({rows, out}, kF32, Tag::ab);
    product_ = dnnl::matmul(onednn::MatmulDescriptor(engine_, x_desc, w_desc, b_desc, y_desc, {}));
    const auto memory = [&](const dnnl::memory::desc& desc, const float* data) {
      return dnnl::memory(desc, engine_, const_cast<float*>(data));
    };
    arguments_ = {{DNNL_ARG_SRC, memory(x_desc, x.data())},
                  {DNNL_ARG_WEIGHTS, memory(w_desc, weights.data())},
                  {DNNL_ARG_BIAS, memory(b_desc, bias.data())},
                  {DNNL_ARG_DST, memory(y_desc, y.data())}};
  }
  void Run() {
    product_.execute(stream_, arguments_);
    stream_.wait();
  }

 private:
  dnnl::engine engine_;
  dnnl::stream stream_;
  dnnl::matmul product_;
  std::unordered_map<int, dnnl::memory> arguments_;
};

void Measure(int64_t in, int64_t out, int rounds) {
  const auto weight = [](int64_t n, int64_t k) { return static_cast<float>((n * 7 + k * 3) % 13 - 6) * 0.0625f; };
  const PackedPanels f32(out, in, Storage::kF32, weight), f16(out, in, Storage::kF16, weight);
  const TiledWeights tiles(out, in, weight);
  std::vector<float> plain(static_cast<size_t>(in * out)), plain_transposed(plain.size());
  for (int64_t n = 0; n < out; ++n) {
    for (int64_t k = 0; k < in; ++k) {
      plain[static_cast<size_t>(k * out + n)] = plain_transposed[static_cast<size_t>(n * in + k)] = weight(n, k);
    }
  }
  const QuantizedPanels int8(out, in, plain_transposed.data());
  const bool has_bf16 = UsedInstructionSet() >= InstructionSet::kAvx512Bf16;
  const Bf16Panels bf16(out, in, plain_transposed.data());
  const std::vector<float> bias(static_cast<size_t>(f32.panels() * kPanelCols));
  Context context{1};
  for (int64_t rows : {1, 2, 4, 8, 16, 64}) {
    Matrix x(rows, in), y(rows, out);
    for (int64_t m = 0; m < rows; ++m) std::fill_n(x.row(m), in, 0.5f);
    const std::vector<float> plain_x(static_cast<size_t>(rows * in), 0.5f);
    std::vector<float> plain_y(static_cast<size_t>(rows * out));
    PlainOneDnn ab(plain_x, plain, bias, plain_y, rows, in, out, false);
    PlainOneDnn ba(plain_x, plain_transposed, bias, plain_y, rows, in, out, true);
    const std::vector<std::function<void()>> rivals = {
        [&] { ab.Run(); },
        [&] { ba.Run(); },
        [&] { TiledProduct(tiles, x.view(), bias.data(), Activation::kNone, false, y.view(), context); },
        [&] { PackedProduct(f32, x.view(), 0, f32.panels(), bias.data(), false, y.view()); },
        [&] { PackedProduct(f16, x.view(), 0, f16.panels(), bias.data(), false, y.view()); },
        [&] {
          Arena::Scope scope(context.arena);
          QuantizedProduct(int8, Quantized(x.view(), context), 0, int8.panels(), bias.data(), false, y.view());
        },
        [&] {
          if (!has_bf16) return;
          Arena::Scope scope(context.arena);
          Bf16Product(bf16, InBf16(x.view(), context), 0, bf16.panels(), bias.data(), false, y.view());
        },
    };
    std::vector<double> gflops;
    for (double seconds : TakeTurns(rivals, rounds, 0.02)) {
      gflops.push_back(2e-9 * static_cast<double>(rows * in * out) / seconds);
    }
    const double best_plain = std::max(gflops[0], gflops[1]);
    if (!has_bf16) gflops[6] = 0;
    std::printf(
        "| %5lld x %-5lld | %4lld | %6.1f | %6.1f | %6.1f | %6.1f | %6.1f | %6.1f | %6.1f | %5.2fx | %5.2fx |\n",
        static_cast<long long>(in), static_cast<long long>(out), static_cast<long long>(rows), gflops[0], gflops[1],
        gflops[2], gflops[3], gflops[4], gflops[5], gflops[6], gflops[3] / best_plain, gflops[4] / best_plain);
    std::fflush(stdout);
  }
}

}  // namespace
}  // namespace heed::bench

int main(int argc, char** argv) {
  omp_set_num_threads(1);
  const int rounds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 9;
  std::printf("GFLOP/s on one thread, median of %d rounds; %s; fma peak %.1f\n", rounds,
              std::string(InstructionSetName(heed::UsedInstructionSet())).c_str(), heed::bench::FmaPeak());
  std::printf(
      "| %-13s | rows | oneDNN ab | oneDNN ba | tiled | packed f32 | packed f16 | int8 | bf16 | f32/oneDNN | "
      "f16/oneDNN "
      "|\n",
      "in x out");
  std::printf("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
  for (const auto& [in, out] : {std::pair<int64_t, int64_t>{512, 512}, {512, 2048}, {2048, 512}, {512, 32000}}) {
    heed::bench::Measure(in, out, rounds);
  }
  return 0;
}
