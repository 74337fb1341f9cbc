// The tables in README.md and docs/*.md are what `mmdiff list` prints: a page holds <!-- table: ops
// --> ... <!-- end -->. MMDIFF_UPDATE_GOLDEN=1 in the environment writes them anew instead of
// comparing.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "cli/shell_for_test.h"
#include "nlohmann/json.hpp"

namespace mmdiff {
namespace {

constexpr char kBegin[] = "<!-- table: ";
constexpr char kAfterName[] = " -->\n";
constexpr char kEnd[] = "<!-- end -->";

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string Cell(const nlohmann::ordered_json& value) {
  std::string cell;
  for (const char c : value.is_string() ? value.get<std::string>() : value.dump()) {
    if (c == '|' || c == '<') cell += '\\';
    cell += c;
  }
  return cell;
}

std::string Markdown(const nlohmann::ordered_json& table) {
  std::string head;
  std::string rule;
  for (const auto& [key, value] : table.at(0).items()) {
    head += "| " + key + " ";
    rule += "|---";
  }
  std::string text = head + "|\n" + rule + "|\n";
  for (const auto& row : table) {
    for (const auto& [key, value] : row.items()) text += "| " + Cell(value) + " ";
    text += "|\n";
  }
  return text;
}

class DocTables : public ShellTest {
 protected:
  // The page with its tables as they should be.
  std::string WithTables(const std::string& page) {
    std::string out;
    size_t done = 0;
    for (size_t at = page.find(kBegin); at != std::string::npos; at = page.find(kBegin, done)) {
      const size_t name_at = at + sizeof(kBegin) - 1;
      const size_t name_end = page.find(kAfterName, name_at);
      const size_t end = page.find(kEnd, at);
      if (name_end == std::string::npos || end == std::string::npos || name_end > end) {
        ADD_FAILURE() << "no '" << kEnd << "' after " << page.substr(at, 40);
        return page;
      }
      const std::string name = page.substr(name_at, name_end - name_at);
      const ShellResult listed = Mmdiff("list " + name + " --json");
      const auto json = nlohmann::ordered_json::parse(listed.out, nullptr, false);
      if (listed.exit != 0 || !json.is_object() || !json.contains(name) || json[name].empty()) {
        ADD_FAILURE() << "mmdiff list " << name << " gives no table: " << listed.err;
        return page;
      }
      out += page.substr(done, name_end + sizeof(kAfterName) - 1 - done) + Markdown(json[name]);
      done = end;
      ++tables_;
    }
    return out + page.substr(done);
  }

  int tables_ = 0;
};

TEST_F(DocTables, AreWhatTheProgramLists) {
  const char* update = std::getenv("MMDIFF_UPDATE_GOLDEN");
  const std::string docs = std::string(MMDIFF_SOURCE_DIR) + "/docs";
  std::vector<std::string> pages = {std::string(MMDIFF_SOURCE_DIR) + "/README.md"};
  for (const auto& entry : std::filesystem::directory_iterator(docs)) {
    if (entry.path().extension() == ".md") pages.push_back(entry.path().string());
  }
  std::sort(pages.begin(), pages.end());
  for (const std::string& path : pages) {
    const std::string page = ReadFile(path);
    const std::string want = WithTables(page);
    if (want == page) continue;
    if (update != nullptr && std::string(update) == "1") {
      std::ofstream(path, std::ios::binary) << want;
      continue;
    }
    EXPECT_EQ(page, want) << path << ": a table differs from `mmdiff list`; write it anew with "
                          << "MMDIFF_UPDATE_GOLDEN=1 ctest -R DocTables";
  }
  EXPECT_GE(tables_, 9) << "the pages have lost their tables";
}

}  // namespace
}  // namespace mmdiff
