// The --world flag: a geometry by the name of a preset or as fields of the text form.
#ifndef MMDIFF_CLI_WORLD_FLAG_H_
#define MMDIFF_CLI_WORLD_FLAG_H_

#include <string>

#include "absl/status/statusor.h"
#include "program/program.h"

namespace mmdiff {

// "" is the default world; "x86" a preset; "table=16 cpus=1" fields; "x86 cpus=1" both. Error: what
// is wrong.
absl::StatusOr<World> WorldFromFlag(const std::string& text);
// `world` with the fields that `text` names changed; a preset replaces all of them. What joins the
// fields (CheckWorld) is not checked.
absl::StatusOr<World> ChangedByFlag(World world, const std::string& text);

}  // namespace mmdiff

#endif  // MMDIFF_CLI_WORLD_FLAG_H_
