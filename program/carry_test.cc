// Programs carried over to other table sizes: what stays, what moves, and what cannot be done.
#include "program/carry.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "program/fixup.h"
#include "program/generate.h"
#include "program/text.h"
#include "program/world.h"

namespace mmdiff {
namespace {

Program Parsed(const std::string& text) {
  absl::StatusOr<Program> program = ParseText(text);
  EXPECT_TRUE(program.ok()) << program.status().ToString() << "\n" << text;
  return program.ok() ? *program : Program();
}

// `body` in the world `from`, carried over to the world `to`; without the header, or the error.
std::string Carried(const std::string& body, const std::string& from = "world",
                    const std::string& to = "world table=512") {
  const World world = Parsed("# mmdiff 1\n" + to + "\n").world;
  const absl::StatusOr<Program> carried = Carry(Parsed("# mmdiff 1\n" + from + "\n" + body), world);
  if (!carried.ok()) return std::string(carried.status().message());
  const std::string text = PrintText(*carried);
  const std::string header = "# mmdiff 1\n" + PrintWorld(carried->world) + "\n";
  EXPECT_EQ(text.substr(0, header.size()), header);
  return text.substr(header.size());
}

struct Range {
  uint32_t first, end;
  uint32_t Crossed(uint32_t table) const { return (end - 1) / table - first / table; }
};
std::vector<Range> RangesOf(const Program& program) {
  std::vector<Range> ranges;
  for (const Op& op : program.ops) {
    const OpDesc& desc = DescOf(op.code);
    Range range{UINT32_MAX, 1};
    for (size_t a = 0; a < desc.nargs; ++a) {
      if (desc.args[a].kind == ArgKind::kVpn) range.first = op.arg[a];
      if (desc.args[a].kind == ArgKind::kNpages) range.end = std::max(op.arg[a], 1u);
    }
    if (range.first == UINT32_MAX) continue;
    range.end += range.first;
    ranges.push_back(range);
  }
  return ranges;
}
int Sign(uint32_t a, uint32_t b) { return a < b ? -1 : a > b; }

// Numbers of the ranges of each group that overlaps or touches.
std::vector<std::vector<size_t>> GroupsOf(const std::vector<Range>& ranges) {
  std::vector<size_t> order(ranges.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return ranges[a].first < ranges[b].first; });
  std::vector<std::vector<size_t>> groups;
  uint32_t end = 0;
  for (const size_t i : order) {
    if (groups.empty() || ranges[i].first > end) groups.emplace_back();
    groups.back().push_back(i);
    end = std::max(end, ranges[i].end);
  }
  return groups;
}

void ExpectSameShape(const Program& a, const Program& b, const std::string& where) {
  SCOPED_TRACE(where);
  const std::vector<Range> from = RangesOf(a), to = RangesOf(b);
  ASSERT_EQ(from.size(), to.size());
  const uint32_t modulus = std::min(a.world.table, b.world.table);
  for (size_t i = 0; i < from.size(); ++i) {
    ASSERT_EQ(from[i].end - from[i].first, to[i].end - to[i].first);
    ASSERT_EQ(from[i].first % modulus, to[i].first % modulus);
    ASSERT_EQ(from[i].end > a.world.arena(), to[i].end > b.world.arena());
    for (size_t j = 0; j < i; ++j) {
      ASSERT_EQ(Sign(from[i].first, from[j].first), Sign(to[i].first, to[j].first));
      ASSERT_EQ(Sign(from[i].first, from[j].end), Sign(to[i].first, to[j].end));
      ASSERT_EQ(Sign(from[i].end, from[j].first), Sign(to[i].end, to[j].first));
      ASSERT_EQ(Sign(from[i].end, from[j].end), Sign(to[i].end, to[j].end));
    }
  }
  for (const std::vector<size_t>& group : GroupsOf(from)) {
    // Of the boundaries that the group crosses, one is kept, with all the ranges that cross it.
    std::vector<uint32_t> crossing(a.world.arena() / a.world.table * 2 + 2);
    uint32_t first = UINT32_MAX, end = 0, kept = 0;
    for (const size_t i : group) {
      first = std::min(first, from[i].first);
      end = std::max(end, from[i].end);
      for (uint32_t b = from[i].first / a.world.table + 1; b * a.world.table < from[i].end; ++b)
        ++crossing[b];
      kept += to[i].Crossed(b.world.table) > 0;
      ASSERT_LE(to[i].Crossed(b.world.table), from[i].Crossed(a.world.table));
    }
    if (end > a.world.arena()) continue;
    ASSERT_GE(kept, *std::max_element(crossing.begin(), crossing.end()));
    if (Range{first, end}.Crossed(a.world.table) > 1) continue;
    for (const size_t i : group)
      ASSERT_EQ(from[i].Crossed(a.world.table), to[i].Crossed(b.world.table));
  }
}

TEST(Carry, GeneratedProgramsKeepTheirShapeAndComeBack) {
  for (const char* preset : {"small", "tiny", "tight", "wide", "plain"}) {
    for (uint64_t seed = 1; seed <= 300; ++seed) {
      GenerateOptions options;
      options.world = FindWorldPreset(preset)->world;
      options.ops = 24;
      const Program program = Generate(seed, options);
      const std::string where = preset + std::string(" ") + std::to_string(seed);
      const absl::StatusOr<Program> carried = CarryToTable(program, 512);
      ASSERT_TRUE(carried.ok()) << where << carried.status().ToString();
      Program fixed = *carried;
      Fixup(&fixed);
      ASSERT_EQ(fixed, *carried) << where;
      ExpectSameShape(program, *carried, where);
      const absl::StatusOr<Program> back = CarryToTable(*carried, program.world.table);
      ASSERT_TRUE(back.ok()) << where << back.status().ToString();
      ASSERT_EQ(*back, program) << where;
    }
  }
}

TEST(Carry, DistancesToTheNearestBoundaryStay) {
  // At the lower edge, at the upper edge, across a boundary, right after one.
  EXPECT_EQ(Carried("m0 = mm\n"
                    "map m0 0x3 4 rw\n"
                    "map m0 0x3c 4 rw\n"
                    "map m0 0x5e 4 rw\n"
                    "map m0 0x80 8 rw\n"),
            "m0 = mm\n"
            "map m0 0x3 4 rw\n"
            "map m0 0x3fc 4 rw\n"
            "map m0 0x5fe 4 rw\n"
            "map m0 0x800 8 rw\n");
}

TEST(Carry, WhatTouchesMovesTogether) {
  // The second range alone would go to the lower edge, the first alone to the upper.
  EXPECT_EQ(Carried("m0 = mm\n"
                    "m1 = mm\n"
                    "map m0 0x1c 4 rw\n"
                    "map m1 0x20 8 rw\n"
                    "read m0 0x28 0\n"
                    "map m1 0x2a 1 rw\n"),
            "m0 = mm\n"
            "m1 = mm\n"
            "map m0 0x1fc 4 rw\n"
            "map m1 0x200 8 rw\n"
            "read m0 0x208 0\n"
            "map m1 0x20a 1 rw\n");
}

TEST(Carry, OfSeveralBoundariesTheOneThatMostRangesCrossStays) {
  EXPECT_EQ(Carried("m0 = mm\n"
                    "map m0 0x10 96 rw\n"
                    "write m0 0x3f 2\n"),
            "m0 = mm\n"
            "map m0 0x3d0 96 rw\n"
            "write m0 0x3ff 2\n");
}

TEST(Carry, WhatRunsPastTheArenaStillDoes) {
  EXPECT_EQ(Carried("m0 = mm\n"
                    "map m0 0xfe 4 rw # => ENOMEM\n"
                    "map m0 0xf0 4 rw\n"
                    "unmap m0 0xff 1\n"),
            "m0 = mm\n"
            "map m0 0xffe 4 rw # => ENOMEM\n"
            "map m0 0xff0 4 rw\n"
            "unmap m0 0xfff 1\n");
}

TEST(Carry, ExpectationsMoveWithTheirPages) {
  EXPECT_EQ(Carried("f0 = file 8\n"
                    "m0 = mm\n"
                    "map m0 0x40 16 rw|shared f0 # => ok\n"
                    "write m0 0x41 1 # => ok 1\n"
                    "#? m0 0x41 present vma_start=0x40 !vma_end=96 content=0x400000041\n"
                    "#? m0 0x41   vma_end=80 offset=0x1\n"
                    "#? m0 rss_anon=65 total_vm=0x41\n"
                    "#? f0 1 content=0x400000041 refcount=0x41\n"
                    "#? f0 2 content=0xf000000000000002\n"
                    "#? swap 65 none\n"
                    "#? m0 0xffff none\n"),
            "f0 = file 8\n"
            "m0 = mm\n"
            "map m0 0x400 16 rw|shared f0 # => ok\n"
            "write m0 0x401 1 # => ok 1\n"
            "#? m0 0x401 present vma_start=0x400 !vma_end=1536 content=0x400000401\n"
            "#? m0 0x401   vma_end=1040 offset=0x1\n"
            "#? m0 rss_anon=65 total_vm=0x41\n"
            "#? f0 1 content=0x400000401 refcount=0x41\n"
            "#? f0 2 content=0xf000000000000002\n"
            "#? swap 65 none\n"
            "#? m0 0xffff none\n");
}

TEST(Carry, OnlyTheWorldChangesAtTheSameTableSize) {
  EXPECT_EQ(Carried("m0 = mm\nmap m0 0x13 4 rw @cpu1\n", "world", "world memlock=7"),
            "m0 = mm\nmap m0 0x13 4 rw @cpu1\n");
  EXPECT_NE(Carried("m0 = mm\nmap m0 0x13 4 rw @cpu1\n", "world", "world cpus=1")
                .find("cpu 1 does not exist"),
            std::string::npos);
}

TEST(Carry, TablesThatNobodyNamesAreLeftOutWhereTheArenaIsTooLarge) {
  // 1024 tables of 512 entries would be eight arenas.
  const Program program = Parsed(
      "# mmdiff 1\nworld tables=1024\n"
      "m0 = mm\nmap m0 0x3fe0 4 rw\nmap m0 0x401e 4 rw\nmap m0 0x7ffe 4 rw\nread m0 0x7ff0 1\n");
  const absl::StatusOr<Program> carried = CarryToTable(program, 512);
  ASSERT_TRUE(carried.ok()) << carried.status().ToString();
  EXPECT_EQ(carried->world.tables, 128u);
  ExpectSameShape(program, *carried, "renumbered");
  std::string many = "# mmdiff 1\nworld tables=1024\nm0 = mm\n";
  for (int i = 0; i < 200; ++i) many += "map m0 " + std::to_string(i * 160) + " 1 rw\n";
  const absl::StatusOr<Program> full = CarryToTable(Parsed(many), 512);
  ASSERT_FALSE(full.ok());
  EXPECT_EQ(full.status().message(),
            "the pages from 0x2800 to 0x2800 have no room in tables=128 of table=512; no arena has "
            "more, so name fewer tables in the program");
}

TEST(Carry, SmallTablesHaveNoRoomForEverything) {
  const std::string body = "m0 = mm\nmap m0 0x40 1 rw\nmap m0 0x64 1 rw\n";
  EXPECT_EQ(Carried(body, "world table=512", "world"), body);
  EXPECT_EQ(
      Carried("m0 = mm\nmap m0 0x0 1 rw\nmap m0 0x180 1 rw\n", "world table=512", "world"),
      "the pages from 0x180 to 0x180 have no room in tables of 32 pages; carry the program to "
      "larger ones");
}

TEST(Carry, GeometriesThatAreNoneAreRefused) {
  const Program program =
      Parsed("# mmdiff 1\nworld table=64 orders=0,6\nm0 = mm\nf0 = file 64 order=6\n");
  for (const uint32_t table : {0u, 4u, 48u, 1024u})
    EXPECT_FALSE(CarryToTable(program, table).ok()) << table;
  const absl::StatusOr<Program> small = CarryToTable(program, 16);
  ASSERT_TRUE(small.ok()) << small.status().ToString();
  EXPECT_EQ(PrintText(*small),
            "# mmdiff 1\nworld table=16 orders=0\nm0 = mm\nf0 = file 64 order=4\n");
}

}  // namespace
}  // namespace mmdiff
