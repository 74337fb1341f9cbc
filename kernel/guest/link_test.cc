#include <elf.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

extern "C" {
#include "kernel/guest/init/link.h"
}

namespace mmdiff {
namespace {

using testing::HasSubstr;
using testing::Not;

struct Symbol {
  const char* name;
  uint8_t bind;
  uint16_t section;
};

// A relocatable object that has a table of symbols and nothing else.
class Object {
 public:
  explicit Object(const std::vector<Symbol>& symbols) {
    std::string names(1, '\0');
    std::vector<Elf64_Sym> table(1);
    for (const Symbol& s : symbols) {
      Elf64_Sym symbol{};
      symbol.st_name = static_cast<uint32_t>(names.size());
      symbol.st_info = ELF64_ST_INFO(s.bind, STT_NOTYPE);
      symbol.st_shndx = s.section;
      table.push_back(symbol);
      names += s.name;
      names.push_back('\0');
    }
    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_type = ET_REL;
    header.e_shoff = sizeof(header);
    header.e_shnum = 2;
    Elf64_Shdr sections[2] = {};
    table_at_ = sizeof(header) + sizeof(sections);
    sections[0].sh_type = SHT_SYMTAB;
    sections[0].sh_offset = table_at_;
    sections[0].sh_size = table.size() * sizeof(Elf64_Sym);
    sections[0].sh_link = 1;
    sections[1].sh_type = SHT_STRTAB;
    sections[1].sh_offset = table_at_ + sections[0].sh_size;
    sections[1].sh_size = names.size();
    bytes_.append(reinterpret_cast<const char*>(&header), sizeof(header));
    bytes_.append(reinterpret_cast<const char*>(sections), sizeof(sections));
    bytes_.append(reinterpret_cast<const char*>(table.data()), sections[0].sh_size);
    bytes_ += names;
  }

  int Link(const std::string& kallsyms) {
    char lacking[256];
    const int result =
        link_module(bytes_.data(), bytes_.size(), kallsyms.c_str(), lacking, sizeof(lacking));
    lacking_ = lacking;
    return result;
  }
  Elf64_Sym At(size_t i) const {
    Elf64_Sym symbol;
    std::memcpy(&symbol, bytes_.data() + table_at_ + (i + 1) * sizeof(symbol), sizeof(symbol));
    return symbol;
  }
  std::string& bytes() { return bytes_; }
  const std::string& lacking() const { return lacking_; }

 private:
  std::string bytes_, lacking_;
  size_t table_at_ = 0;
};

constexpr char kKallsyms[] =
    "0000000000001000 A cpu_fbatches\n"
    "ffffffff81000010 T lru_add_drain\n"
    "ffffffff81000020 t pageout\n"
    "ffffffff81000030 t same_name\n"
    "ffffffff81000040 t same_name\n"
    "ffffffff81000050 t shadowed\n"
    "ffffffff81000060 T shadowed\n"
    "ffffffffc0000010 t of_a_module\t[zram]\n";

TEST(Link, UndefinedSymbolsBecomeAbsolute) {
  Object object({{"lru_add_drain", STB_GLOBAL, SHN_UNDEF},
                 {"pageout", STB_GLOBAL, SHN_UNDEF},
                 {"cpu_fbatches", STB_GLOBAL, SHN_UNDEF},
                 {"pageout_of_ours", STB_GLOBAL, 1}});
  EXPECT_EQ(object.Link(kKallsyms), 0) << object.lacking();
  EXPECT_EQ(object.At(0).st_shndx, SHN_ABS);
  EXPECT_EQ(object.At(0).st_value, 0xffffffff81000010u);
  EXPECT_EQ(object.At(1).st_value, 0xffffffff81000020u);
  EXPECT_EQ(object.At(2).st_value, 0x1000u);
  EXPECT_EQ(object.At(3).st_shndx, 1) << "what is defined stays";
}

TEST(Link, AGlobalSymbolBeatsAStaticOneOfItsName) {
  Object object({{"shadowed", STB_GLOBAL, SHN_UNDEF}});
  EXPECT_EQ(object.Link(kKallsyms), 0);
  EXPECT_EQ(object.At(0).st_value, 0xffffffff81000060u);
}

TEST(Link, WhatIsNotThereOnceIsNamed) {
  Object object({{"nowhere", STB_GLOBAL, SHN_UNDEF},
                 {"same_name", STB_GLOBAL, SHN_UNDEF},
                 {"of_a_module", STB_GLOBAL, SHN_UNDEF},
                 {"maybe", STB_WEAK, SHN_UNDEF}});
  EXPECT_EQ(object.Link(kKallsyms), -1);
  EXPECT_THAT(object.lacking(), HasSubstr(" nowhere"));
  EXPECT_THAT(object.lacking(), HasSubstr(" same_name"));
  EXPECT_THAT(object.lacking(), HasSubstr(" of_a_module"));
  EXPECT_THAT(object.lacking(), Not(HasSubstr("maybe")));
  EXPECT_EQ(object.At(3).st_shndx, SHN_UNDEF) << "a weak one may stay undefined";
}

TEST(Link, WhatIsNoObjectIsRefused) {
  Object object({{"lru_add_drain", STB_GLOBAL, SHN_UNDEF}});
  for (size_t cut = 0; cut < object.bytes().size(); cut += 8) {
    std::string part = object.bytes().substr(0, cut);
    char lacking[256];
    EXPECT_EQ(link_module(part.data(), part.size(), kKallsyms, lacking, sizeof(lacking)), -1)
        << cut;
  }
  object.bytes()[0] = 'x';
  EXPECT_EQ(object.Link(kKallsyms), -1);
  EXPECT_THAT(object.lacking(), HasSubstr("no relocatable ELF object"));
}

}  // namespace
}  // namespace mmdiff
