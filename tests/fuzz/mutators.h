// SPDX-License-Identifier: Apache-2.0
// Changes of inputs that have a form, so that most of them still have it and get beyond the first check. One in eight
// is changed without regard to the form.
#pragma once

#include <cstddef>
#include <cstdint>

namespace heed {

// Of a safetensors file: its header or its data, and then the header's length.
size_t MutateSafetensors(uint8_t* data, size_t size, size_t max_size, unsigned seed);
// The same behind `prefix` bytes that stay.
size_t MutateSafetensorsBehind(size_t prefix, uint8_t* data, size_t size, size_t max_size, unsigned seed);

}  // namespace heed
