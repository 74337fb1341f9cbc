#include "cli/world_flag.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "program/world.h"

namespace mmdiff {

absl::StatusOr<World> ChangedByFlag(World world, const std::string& text) {
  bool first = true;
  for (absl::string_view word : absl::StrSplit(text, ' ', absl::SkipWhitespace())) {
    const WorldPreset* preset =
        word.find('=') == absl::string_view::npos ? FindWorldPreset(std::string(word)) : nullptr;
    if (preset != nullptr && first) {
      world = preset->world;
    } else if (absl::Status s = ParseWorldField(std::string(word), &world); !s.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--world: ", s.message(), "; mmdiff list worlds prints fields and presets"));
    }
    first = false;
  }
  return world;
}

absl::StatusOr<World> WorldFromFlag(const std::string& text) {
  absl::StatusOr<World> world = ChangedByFlag(World(), text);
  if (!world.ok()) return world.status();
  if (absl::Status s = CheckWorld(*world); !s.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("--world: ", s.message()));
  }
  return world;
}

}  // namespace mmdiff
