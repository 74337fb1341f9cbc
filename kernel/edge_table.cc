#include "kernel/edge_table.h"

#include <elf.h>

#include <cstring>
#include <fstream>
#include <string_view>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace mmdiff {
namespace {

// clang's name for the section: pairs of an address and flags.
constexpr std::string_view kSection = "__sancov_pcs";
constexpr uint64_t kMaxBytes = 64u << 20;  // of a table; more is no table

// Reads at an offset; false if the file ends before.
bool ReadAt(std::ifstream& in, uint64_t offset, void* to, uint64_t bytes) {
  in.clear();
  in.seekg(static_cast<std::streamoff>(offset));
  in.read(static_cast<char*>(to), static_cast<std::streamsize>(bytes));
  return in.good();
}

}  // namespace

absl::StatusOr<std::vector<uint64_t>> ReadEdgeTable(const std::string& executable) {
  std::ifstream in(executable, std::ios::binary);
  if (!in) return absl::NotFoundError(absl::StrCat("cannot read ", executable));
  const auto broken = [&executable] {
    return absl::InvalidArgumentError(absl::StrCat(executable, " is no 64-bit ELF executable"));
  };
  Elf64_Ehdr header;
  if (!ReadAt(in, 0, &header, sizeof(header)) ||
      std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
      header.e_ident[EI_DATA] != ELFDATA2LSB || header.e_shentsize != sizeof(Elf64_Shdr) ||
      header.e_shstrndx >= header.e_shnum) {
    return broken();
  }
  std::vector<Elf64_Shdr> sections(header.e_shnum);
  if (!ReadAt(in, header.e_shoff, sections.data(), sections.size() * sizeof(Elf64_Shdr))) {
    return broken();
  }
  const Elf64_Shdr& names = sections[header.e_shstrndx];
  for (const Elf64_Shdr& section : sections) {
    char name[kSection.size() + 1] = {};
    if (section.sh_name + sizeof(name) > names.sh_size ||
        !ReadAt(in, names.sh_offset + section.sh_name, name, sizeof(name)) ||
        std::string_view(name, sizeof(name) - 1) != kSection || name[kSection.size()] != '\0') {
      continue;
    }
    if (section.sh_size > kMaxBytes || section.sh_size % 16 != 0) return broken();
    std::vector<uint64_t> pairs(section.sh_size / sizeof(uint64_t));
    if (!ReadAt(in, section.sh_offset, pairs.data(), section.sh_size)) return broken();
    std::vector<uint64_t> addresses;
    addresses.reserve(pairs.size() / 2);
    for (size_t i = 0; i < pairs.size(); i += 2) addresses.push_back(pairs[i]);
    return addresses;
  }
  return absl::FailedPreconditionError(
      absl::StrCat(executable, " was built without coverage: ./mmdiff kernel build --coverage"));
}

}  // namespace mmdiff
