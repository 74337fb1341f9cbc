// The model: the optimised implementation under test, as the harness sees it.
//
// Making one allocates; running programs on it does not, once it has grown to the largest of them.
#ifndef MMDIFF_MODEL_MODEL_H_
#define MMDIFF_MODEL_MODEL_H_

#include <memory>
#include <string>
#include <string_view>

#include "harness/implementation.h"
#include "model/sync.h"

MMDIFF_MODEL_BEGIN

// A model with the switches of `spec` turned: "" or "-batch_unmap,-lru_batch" ("+name" turns one
// on). On an unknown switch nullptr, and *error names it and lists the known ones.
std::unique_ptr<Implementation> MakeModel(std::string_view spec, std::string* error);

MMDIFF_MODEL_END

#endif  // MMDIFF_MODEL_MODEL_H_
