#include "harness/demanded_table.h"

#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "harness/fake_implementation.h"

namespace mmdiff {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class Demanding : public FakeImplementation {
 public:
  Demanding(const std::string& name, uint32_t table) : FakeImplementation(name) {
    info_ = FakeImplementation::info();
    info_.table = table;
  }
  const ImplInfo& info() const override { return info_; }

 private:
  ImplInfo info_;
};

Contestants Of(std::initializer_list<std::pair<const char*, uint32_t>> all) {
  Contestants contestants;
  for (const auto& [name, table] : all)
    contestants.leaders.push_back(std::make_unique<Demanding>(name, table));
  return contestants;
}

TEST(DemandedTable, IsWhatAnyImplementationDemands) {
  const auto none = TableDemandedBy(Of({{"a", 0}, {"b", 0}}));
  ASSERT_TRUE(none.ok());
  EXPECT_EQ(none->table, 0u);
  EXPECT_EQ(none->who, "");
  const auto one = TableDemandedBy(Of({{"a", 0}, {"b", 512}, {"c", 512}}));
  ASSERT_TRUE(one.ok());
  EXPECT_EQ(one->table, 512u);
  EXPECT_EQ(one->who, "b");
}

TEST(DemandedTable, TwoThatDifferCannotRunTogether) {
  EXPECT_THAT(TableDemandedBy(Of({{"a", 512}, {"b", 0}, {"c", 64}})).status().message(),
              AllOf(HasSubstr("a has page tables of 512"), HasSubstr("c of 64")));
}

}  // namespace
}  // namespace mmdiff
