// Work counters of the model since Reset. Adding is one increment; never read by the model itself.
#ifndef MMDIFF_MODEL_COST_H_
#define MMDIFF_MODEL_COST_H_

#include <cstdint>

#include "model/sync.h"

MMDIFF_MODEL_BEGIN
struct Cost {
#define MMDIFF_COST_ITEM(name, doc) sync::Counter<uint64_t> name;
#include "model/cost.def"
};
MMDIFF_MODEL_END

#endif  // MMDIFF_MODEL_COST_H_
