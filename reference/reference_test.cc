// The reference held against worked examples of the kernel's rules, against itself, and against
// leaders that decide what no kernel may. Numbers are the kernel's: page tables of 32 entries,
// folios of 4 and 16 pages.
#include "reference/reference.h"

#include <memory>
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "harness/lockstep.h"
#include "harness/op_handler.h"
#include "program/generate.h"
#include "program/text.h"

namespace mmdiff {
namespace {

Program Parse(const std::string& text) {
  auto program = ParseText(text, {.file_name = "", .snippet = true});
  EXPECT_TRUE(program.ok()) << program.status();
  return program.ok() ? *std::move(program) : Program{};
}

// Runs the reference alone; every expectation in the text must hold and every invariant too.
void Holds(const std::string& text) {
  Contestants contestants;
  contestants.leaders.push_back(MakeReference());
  Lockstep lockstep(std::move(contestants));
  RunOptions options = RunOptions::Thorough();
  options.check_expectations = true;
  RunResult result;
  EXPECT_EQ(lockstep.Run(Parse(text), options, &result), RunOutcome::ok) << result.message;
}

TEST(Reference, CountsOfASmallPageAreThoseOfItsHolders) {
  Holds(R"(
m0 = mm
map m0 0x40 1 rw
write m0 0x40 1
#? m0 0x40 present write dirty young exclusive refcount=2 mapcount=1 lru=none
drain
#? m0 0x40 refcount=1 lru=inactive_anon
m1 = fork m0
#? m0 0x40 !write !exclusive refcount=2 mapcount=2
#? m1 0x40 present !write dirty !young
p0 = pin m0 0x40 1 get
#? m0 0x40 refcount=3
)");
}

TEST(Reference, AnUnmappedPartOfALargeFolioMakesItPartiallyMapped) {
  Holds(R"(
m0 = mm
map m0 0x40 16 rw
write m0 0x40 1
#? m0 0x40 order=4 refcount=16 mapcount=16 !partially_mapped
unmap m0 0x44 4
#? m0 0x40 order=4 refcount=12 mapcount=12 partially_mapped
m1 = fork m0
#? m0 0x40 refcount=24 mapcount=24
)");
}

TEST(Reference, APinnedPageIsCopiedForTheChild) {
  Holds(R"(
m0 = mm
map m0 0x40 2 rw|nohuge|populate
p0 = pin m0 0x40 1 write|fast
m1 = fork m0
#? m0 0x40 write exclusive refcount=1025 mapcount=1
#? m1 0x40 present write dirty exclusive mapcount=1
#? m0 0x41 !write !exclusive mapcount=2
write m0 0x40 1
pin_read p0 # => ok 1
)");
}

TEST(Reference, TheLastOwnerReusesAPageAndSharersCopyIt) {
  Holds(R"(
m0 = mm
map m0 0x40 1 rw
write m0 0x40 1
drain
m1 = fork m0
write m0 0x40 1
#? m0 0x40 write exclusive mapcount=1 content=0x600000040
#? m1 0x40 !write mapcount=1 content=0x300000040
drain
write m1 0x40 1
#? m1 0x40 write exclusive refcount=1 lru=inactive_anon
)");
}

TEST(Reference, SwapKeepsExclusivityUntilAFork) {
  Holds(R"(
m0 = mm
map m0 0x40 1 rw
write m0 0x40 1
drain
pageout m0 0x40 1 # => ok 1
#? m0 0x40 swap exclusive
#? swap 0 count=1 !cached content=0x300000040
m1 = fork m0
#? m0 0x40 swap !exclusive
#? swap 0 count=2
read m1 0x40 1
#? m1 0x40 present !write !exclusive
#? swap 0 count=1 cached
)");
}

TEST(Reference, AWriteAfterMadvFreeSavesThePage) {
  Holds(R"(
m0 = mm
map m0 0x40 2 rw|nohuge
write m0 0x40 2
drain
free m0 0x40 2
drain
#? m0 0x40 !swapbacked lru=inactive_file !dirty
write m0 0x40 1
pageout m0 0x40 2 # => ok 1
#? m0 0x40 present swapbacked folio_dirty content=0x700000040
#? m0 0x41 none
)");
}

TEST(Reference, ProtectChangesWhatLiesBeforeAHole) {
  Holds(R"(
m0 = mm
map m0 0x40 2 rw|populate
map m0 0x44 2 rw|populate
protect m0 0x40 6 r # => ENOMEM 2
#? m0 0x40 present !write
#? m0 0x44 present write
)");
}

TEST(Reference, AMigrationKeepsExclusivityAndWriteAccess) {
  Holds(R"(
m0 = mm
map m0 0x40 1 rw
write m0 0x40 1
drain
g0 = migrate_begin m0 0x40 node=1
#? m0 0x40 migration
read m0 0x40 1 # => EAGAIN
migrate_end g0 # => ok 1
#? m0 0x40 present write exclusive node=1 refcount=2
)");
}

TEST(Reference, AForkDuringAMigrationSharesThePage) {
  Holds(R"(
m0 = mm
map m0 0x40 1 rw
write m0 0x40 1
drain
g0 = migrate_begin m0 0x40 node=1
m1 = fork m0
migrate_end g0 # => ok 2
#? m0 0x40 present !write !exclusive mapcount=2
)");
}

TEST(Reference, ALongtermPinFindsAPageInAnotherCpusBatch) {
  Holds(R"(
m0 = mm
map m0 0x40 1 rw
lock_onfault m0 0x40 1
write m0 0x40 1 @cpu1
p0 = pin m0 0x40 1 write|longterm # => ok 1
#? m0 0x40 present mapcount=1 mlocked zone=normal
)");
}

TEST(Reference, LimitsAndHolesHaveTheKernelsErrnos) {
  Holds(R"(
m0 = mm
map m0 0xf8 9 rw # => ENOMEM
map m0 0x40 0 rw # => EINVAL
map m0 0x40 4 rw
map m0 0x42 1 rw # => EEXIST
map m0 0x80 97 rw|locked # => EAGAIN
lock m0 0x40 8 # => ENOMEM 4
dontneed m0 0x40 4 # => EINVAL
unmap m0 0xff 2 # => EINVAL
write m0 0x60 1 # => EFAULT
exit m0
read m0 0x40 1 # => ESRCH
)");
}

// The digest kept as the state changes must be that of the whole state, after every operation.
TEST(Reference, DigestFollowsTheState) {
  Contestants contestants;
  contestants.leaders.push_back(MakeReference());
  Lockstep lockstep(std::move(contestants));
  RunResult result;
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    ASSERT_EQ(lockstep.Run(Generate(seed, GenerateOptions{}), RunOptions::Thorough(), &result),
              RunOutcome::ok)
        << "seed " << seed << ": " << result.message;
  }
}

// A leader that says something no kernel may do is refused with the reason.
class Refusal : public testing::Test {
 protected:
  Refusal() : reference_(MakeReference()) { reference_->Reset(World{}); }

  // Runs one line; `record` puts a leader's choice into the log first.
  template <typename Record>
  void Follow(Opcode code, std::initializer_list<uint32_t> args, Record record) {
    Op op;
    op.code = code;
    std::copy(args.begin(), args.end(), op.arg);
    log_->BeginOp();
    record(*log_);
    log_->BeginFollowing();
    OpContext ctx;
    ctx.op_index = next_++;
    ctx.choices = log_.get();
    reference_->Dispatch(op, ctx);
  }
  void Run(Opcode code, std::initializer_list<uint32_t> args) {
    Follow(code, args, [](ChoiceLog&) {});
    ASSERT_FALSE(log_->refused()) << log_->refused_why();
  }

  std::unique_ptr<Implementation> reference_;
  std::unique_ptr<ChoiceLog> log_ = std::make_unique<ChoiceLog>();
  uint32_t next_ = 0;
};

TEST_F(Refusal, OfAFolioThatDoesNotFit) {
  Run(Opcode::mm, {});
  Run(Opcode::map, {0, 0x41, 4, kMapRead | kMapWrite, kNoFile, 0});
  Follow(Opcode::write, {0, 0x41, 1},
         [](ChoiceLog& log) { log.Record(ChoiceKind::kFaultOrder, 2, 0x41); });
  ASSERT_TRUE(log_->refused());
  EXPECT_EQ(log_->refused_kind(), ChoiceKind::kFaultOrder);
}

TEST_F(Refusal, OfABatchWhoseWriteBitsDiffer) {
  Run(Opcode::mm, {});
  Run(Opcode::map, {0, 0x40, 4, kMapRead | kMapWrite, kNoFile, 0});
  Run(Opcode::write, {0, 0x40, 4});
  Run(Opcode::free, {0, 0x40, 4});
  Run(Opcode::drain, {});
  Run(Opcode::fork, {0});
  // The first page alone is written again, so it alone is writable (a copy), the rest is shared.
  Run(Opcode::dontneed, {0, 0x40, 1});
  Run(Opcode::isolate, {0, 0x41});
  Follow(Opcode::try_to_unmap, {0, 0},
         [](ChoiceLog& log) { log.Record(ChoiceKind::kVisit, 0, 0x41, 4); });
  ASSERT_TRUE(log_->refused());
  EXPECT_STREQ(log_->refused_why(), "the batch leaves the VMA, the page table or the folio");
}

TEST_F(Refusal, OfADrainThatLeavesTheFolioInABatch) {
  Run(Opcode::mm, {});
  Run(Opcode::map, {0, 0x40, 1, kMapRead | kMapWrite, kNoFile, 0});
  Run(Opcode::write, {0, 0x40, 1});
  Follow(Opcode::pin, {0, 0x40, 1, kGupWrite | kGupLongterm},
         [](ChoiceLog& log) { log.Record(ChoiceKind::kGupDrain, 0, 0x40); });
  ASSERT_TRUE(log_->refused());
  EXPECT_STREQ(log_->refused_why(), "a batch still holds the folio");
}

}  // namespace
}  // namespace mmdiff
