#include "program/dictionary.h"

#include <set>
#include <string_view>

#include "program/arg_kinds.h"
#include "program/errno.h"
#include "program/words.h"
#include "program/world.h"

namespace mmdiff {
namespace {

// The words that the text form of an argument kind is made of: "rw|shared" gives rw and shared.
void AddWords(std::string_view form, std::set<std::string>* words) {
  std::string word;
  for (const char c : form) {
    if (c == ' ' || c == '|') {
      if (!word.empty()) words->insert(word);
      word.clear();
    } else {
      word += c;
    }
  }
  if (!word.empty()) words->insert(word);
}

}  // namespace

std::string DictionaryText() {
  std::string out =
      "# Words of the language: operations, arguments, fields of the world, results.\n";
  std::set<std::string> words = {"# mmdiff 1\\x0a", "world ", " @cpu1", " @t1", " # => ok", "#? "};
  for (const OpDesc& desc : AllOps()) {
    std::string word;
    if (desc.result != ArgKind::kNone) {
      const char label[] = {DescOf(desc.result).prefix, '\0'};
      Append(&word, label, "1 = ");
    }
    Append(&word, desc.name, desc.nargs > 0 ? " " : "");
    words.insert(word);
  }
  for (const ArgKindDesc& kind : AllArgKinds()) AddWords(kind.form, &words);
  for (const WorldField& field : WorldFields()) words.insert(Concat(field.name, "="));
  words.insert("orders=0,2,4");
  for (const ErrnoName& e : AllErrnos()) words.insert(Concat(" # => ", e.name));
  for (const std::string& word : words) Append(&out, "\"", word, "\"\n");
  return out;
}

}  // namespace mmdiff
