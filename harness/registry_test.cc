#include "harness/registry.h"

#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "program/generate.h"

namespace mmdiff {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(SplitSpecs, SwitchesBelongToTheSpecBeforeThem) {
  EXPECT_THAT(*SplitSpecs("reference,model,model:-a,-b,+c,model:-d"),
              ElementsAre("reference", "model", "model:-a,-b,+c", "model:-d"));
  EXPECT_THAT(*SplitSpecs(" reference , model "), ElementsAre("reference", "model"));
  EXPECT_THAT(*SplitSpecs("model"), ElementsAre("model"));
}

TEST(SplitSpecs, RefusesWhatMeansNothing) {
  EXPECT_THAT(SplitSpecs("").status().message(), HasSubstr("empty entry"));
  EXPECT_THAT(SplitSpecs("reference,,model").status().message(), HasSubstr("empty entry"));
  EXPECT_THAT(SplitSpecs("reference,model,").status().message(), HasSubstr("empty entry"));
  EXPECT_THAT(SplitSpecs("-a,model").status().message(), HasSubstr("follows no implementation"));
  EXPECT_THAT(SplitSpecs("model,-a").status().message(), HasSubstr("write 'model:-a'"));
}

TEST(MakeImplementation, MakesEveryKnownOne) {
  for (const KnownImplementation& known : KnownImplementations()) {
    EXPECT_FALSE(known.doc.empty());
    if (known.kernel) continue;
    auto impl = MakeImplementation(known.name);
    ASSERT_TRUE(impl.ok()) << impl.status();
    EXPECT_EQ((*impl)->info().name, known.name);
  }
}

TEST(MakeImplementation, FindsGuests) {
  const std::string cache = testing::TempDir() + "no-images";
  setenv("MMDIFF_KERNELS", cache.c_str(), 1);
  absl::Status s = MakeImplementation("guest").status();
  EXPECT_TRUE(absl::IsNotFound(s)) << s;
  EXPECT_THAT(s.message(), HasSubstr("'guest': "));
  EXPECT_THAT(s.message(), HasSubstr("./mmdiff guest fetch default"));
  EXPECT_THAT(MakeImplementation("guest:").status().message(), HasSubstr("write 'guest:6.18'"));
  unsetenv("MMDIFF_KERNELS");
  // What follows a guest and is an option belongs to it.
  EXPECT_THAT(SplitSpecs("reference,guest:/k,module=/m,cpus=1,guest:6.18,model").value(),
              ElementsAre("reference", "guest:/k,module=/m,cpus=1", "guest:6.18", "model"));
  EXPECT_EQ(StartupMs("reference,model,linux:7.2"), 0u);
  EXPECT_GT(StartupMs("reference,guest"), 0u);
}

TEST(MakeImplementation, FindsKernels) {
  const std::string cache = testing::TempDir() + "no-kernels";
  setenv("MMDIFF_KERNELS", cache.c_str(), 1);
  absl::Status s = MakeImplementation("linux").status();
  EXPECT_TRUE(absl::IsNotFound(s)) << s;
  EXPECT_THAT(s.message(), HasSubstr("'linux': "));
  EXPECT_THAT(s.message(), HasSubstr("./mmdiff kernel build"));
  EXPECT_THAT(MakeImplementation("linux:").status().message(), HasSubstr("write 'linux:7.2'"));
  // Any executable may be a kernel until it is started.
  auto impl = MakeImplementation("linux:/bin/true");
  ASSERT_TRUE(impl.ok()) << impl.status();
  EXPECT_EQ((*impl)->info().name, "linux:/bin/true");
  EXPECT_EQ((*impl)->info().demands, (WorldDemands{.table = 512}));
  EXPECT_FALSE((*impl)->info().is_reference);
  unsetenv("MMDIFF_KERNELS");
}

TEST(MakeImplementation, NamesWhatWasProbablyMeant) {
  EXPECT_THAT(MakeImplementation("modle").status().message(), HasSubstr("did you mean 'model'"));
  EXPECT_THAT(MakeImplementation("x").status().message(), HasSubstr("known are reference, model"));
  EXPECT_THAT(MakeImplementation("reference:-a").status().message(), HasSubstr("no switches"));
  EXPECT_THAT(MakeImplementation("model:").status().message(),
              HasSubstr("no switch after the colon"));
  EXPECT_THAT(MakeImplementation("model:-no_such_switch").status().message(),
              HasSubstr("no_such_switch"));
}

TEST(MakeImplementation, EverySwitchOfTheModelCanBeTurnedOff) {
  auto model = MakeImplementation("model");
  ASSERT_TRUE(model.ok());
  const std::vector<SwitchInfo> switches = (*model)->info().switches;
  EXPECT_FALSE(switches.empty());
  std::set<std::string> names;
  for (size_t i = 0; i < switches.size(); ++i) {
    EXPECT_TRUE(names.insert(switches[i].name).second) << switches[i].name << " twice";
    EXPECT_FALSE(switches[i].doc.empty()) << switches[i].name;
    auto off = MakeImplementation("model:-" + switches[i].name);
    ASSERT_TRUE(off.ok()) << off.status();
    const std::vector<SwitchInfo>& now = (*off)->info().switches;
    ASSERT_EQ(now.size(), switches.size());
    for (size_t j = 0; j < now.size(); ++j) {
      EXPECT_EQ(now[j].on, i == j ? false : switches[j].on) << now[j].name;
    }
  }
}

// Each switch off is still lawful, and each choice is one that some program takes: else it had no
// business to be there.
TEST(MakeAll, SwitchesOffAgreeWithTheReferenceAndTakeEveryChoice) {
  auto model = MakeImplementation("model");
  ASSERT_TRUE(model.ok());
  std::array<uint64_t, kChoiceKinds> uses{};
  for (const SwitchInfo& s : (*model)->info().switches) {
    auto all = MakeAll("reference,model:-" + s.name);
    ASSERT_TRUE(all.ok()) << all.status();
    Lockstep lockstep(*std::move(all));
    RunResult result;
    for (uint64_t seed = 1; seed <= 400; ++seed) {
      ASSERT_EQ(lockstep.Run(Generate(seed, GenerateOptions{}), RunOptions{}, &result),
                RunOutcome::ok)
          << "-" << s.name << ", seed " << seed << ": " << result.message;
    }
    const auto now = lockstep.ChoiceUses();
    for (size_t kind = 0; kind < kChoiceKinds; ++kind) uses[kind] += now[kind];
  }
  // The others are taken by kernels alone.
  for (size_t kind = 0; kind < static_cast<size_t>(ChoiceKind::kLruDrain); ++kind) {
    EXPECT_GT(uses[kind], 0u) << ChoiceName(static_cast<ChoiceKind>(kind)) << " is never taken";
  }
}

TEST(MakeAll, GivesEachLeaderItsOwnReference) {
  auto all = MakeAll("reference,model,model:-batch_unmap,-batch_zap");
  ASSERT_TRUE(all.ok()) << all.status();
  ASSERT_EQ(all->leaders.size(), 2u);
  ASSERT_EQ(all->references.size(), 2u);
  EXPECT_NE(all->references[0], all->references[1]);
  EXPECT_EQ(all->leaders[1]->info().name, "model:-batch_unmap,-batch_zap");
}

TEST(MakeAll, WorksWithoutAReferenceAndWithNothingElse) {
  auto models = MakeAll("model,model:-batch_unmap");
  ASSERT_TRUE(models.ok());
  EXPECT_EQ(models->leaders.size(), 2u);
  EXPECT_TRUE(models->references.empty());
  auto alone = MakeAll("reference");
  ASSERT_TRUE(alone.ok());
  EXPECT_EQ(alone->leaders.size(), 1u);
  EXPECT_TRUE(alone->references.empty());
  EXPECT_THAT(MakeAll("reference,reference,model").status().message(), HasSubstr("twice"));
}

}  // namespace
}  // namespace mmdiff
