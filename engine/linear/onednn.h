// SPDX-License-Identifier: Apache-2.0
// Every oneDNN call whose form differs between versions 2 and 3. The only file that includes dnnl.hpp; only engine/*.cc
// include this.
#pragma once

#include "dnnl.hpp"

namespace heed::onednn {

// dst = src weights + bias, then `attributes`' post-operations.
inline dnnl::matmul::primitive_desc MatmulDescriptor(const dnnl::engine& engine, const dnnl::memory::desc& src,
                                                     const dnnl::memory::desc& weights, const dnnl::memory::desc& bias,
                                                     const dnnl::memory::desc& dst,
                                                     const dnnl::primitive_attr& attributes) {
#if DNNL_VERSION_MAJOR >= 3
  return {engine, src, weights, bias, dst, attributes};
#else
  return {dnnl::matmul::desc(src, weights, bias, dst), attributes, engine};
#endif
}

inline void AppendEltwise(dnnl::post_ops& operations, dnnl::algorithm algorithm, float alpha) {
#if DNNL_VERSION_MAJOR >= 3
  operations.append_eltwise(algorithm, alpha, 0.0f);
#else
  operations.append_eltwise(1.0f, algorithm, alpha, 0.0f);
#endif
}

}  // namespace heed::onednn
