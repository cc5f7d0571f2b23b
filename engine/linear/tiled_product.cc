// SPDX-License-Identifier: Apache-2.0
#include "engine/linear/tiled_product.h"

#include <omp.h>

#include <algorithm>
#include <cstddef>
#include <list>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "engine/linear/onednn.h"

namespace heed {
namespace {

constexpr int64_t kBlockCols = 512;  // outputs of one primitive
constexpr size_t kMaxPrimitives = 64;

const dnnl::engine& CpuEngine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

struct ProductShape {
  int64_t in, out, x_stride, weights_stride, y_stride;
  Activation activation;
  bool accumulate;

  bool operator==(const ProductShape&) const = default;
};

struct Product {
  dnnl::matmul::primitive_desc descriptor;
  dnnl::matmul primitive;
};

Product MakeProduct(const ProductShape& shape) {
  using Desc = dnnl::memory::desc;
  constexpr auto kF32 = dnnl::memory::data_type::f32;
  const Desc x({kTileRows, shape.in}, kF32, {shape.x_stride, 1});
  const Desc weights({shape.in, shape.out}, kF32, {shape.weights_stride, 1});
  const Desc bias({1, shape.out}, kF32, {shape.out, 1});
  const Desc y({kTileRows, shape.out}, kF32, {shape.y_stride, 1});
  dnnl::post_ops operations;
  if (shape.accumulate) operations.append_sum(1.0f);
  switch (shape.activation) {
    case Activation::kNone:
      break;
    case Activation::kRelu:
      onednn::AppendEltwise(operations, dnnl::algorithm::eltwise_relu, 0.0f);
      break;
    case Activation::kGelu:
      onednn::AppendEltwise(operations, dnnl::algorithm::eltwise_gelu_erf, 0.0f);
      break;
    case Activation::kGeluTanh:
      onednn::AppendEltwise(operations, dnnl::algorithm::eltwise_gelu_tanh, 0.0f);
      break;
    case Activation::kSwish:
      onednn::AppendEltwise(operations, dnnl::algorithm::eltwise_swish, 1.0f);
      break;
    case Activation::kElu:
      onednn::AppendEltwise(operations, dnnl::algorithm::eltwise_elu, 1.0f);
      break;
    case Activation::kTanh:
      onednn::AppendEltwise(operations, dnnl::algorithm::eltwise_tanh, 0.0f);
      break;
    case Activation::kSigmoid:
      onednn::AppendEltwise(operations, dnnl::algorithm::eltwise_logistic, 0.0f);
      break;
  }
  dnnl::primitive_attr attributes;
  attributes.set_post_ops(operations);
  // The library's own scratchpad belongs to the thread that made the primitive; ours are executed by every thread.
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  const auto descriptor = onednn::MatmulDescriptor(CpuEngine(), x, weights, bias, y, attributes);
  return {descriptor, dnnl::matmul(descriptor)};
}

// The most recently used primitives of the process.
class PrimitiveCache {
 public:
  Product Get(const ProductShape& shape) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    const auto found =
        std::find_if(entries_.begin(), entries_.end(), [&](const auto& entry) { return entry.first == shape; });
    if (found != entries_.end()) {
      entries_.splice(entries_.begin(), entries_, found);
    } else {
      entries_.emplace_front(shape, MakeProduct(shape));
      if (entries_.size() > kMaxPrimitives) entries_.pop_back();
    }
    return entries_.front().second;
  }
  int64_t size() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return static_cast<int64_t>(entries_.size());
  }

 private:
  Mutex mutex_;
  std::list<std::pair<ProductShape, Product>> entries_ GUARDED_BY(mutex_);
};

PrimitiveCache& Primitives() {
  static PrimitiveCache* cache = new PrimitiveCache;  // never destroyed: threads may outlive static destruction
  return *cache;
}

void Execute(const Product& product, const float* x, const float* weights, const float* bias, float* y) {
  thread_local dnnl::stream stream(CpuEngine());
  thread_local std::vector<std::byte> scratchpad;
  const dnnl::memory::desc scratchpad_desc = product.descriptor.scratchpad_desc();
  if (scratchpad.size() < scratchpad_desc.get_size()) scratchpad.resize(scratchpad_desc.get_size());
  const auto memory = [&](int argument, const float* data) {
    return dnnl::memory(product.descriptor.query_md(dnnl::query::exec_arg_md, argument), CpuEngine(),
                        const_cast<float*>(data));
  };
  product.primitive.execute(stream,
                            {{DNNL_ARG_SRC, memory(DNNL_ARG_SRC, x)},
                             {DNNL_ARG_WEIGHTS, memory(DNNL_ARG_WEIGHTS, weights)},
                             {DNNL_ARG_BIAS, memory(DNNL_ARG_BIAS, bias)},
                             {DNNL_ARG_DST, memory(DNNL_ARG_DST, y)},
                             {DNNL_ARG_SCRATCHPAD, dnnl::memory(scratchpad_desc, CpuEngine(), scratchpad.data())}});
  stream.wait();
}

}  // namespace

TiledWeights::TiledWeights(int64_t out, int64_t in, absl::FunctionRef<float(int64_t, int64_t)> weight)
    : out_(out), transposed_(in, out) {
  for (int64_t n = 0; n < out; ++n) {
    for (int64_t k = 0; k < in; ++k) transposed_.row(k)[n] = weight(n, k);
  }
}

void TiledProduct(const TiledWeights& weights, ConstMatrixView x, const float* bias, Activation activation,
                  bool accumulate, MatrixView y, Context& context) {
  const int64_t tiles = (x.rows + kTileRows - 1) / kTileRows;
  const int64_t blocks = (weights.out() + kBlockCols - 1) / kBlockCols;
  const int64_t last_rows = x.rows - (tiles - 1) * kTileRows;
  Arena::Scope scope(context.arena);
  MatrixView filled_x, filled_y;
  if (last_rows < kTileRows) {
    filled_x = TakeMatrix(context.arena, kTileRows, weights.in());
    filled_y = TakeMatrix(context.arena, kTileRows, weights.out());
    for (int64_t i = 0; i < kTileRows; ++i) {
      float* to_x = filled_x.row(i);
      float* to_y = filled_y.row(i);
      const int64_t from = (tiles - 1) * kTileRows + i;
      if (i < last_rows) {
        std::copy(x.row(from), x.row(from) + weights.in(), to_x);
        if (accumulate) std::copy(y.row(from), y.row(from) + weights.out(), to_y);
      } else {
        std::fill(to_x, to_x + weights.in(), 0.0f);
        std::fill(to_y, to_y + weights.out(), 0.0f);
      }
    }
  }
  context.team.Run(tiles * blocks, [&](int64_t part) {
    const int64_t tile = part / blocks;
    const int64_t first_col = part % blocks * kBlockCols;
    const bool fill = tile == tiles - 1 && last_rows < kTileRows;
    const ConstMatrixView from = fill ? ConstMatrixView(filled_x) : x.Rows(tile * kTileRows, kTileRows);
    const MatrixView to = fill ? filled_y : y.Rows(tile * kTileRows, kTileRows);
    const ProductShape shape = {weights.in(), std::min(kBlockCols, weights.out() - first_col),
                                from.stride,  weights.transposed().stride,
                                to.stride,    activation,
                                accumulate};
    omp_set_num_threads(1);  // before the primitive is made, too: it plans for the threads it sees
    Execute(Primitives().Get(shape), from.data, weights.transposed().data + first_col, bias + first_col,
            to.data + first_col);
  });
  for (int64_t i = 0; i < last_rows && last_rows < kTileRows; ++i) {
    std::copy(filled_y.row(i), filled_y.row(i) + weights.out(), y.row((tiles - 1) * kTileRows + i));
  }
}

int64_t PrimitiveCacheSize() { return Primitives().size(); }

std::string OneDnnVersion() {
  const dnnl::version_t* version = dnnl::version();
  return absl::StrCat(version->major, ".", version->minor, ".", version->patch);
}

}  // namespace heed
