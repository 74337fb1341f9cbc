// The text form: what the printer writes, what the parser takes, and how it says no.
#include "program/text.h"

#include <gtest/gtest.h>

#include <string>

#include "program/arg_kinds.h"
#include "program/dictionary.h"
#include "program/fixup.h"
#include "program/generate.h"
#include "program/world.h"

namespace mmdiff {
namespace {

constexpr char kHead[] = "# mmdiff 1\nworld\n";

// The canonical text of `body` after the header lines, or the error.
std::string Canonical(const std::string& body) {
  const auto program = ParseText(kHead + body);
  if (!program.ok()) return std::string(program.status().message());
  const std::string text = PrintText(*program);
  EXPECT_EQ(text.substr(0, sizeof(kHead) - 1), kHead);
  return text.substr(sizeof(kHead) - 1);
}
std::string ErrorOf(const std::string& text, const ParseOptions& options = {}) {
  return std::string(ParseText(text, options).status().message());
}

TEST(Text, CanonicalProgramsStayAsTheyAre) {
  const std::string text =
      "# mmdiff 1\n"
      "world cpus=4 orders=0,2,4,5\n"
      "m0 = mm\n"
      "f0 = file 64 order=4\n"
      "f1 = file 8\n"
      "map m0 0x40 16 rw\n"
      "map m0 0x60 16 none|shared|populate|locked|fixed|nohuge f0 3 @cpu1 # => ENOMEM 3\n"
      "map m0 0x0 1 r anon 7\n"
      "write m0 0x40 16 @cpu3 @t2 # => ok 16\n"
      "#? m0 0x40 present !write refcount=2\n"
      "#? m0 0x41 none\n"
      "m1 = fork m0\n"
      "protect m1 0x40 3 none\n"
      "i0 = isolate m0 0x40\n"
      "try_to_unmap i0\n"
      "try_to_unmap i0 ignore_mlock|batch_flush\n"
      "g0 = migrate_begin m0 0x40\n"
      "g1 = migrate_begin m0 0x40 node=1\n"
      "migrate_end g1 # => EBADF\n"
      "p0 = pin m0 0x40 4\n"
      "p1 = pin m0 0x40 4 write|longterm|get|fast\n"
      "z0 = zap_begin m1 0x0 256\n"
      "zap_finish z0\n"
      "drain @cpu2\n"
      "check\n";
  const auto program = ParseText(text);
  ASSERT_TRUE(program.ok()) << program.status();
  EXPECT_EQ(PrintText(*program), text);
  EXPECT_EQ(program->ops.size(), 21u);
  EXPECT_EQ(program->expectations.size(), 5u);
  EXPECT_EQ(program->expectations[1], (Expectation{6, 0, "=> ok 16"}));
  EXPECT_EQ(program->expectations[1].line, 9u);
  EXPECT_EQ(program->expectations[2].text, "? m0 0x40 present !write refcount=2");
  EXPECT_EQ(program->ops[4].arg[3],
            0u + kMapShared + kMapPopulate + kMapLocked + kMapFixed + kMapNoHuge);
  EXPECT_EQ(program->ops[3].arg[4], kNoFile);
}

TEST(Text, LooseInputBecomesCanonical) {
  EXPECT_EQ(Canonical("  m7=mm\n").substr(0, 4), "3:3:");  // '=' stands alone
  EXPECT_EQ(Canonical(" m7 = mm   # a comment\n\n\t# another\nm3 = fork m7\r\nwrite m3 0x10 0x4\n"),
            "m0 = mm\nm1 = fork m0\nwrite m1 0x10 4\n");
  EXPECT_EQ(Canonical("mm\nfork m0\nread m1 5 1"), "m0 = mm\nm1 = fork m0\nread m1 0x5 1\n");
  EXPECT_EQ(Canonical("mm\nmap m0 0x40 4 rw anon 0\npin m0 0x40 1 0\nread m0 0 1 @t1 @cpu1\n"),
            "m0 = mm\nmap m0 0x40 4 rw\np0 = pin m0 0x40 1\nread m0 0x0 1 @cpu1 @t1\n");
  EXPECT_EQ(Canonical("mm\nread m0 0 1 @cpu0 @t0 # note # =>   ok   0 # end\n"),
            "m0 = mm\nread m0 0x0 1 # => ok 0\n");
  EXPECT_EQ(Canonical("m9 = mm\n#?   m9 0x40 none m1  \n"), "m0 = mm\n#? m0 0x40 none m1\n");
}

TEST(Text, AnOperationPrintsAlone) {
  const auto program =
      ParseText("m0 = mm\nm1 = fork m0 @cpu1\n", {.file_name = "", .snippet = true});
  ASSERT_TRUE(program.ok()) << program.status();
  EXPECT_EQ(PrintOpAt(*program, 1), "m1 = fork m0 @cpu1");
  EXPECT_EQ(PrintOp(program->ops[1], 5), "m5 = fork m0 @cpu1");
}

TEST(Text, GeneratedProgramsSurviveTheRoundTrip) {
  for (const WorldPreset& preset : WorldPresets()) {
    for (uint64_t seed = 0; seed < 200; ++seed) {
      const Program program =
          Generate(seed, {.world = preset.world, .ops = 64, .fragment_percent = 10});
      const auto parsed = ParseText(PrintText(program));
      ASSERT_TRUE(parsed.ok()) << parsed.status() << "\n" << PrintText(program);
      ASSERT_EQ(*parsed, program);
    }
  }
}

struct Golden {
  const char* body;
  const char* message;
};

TEST(Text, ErrorsSayWhereWhatAndHow) {
  const Golden goldens[] = {
      {"m0 = mm\nwirte m0 0x40 1\n",
       "4:1: 'wirte': unknown operation; did you mean 'write'?; `mmdiff list ops` shows all"},
      {"write m0 0x40 1\n",
       "3:7: 'm0': this handle is not bound before this line; bind it with mm or fork; none is "
       "bound "
       "so far"},
      {"m4 = mm\nm2 = mm\nexit m0\n",
       "5:6: 'm0': this handle is not bound before this line; bind it with mm or fork; bound so "
       "far: "
       "m2, m4"},
      {"mm\nwrite 0x40 1\n",
       "4:7: '0x40': argument 'mm' of write: expected m0: a process, bound by mm or fork"},
      {"mm\nwrite m0 0x40\n",
       "4:1: 'write': argument 'npages' is missing; expected write <mm: m0> <vpn: 0x40> <npages: "
       "16>"},
      {"mm\nwrite m0 0x40 1 2\n",
       "4:17: '2': too many arguments; expected write <mm: m0> <vpn: 0x40> <npages: 16>"},
      {"mm\nread m0 0x100 1\n",
       "4:9: '0x100': argument 'vpn' of read: expected a page number from 0 to 0xff, because the "
       "arena has 256 pages"},
      {"mm\nread m0 -1 1\n",
       "4:9: '-1': argument 'vpn' of read: expected a virtual page number of the process's arena, "
       "such as 0x40"},
      {"mm\nmap m0 0 1 rw|shraed\n",
       "4:12: 'rw|shraed': argument 'flags' of map: 'shraed' is no flag of "
       "rw|shared|populate|locked|fixed|nohuge; did you mean 'shared'?"},
      {"mm\nmap m0 0 1 shared\n",
       "4:12: 'shared': argument 'flags' of map: expected none, r or rw first, then flags: "
       "rw|shared|populate|locked|fixed|nohuge"},
      {"mm\nmap m0 0 1 rw|fixed|fixed\n",
       "4:12: 'rw|fixed|fixed': argument 'flags' of map: flag 'fixed' is given twice"},
      {"mm\nmap m0 0 1 rw|\n", "4:12: 'rw|': argument 'flags' of map: remove the '|' at the end"},
      {"mm\nprotect m0 0 1 w\n",
       "4:16: 'w': argument 'prot' of protect: expected a protection: none, r or rw (write implies "
       "read, so say rw)"},
      {"file 8 4\n",
       "3:8: '4': argument 'order' of file: expected order= and a number, such as order=1"},
      {"file 8 order=6\n",
       "3:8: 'order=6': argument 'order' of file: expected an order from 0 to 5, because a table "
       "has "
       "32 pages"},
      {"mm\nmigrate_begin m0 0 node=3\n",
       "4:20: 'node=3': argument 'node' of migrate_begin: expected a node from 0 to 2 (2 is one "
       "past "
       "the last, for ENODEV)"},
      {"mm @cpu2\n", "3:4: '@cpu2': expected a number from 0 to 1; the world line sets cpus"},
      {"mm @core1\n", "3:4: '@core1': expected an attribute: @cpu1 or @t1"},
      {"mm @t1 @t1\n", "3:8: '@t1': this attribute is given twice"},
      {"p0 = mm\n", "3:1: 'p0': mm binds a handle such as m0: a process, bound by mm or fork"},
      {"m0 = mm\nm0 = mm\n", "4:1: 'm0': this handle is bound already; every handle is bound once"},
      {"m0 = drain\n", "3:1: 'm0': drain binds nothing; remove 'm0 ='"},
      {"m0 =\n", "3:1: 'm0': expected an operation after '='"},
      {"mm # => ENOMEN\n",
       "3:6: '=> ENOMEN': expected '=> ok' or '=> ENOMEM', and then perhaps a number; did you mean "
       "'ENOMEM'?"},
      {"mm # => ok # => ok\n", "3:14: '=> ok': an operation has one result; remove one of the two"},
      {"mm\n# => ok\n", "4:3: '=> ok': write the expected result on the line of its operation"},
      {"mm #? x\n",
       "3:5: '? x': write the expected state on a line of its own, after the operation"},
      {"#? m0 0x40\n", "3:2: '? m0 0x40': a state expectation must follow an operation"},
      {"mm\n#?  \n", "4:2: '?  ': expected a state, such as '#? m0 0x40 present'"},
      {"mm\n#? a\x01z\n", "4:4: 'a?z': there is a control character in it; remove it"},
      {"world\n", "3:1: 'world': there is a world line already; remove one"},
  };
  for (const Golden& golden : goldens) {
    EXPECT_EQ(ErrorOf(std::string(kHead) + golden.body), golden.message) << golden.body;
  }
}

TEST(Text, ErrorsOfTheFirstLines) {
  EXPECT_EQ(ErrorOf(""), "1:1: the text is empty; the first line must be '# mmdiff 1'");
  EXPECT_EQ(ErrorOf("mm\n"), "1:1: 'mm': the first line must be '# mmdiff 1'");
  EXPECT_EQ(ErrorOf("# mmdiff 2\n"),
            "1:1: '# mmdiff 2': this version of the language is unknown; expected '# mmdiff 1'");
  EXPECT_EQ(ErrorOf("# mmdiff 1\nworld tabel=32\n", {.file_name = "a.mm"}),
            "a.mm:2:7: 'tabel=32': unknown field of the world; did you mean 'table'?");
  EXPECT_EQ(ErrorOf("# mmdiff 1\nworld table=33\n"),
            "2:1: 'world': table=33 is not a power of two; the next lower one is 32");
  EXPECT_EQ(
      ErrorOf("# mmdiff 1\nworld cpus=9\n"),
      "2:7: 'cpus=9': cpus takes a number from 1 to 8 (CPUs, each with its own TLB, LRU batches "
      "and mlock batch)");
  EXPECT_EQ(ErrorOf("# mmdiff 1\nworld cpus=2 cpus=3\n"), "2:14: 'cpus=3': cpus is given twice");
  EXPECT_EQ(ErrorOf("# mmdiff 1\nworld table=512 tables=200\n"),
            "2:1: 'world': table=512 tables=200 make an arena of 102400 pages; at most 65536 are "
            "allowed, so tables can be at most 128");
  EXPECT_EQ(ErrorOf("# mmdiff 1\nworld orders=2\n"),
            "2:1: 'world': orders must hold 0, because single pages always exist");
  EXPECT_EQ(
      ErrorOf("# mmdiff 1\nworld orders=0,6\n"),
      "2:1: 'world': orders=0,6: no folio is larger than one page table, so with table=32 the "
      "highest order is 5");
  EXPECT_EQ(
      ErrorOf("# mmdiff 1\nworld orders=0,x\n"),
      "2:7: 'orders=0,x': orders takes a list of numbers from 0 to 9 such as orders=0,2,4; 'x' "
      "is not one");
  EXPECT_EQ(ErrorOf("# mmdiff 1\nmm\nworld\n"),
            "3:1: 'world': the world line must come before all operations");
  EXPECT_EQ(ErrorOf("# mmdiff 1\nworld table\n"),
            "2:7: 'table': expected name=value, such as table=32");
}

TEST(Text, LimitsAreKept) {
  std::string many = kHead;
  for (size_t i = 0; i < kMaxOps; ++i) many += "mm\n";
  EXPECT_TRUE(ParseText(many).ok());
  many += "mm\n";
  EXPECT_EQ(ErrorOf(many),
            "16387:1: 'mm': a program has at most 16384 operations; cut it into several");
  EXPECT_EQ(ErrorOf(std::string(kMaxTextBytes + 1, ' ')),
            "1:1: the text has 4194305 bytes; at most 4194304 are allowed; cut the program into "
            "several");
}

TEST(Text, ResultsHaveOneForm) {
  EXPECT_EQ(ResultText(0, 0), "=> ok");
  EXPECT_EQ(ResultText(12, 3), "=> ENOMEM 3");
  int32_t err = -1;
  bool has_value = false;
  uint32_t value = 7;
  EXPECT_TRUE(ParseResultText("=> EAGAIN 2", &err, &has_value, &value));
  EXPECT_EQ(err, 11);
  EXPECT_TRUE(has_value);
  EXPECT_EQ(value, 2u);
  EXPECT_TRUE(ParseResultText("=> ok", &err, &has_value, &value));
  EXPECT_FALSE(has_value);
  EXPECT_FALSE(ParseResultText("=> ok 2 pages", &err, &has_value, &value));
  EXPECT_FALSE(ParseResultText("ok", &err, &has_value, &value));
}

TEST(World, PresetsAreValidAndPrintAndParseBack) {
  for (const WorldPreset& preset : WorldPresets()) {
    EXPECT_TRUE(CheckWorld(preset.world).ok()) << preset.name << CheckWorld(preset.world);
    EXPECT_EQ(FindWorldPreset(preset.name), &preset);
    const auto parsed = ParseText("# mmdiff 1\n" + PrintWorld(preset.world) + "\n");
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(parsed->world, preset.world);
  }
  EXPECT_EQ(FindWorldPreset("x86-64")->world.table, 512u);
  EXPECT_EQ(PrintWorld(World()), "world");
  EXPECT_EQ(FindWorldPreset("huge"), nullptr);
}

TEST(ArgKinds, EveryKindPrintsParsesAndShrinksToAnEnd) {
  Random rnd(5);
  World world;
  HandleCounts bound;
  bound.n.fill(9);
  ArgContext context(world);
  for (const ArgKindDesc& kind : AllArgKinds()) {
    for (int i = 0; i < 2000; ++i) {
      const uint32_t raw = static_cast<uint32_t>(rnd.Next() >> rnd.Between(32, 62));
      uint32_t value = FixupArg(kind.kind, raw, world, bound);
      ASSERT_TRUE(ArgIsValid(kind.kind, value, world, bound)) << kind.name << " " << value;
      const auto parsed = ParseArg(kind.kind, ArgText(kind.kind, value));
      ASSERT_TRUE(parsed.ok()) << parsed.status();
      ASSERT_EQ(*parsed, value) << kind.name;
      std::vector<uint32_t> candidates;
      ShrinkArg(kind.kind, value, world, &candidates);
      EXPECT_LE(candidates.size(), 20u);
      uint32_t before = 0;
      for (const uint32_t candidate : candidates) {
        ASSERT_TRUE(ArgIsValid(kind.kind, candidate, world, bound)) << kind.name << candidate;
        ASSERT_LT(ArgCost(kind.kind, candidate), ArgCost(kind.kind, value)) << kind.name;
        ASSERT_LE(before, ArgCost(kind.kind, candidate)) << "not the simplest first";
        before = ArgCost(kind.kind, candidate);
      }
    }
  }
  EXPECT_EQ(ArgText(ArgKind::kMapFlags, kMapAllFlags), "rw|shared|populate|locked|fixed|nohuge");
  EXPECT_EQ(ArgText(ArgKind::kGupFlags, 0), "0");
}

TEST(ArgKinds, ValuesMeetBoundaries) {
  // Of the page numbers made beside a mapping, many touch its ends and its tables' and folios'
  // edges.
  World world;
  ArgContext context(world);
  context.Note(Op{.code = Opcode::mm});
  context.Note(Op{.code = Opcode::map, .arg = {0, 0x34, 0x18, 3, kNoFile, 0}});
  Random rnd(6);
  int at_start = 0, at_end = 0, before = 0, past = 0;
  for (int i = 0; i < 4000; ++i) {
    const Op op = GenerateOp(Opcode::unmap, context, &rnd);
    at_start += op.arg[1] == 0x34;
    before += op.arg[1] < 0x34 && op.arg[1] + op.arg[2] > 0x34;
    at_end += op.arg[1] + op.arg[2] == 0x4c;
    past += op.arg[1] + op.arg[2] > world.arena();
  }
  EXPECT_GT(at_start, 800);
  EXPECT_GT(at_end, 400);
  EXPECT_GT(before, 10);
  EXPECT_GT(past, 10);
  EXPECT_LT(past, 200);
}

TEST(Dictionary, HoldsEveryOperationAndParsesAsOne) {
  const std::string dictionary = DictionaryText();
  for (const OpDesc& desc : AllOps()) {
    EXPECT_NE(dictionary.find(desc.name), std::string::npos) << desc.name;
  }
  EXPECT_NE(dictionary.find("\"m1 = fork \"\n"), std::string::npos);
  EXPECT_NE(dictionary.find("\"populate\"\n"), std::string::npos);
  EXPECT_NE(dictionary.find("\"faultaround=\"\n"), std::string::npos);
}

}  // namespace
}  // namespace mmdiff
