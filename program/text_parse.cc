// The parser of the text form; text.cc has the printer.
#include <algorithm>
#include <array>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "program/arg_kinds.h"
#include "program/edit.h"
#include "program/fixup.h"
#include "program/nearest_word.h"
#include "program/text.h"
#include "program/words.h"
#include "program/world.h"

namespace mmdiff {
namespace {

constexpr std::string_view kHeader = "# mmdiff 1";

// "map <mm m0> <vpn 0x40> ...", for messages.
std::string Usage(const OpDesc& desc) {
  std::string usage;
  if (desc.result != ArgKind::kNone) Append(&usage, DescOf(desc.result).form, " = ");
  usage += desc.name;
  for (size_t a = 0; a < desc.nargs; ++a) {
    const ArgKindDesc& kind = DescOf(desc.args[a].kind);
    Append(&usage, kind.has_default ? " [" : " <", desc.args[a].name, ": ", kind.form,
           kind.has_default ? "]" : ">");
  }
  return usage;
}

class Parser {
 public:
  Parser(std::string_view text, const ParseOptions& options) : text_(text), options_(options) {}

  absl::StatusOr<Program> Run() {
    if (text_.size() > kMaxTextBytes) {
      return Invalid(Where(text_), "the text has ", text_.size(), " bytes; at most ", kMaxTextBytes,
                     " are allowed; cut the program into several");
    }
    while (!text_.empty()) {
      std::string_view line = TakePart(&text_, '\n');
      ++line_number_;
      line_start_ = line.data();
      absl::Status status = line_number_ == 1 && !options_.snippet ? Header(line) : Line(line);
      if (!status.ok()) return status;
    }
    if (line_number_ == 0 && !options_.snippet) {
      return Invalid(Where(text_), "the text is empty; the first line must be '", kHeader, "'");
    }
    if (absl::Status status = Validate(program_); !status.ok()) return status;
    return std::move(program_);
  }

 private:
  // "file:3:8: ", the place of a part of the current line.
  std::string Where(std::string_view part) const {
    const size_t column =
        line_start_ == nullptr ? 1 : static_cast<size_t>(part.data() - line_start_) + 1;
    return Concat(options_.file_name, options_.file_name.empty() ? "" : ":",
                  std::max<uint32_t>(line_number_, 1), ":", column, ": ");
  }
  template <typename... Pieces>
  absl::Status Error(std::string_view word, const Pieces&... message) const {
    constexpr size_t kShown = 60;
    std::string shown(word.substr(0, kShown));
    for (char& c : shown) {
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
    }
    if (word.size() > kShown) shown += "...";
    return Invalid(Where(word), "'", shown, "': ", message...);
  }
  static std::string Message(const absl::Status& status) { return std::string(status.message()); }

  absl::Status Header(std::string_view line) {
    const std::string_view header = Trim(line);
    if (header == kHeader) return absl::OkStatus();
    if (header.substr(0, 8) == "# mmdiff") {
      return Error(header, "this version of the language is unknown; expected '", kHeader, "'");
    }
    return Error(header, "the first line must be '", kHeader, "'");
  }

  absl::Status Line(std::string_view line) {
    const size_t hash = line.find('#');
    std::string_view comment;
    if (hash != std::string_view::npos) {
      comment = line.substr(hash + 1);
      line = line.substr(0, hash);
    }
    std::string_view rest = line;
    std::string_view word = TakeWord(&rest);
    if (word.empty()) return CommentLine(comment);
    if (word == "world") {
      if (absl::Status status = WorldLine(word, rest); !status.ok()) return status;
    } else {
      if (absl::Status status = OpLine(word, rest); !status.ok()) return status;
      return ResultComment(comment);
    }
    return absl::OkStatus();
  }

  absl::Status WorldLine(std::string_view word, std::string_view rest) {
    if (seen_world_) return Error(word, "there is a world line already; remove one");
    if (!program_.ops.empty()) return Error(word, "the world line must come before all operations");
    seen_world_ = true;
    std::vector<std::string_view> seen;
    for (std::string_view field = TakeWord(&rest); !field.empty(); field = TakeWord(&rest)) {
      const std::string_view name = field.substr(0, field.find('='));
      if (std::find(seen.begin(), seen.end(), name) != seen.end()) {
        return Error(field, name, " is given twice");
      }
      seen.push_back(name);
      absl::Status status = ParseWorldField(field, &program_.world);
      if (!status.ok()) return Error(field, Message(status));
    }
    absl::Status status = CheckWorld(program_.world);
    return status.ok() ? status : Error(word, Message(status));
  }

  absl::Status CommentLine(std::string_view comment) {
    if (!comment.empty() && comment[0] == '?') {
      const std::string_view state = Trim(comment.substr(1));
      if (program_.ops.empty()) {
        return Error(comment, "a state expectation must follow an operation");
      }
      if (state.empty()) return Error(comment, "expected a state, such as '#? m0 0x40 present'");
      std::string text = Concat("? ", state);
      RenameLabels(&text, [&](ArgKind kind, uint32_t label) {
        const auto& labels = labels_[static_cast<size_t>(kind)];
        const auto found = labels.find(label);
        return found == labels.end() ? label : found->second;
      });
      return AddExpectation(state, std::move(text));
    }
    if (Trim(comment).substr(0, 2) == "=>") {
      return Error(Trim(comment), "write the expected result on the line of its operation");
    }
    return absl::OkStatus();
  }

  absl::Status ResultComment(std::string_view comment) {
    bool seen = false;
    while (!comment.empty()) {
      const std::string_view text = Trim(TakePart(&comment, '#'));
      if (!text.empty() && text[0] == '?') {
        return Error(text, "write the expected state on a line of its own, after the operation");
      }
      if (text.substr(0, 2) != "=>") continue;
      if (seen) return Error(text, "an operation has one result; remove one of the two");
      seen = true;
      auto canonical = CanonicalResult(text);
      if (!canonical.ok()) return Error(text, Message(canonical.status()));
      absl::Status status = AddExpectation(text, *std::move(canonical));
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

  absl::Status AddExpectation(std::string_view word, std::string text) {
    for (const char c : text) {
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
        return Error(word, "there is a control character in it; remove it");
      }
    }
    Expectation expectation;
    expectation.op_index = static_cast<uint32_t>(program_.ops.size() - 1);
    expectation.line = line_number_;
    expectation.text = std::move(text);
    program_.expectations.push_back(std::move(expectation));
    return absl::OkStatus();
  }

  absl::Status OpLine(std::string_view word, std::string_view rest) {
    if (program_.ops.size() == kMaxOps) {
      return Error(word, "a program has at most ", kMaxOps, " operations; cut it into several");
    }
    std::string_view label;
    std::string_view after = rest;
    if (TakeWord(&after) == "=") {
      label = word;
      rest = after;
      word = TakeWord(&rest);
      if (word.empty()) return Error(label, "expected an operation after '='");
    }
    const OpDesc* desc = FindOp(word);
    if (desc == nullptr) {
      std::vector<std::string_view> known;
      for (const OpDesc& d : AllOps()) known.push_back(d.name);
      return Error(word, "unknown operation", DidYouMean(word, known),
                   "; `mmdiff list ops` shows all");
    }
    Op op;
    op.code = desc->code;
    if (absl::Status status = Args(*desc, word, &rest, &op); !status.ok()) return status;
    if (absl::Status status = Attributes(*desc, &rest, &op); !status.ok()) return status;
    if (absl::Status status = Bind(*desc, label); !status.ok()) return status;
    program_.ops.push_back(op);
    return absl::OkStatus();
  }

  static const OpDesc* FindOp(std::string_view name) {
    for (const OpDesc& desc : AllOps()) {
      if (name == desc.name) return &desc;
    }
    return nullptr;
  }

  absl::Status Args(const OpDesc& desc, std::string_view name, std::string_view* rest, Op* op) {
    for (size_t a = 0; a < desc.nargs; ++a) {
      const ArgKindDesc& kind = DescOf(desc.args[a].kind);
      std::string_view after = *rest;
      const std::string_view word = TakeWord(&after);
      if (word.empty() || word[0] == '@') {
        if (!kind.has_default) {
          return Error(name, "argument '", desc.args[a].name, "' is missing; expected ",
                       Usage(desc));
        }
        op->arg[a] = kind.default_value;
        continue;
      }
      *rest = after;
      absl::StatusOr<uint32_t> value = ParseArg(kind.kind, word);
      if (!value.ok()) {
        return Error(word, "argument '", desc.args[a].name, "' of ", desc.name, ": ",
                     Message(value.status()));
      }
      op->arg[a] = *value;
      if (IsHandle(kind.kind) && !(kind.kind == ArgKind::kFile && *value == kNoFile)) {
        const auto& labels = labels_[static_cast<size_t>(kind.kind)];
        const auto found = labels.find(*value);
        if (found == labels.end()) return Unbound(word, kind.kind);
        op->arg[a] = found->second;
      }
      if (!ArgIsValid(kind.kind, op->arg[a], program_.world, bound_)) {
        return Error(word, "argument '", desc.args[a].name, "' of ", desc.name, ": expected ",
                     ArgExpected(kind.kind, program_.world, bound_));
      }
    }
    return absl::OkStatus();
  }

  absl::Status Attributes(const OpDesc& desc, std::string_view* rest, Op* op) {
    bool seen_cpu = false, seen_thread = false;
    for (std::string_view word = TakeWord(rest); !word.empty(); word = TakeWord(rest)) {
      if (word[0] != '@') return Error(word, "too many arguments; expected ", Usage(desc));
      const bool is_cpu = word.substr(0, 4) == "@cpu";
      const bool is_thread = !is_cpu && word.substr(0, 2) == "@t";
      uint32_t number = 0;
      if ((!is_cpu && !is_thread) || !ReadNumber(word.substr(is_cpu ? 4 : 2), &number)) {
        return Error(word, "expected an attribute: @cpu1 or @t1");
      }
      bool& seen = is_cpu ? seen_cpu : seen_thread;
      const uint32_t limit = is_cpu ? program_.world.cpus : kMaxThreads;
      if (seen) return Error(word, "this attribute is given twice");
      if (number >= limit) {
        return Error(word, "expected a number from 0 to ", limit - 1,
                     is_cpu ? "; the world line sets cpus" : "");
      }
      seen = true;
      (is_cpu ? op->cpu : op->thread) = static_cast<uint8_t>(number);
    }
    return absl::OkStatus();
  }

  // Gives the label to what the operation binds. Without a label it gets its own number.
  absl::Status Bind(const OpDesc& desc, std::string_view label) {
    if (desc.result == ArgKind::kNone) {
      if (label.empty()) return absl::OkStatus();
      return Error(label, desc.name, " binds nothing; remove '", label, " ='");
    }
    Op op;
    op.code = desc.code;
    const uint32_t index = bound_.Add(op);
    auto& labels = labels_[static_cast<size_t>(desc.result)];
    if (label.empty()) {
      labels.emplace(index, index);
      return absl::OkStatus();
    }
    const absl::StatusOr<uint32_t> number = ParseArg(desc.result, label);
    if (!number.ok() || (desc.result == ArgKind::kFile && *number == kNoFile)) {
      return Error(label, desc.name, " binds a handle such as ", ArgText(desc.result, 0), ": ",
                   DescOf(desc.result).doc);
    }
    if (!labels.emplace(*number, index).second) {
      return Error(label, "this handle is bound already; every handle is bound once");
    }
    return absl::OkStatus();
  }

  absl::Status Unbound(std::string_view word, ArgKind kind) const {
    std::vector<uint32_t> known;
    for (const auto& [label, index] : labels_[static_cast<size_t>(kind)]) known.push_back(label);
    std::sort(known.begin(), known.end());
    std::string binders, list;
    for (const OpDesc& desc : AllOps()) {
      if (desc.result == kind) Append(&binders, binders.empty() ? "" : " or ", desc.name);
    }
    for (size_t i = 0; i < known.size() && i < 8; ++i) {
      Append(&list, i == 0 ? "; bound so far: " : ", ", ArgText(kind, known[i]));
    }
    if (known.size() > 8) list += ", ...";
    return Error(word, "this handle is not bound before this line; bind it with ", binders,
                 list.empty() ? "; none is bound so far" : list);
  }

  std::string_view text_;
  const ParseOptions& options_;
  Program program_;
  uint32_t line_number_ = 0;
  const char* line_start_ = nullptr;
  bool seen_world_ = false;
  HandleCounts bound_;
  // Label in the text to handle index. Looked up only, except to list them in a message, sorted.
  std::array<std::unordered_map<uint32_t, uint32_t>, kHandleKinds> labels_;
};

}  // namespace

absl::StatusOr<Program> ParseText(std::string_view text, const ParseOptions& options) {
  return Parser(text, options).Run();
}

}  // namespace mmdiff
