// Numbers in JSON.
#pragma once

namespace heed::client {

// The double with the fewest digits that reads back as this float: 0.1, not 0.10000000149.
double ShortestNumber(float value);

}  // namespace heed::client
