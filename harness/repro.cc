#include "harness/repro.h"

#include <string>

#include "program/text.h"
#include "program/words.h"

namespace mmdiff {
namespace {

// A line of a comment may not end it or start another.
std::string OneLine(std::string_view text) {
  std::string out(text.substr(0, text.find('\n')));
  while (!out.empty() && out.back() == '\\') out.pop_back();
  return out;
}

}  // namespace

std::string ToText(const Program& program, const ReproInfo& info) {
  std::string body = PrintText(program);
  std::string comments;
  if (!info.signature.empty()) Append(&comments, "# signature: ", OneLine(info.signature), "\n");
  if (!info.summary.empty()) Append(&comments, "# ", OneLine(info.summary), "\n");
  if (!info.specs.empty()) Append(&comments, "# implementations: ", OneLine(info.specs), "\n");
  // The first line says that this is a program, so comments come after it.
  body.insert(body.find('\n') + 1, comments);
  return body;
}

std::string ToGtest(const Program& program, const ReproInfo& info) {
  std::string out;
  if (!info.signature.empty()) Append(&out, "// ", OneLine(info.signature), "\n");
  if (!info.summary.empty()) Append(&out, "// ", OneLine(info.summary), "\n");
  Append(
      &out,
      R"text(// Fails as long as the implementations disagree. Link with mmdiff_registry and gtest_main.
#include <utility>

#include "gtest/gtest.h"
#include "harness/lockstep.h"
#include "harness/registry.h"
#include "program/text.h"

namespace {

constexpr char kProgram[] = R"mmdiff()text",
      PrintText(program), ")mmdiff\";\n\nTEST(MmdiffRepro, ", info.test_name, R"text() {
  auto program = mmdiff::ParseText(kProgram);
  ASSERT_TRUE(program.ok()) << program.status();
  auto contestants = mmdiff::MakeAll(")text",
      info.specs, R"text(");
  ASSERT_TRUE(contestants.ok()) << contestants.status();
  mmdiff::Lockstep lockstep(*std::move(contestants));
  mmdiff::RunOptions options = mmdiff::RunOptions::Thorough();
  options.check_expectations = true;
  mmdiff::RunResult result;
  lockstep.Run(*program, options, &result);
  EXPECT_EQ(result.outcome, mmdiff::RunOutcome::ok) << result.message;
}

}  // namespace
)text");
  return out;
}

}  // namespace mmdiff
