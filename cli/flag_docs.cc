#include "cli/flag_docs.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"

namespace mmdiff {
namespace {

// Words that may follow a verb, if they are a fixed few.
const char* FixedWords(Verb verb) {
  switch (verb) {
    case Verb::v_list:
      return "ops args impls switches relations choices worlds fragments expectations passes verbs "
             "flags commands";
    case Verb::v_corpus:
      return "stats distil merge seeds";
    case Verb::v_completion:
      return "bash zsh fish";
    case Verb::v_kernel:
      return "build list fetch remove doctor";
    case Verb::v_guest:
      return "fetch list remove";
    default:
      return "";
  }
}

std::vector<std::string> FlagsOf(Verb verb) {
  std::vector<std::string> flags;
  for (const FlagInfo& flag : AllFlags()) {
    if (flag.Has(verb)) flags.push_back(flag.flag);
  }
  flags.emplace_back("--help");
  return flags;
}

std::vector<std::string> VerbNames() {
  std::vector<std::string> names;
  for (const VerbInfo& verb : AllVerbs()) names.emplace_back(verb.name);
  return names;
}

std::string SingleQuoted(const std::string& text) {
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "'\\''"}}), "'");
}

std::string Bash() {
  std::string script =
      "# bash completion of mmdiff, printed by: mmdiff completion bash\n"
      "_mmdiff() {\n"
      "  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} verb= word "
      "flags= words=\n"
      "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
      "    case $word in -*) ;; *) verb=$word; break ;; esac\n"
      "  done\n"
      "  case $previous in\n"
      "    --impl) COMPREPLY=($(compgen -W 'reference,model reference model' -- \"$current\")); "
      "return ;;\n"
      "    --form) COMPREPLY=($(compgen -W 'text gtest c' -- \"$current\")); return ;;\n"
      "  esac\n"
      "  case $verb in\n";
  absl::StrAppend(&script, "    '') words='", absl::StrJoin(VerbNames(), " "),
                  " --help --version' ;;\n");
  for (const VerbInfo& verb : AllVerbs()) {
    absl::StrAppend(&script, "    ", verb.name, ") flags='", absl::StrJoin(FlagsOf(verb.verb), " "),
                    "' words='", FixedWords(verb.verb), "' ;;\n");
  }
  script +=
      "  esac\n"
      "  case $current in\n"
      "    -*) COMPREPLY=($(compgen -W \"$flags\" -- \"$current\")) ;;\n"
      "    *) if [[ -n $words ]]; then COMPREPLY=($(compgen -W \"$words\" -- \"$current\"));\n"
      "       else COMPREPLY=($(compgen -f -- \"$current\")); fi ;;\n"
      "  esac\n"
      "}\n"
      "complete -o filenames -F _mmdiff mmdiff ./mmdiff\n";
  return script;
}

std::string Zsh() {
  std::string script =
      "#compdef mmdiff\n"
      "# zsh completion of mmdiff, printed by: mmdiff completion zsh\n"
      "_mmdiff() {\n"
      "  local -a verbs\n"
      "  verbs=(\n";
  for (const VerbInfo& verb : AllVerbs()) {
    absl::StrAppend(&script, "    ", SingleQuoted(absl::StrCat(verb.name, ":", verb.doc)), "\n");
  }
  script +=
      "  )\n"
      "  if (( CURRENT == 2 )); then _describe verb verbs; return; fi\n"
      "  case $words[2] in\n";
  for (const VerbInfo& verb : AllVerbs()) {
    absl::StrAppend(&script, "    ", verb.name, ") _arguments");
    for (const FlagInfo& flag : AllFlags()) {
      if (!flag.Has(verb.verb)) continue;
      const std::string doc = absl::StrReplaceAll(flag.doc, {{"[", "("}, {"]", ")"}, {":", ";"}});
      const bool takes_value = std::string_view(flag.type) != "Switch";
      absl::StrAppend(
          &script, " \\\n      ",
          SingleQuoted(absl::StrCat(flag.flag, "[", doc, "]", takes_value ? ":value:" : "")));
    }
    const std::string words = FixedWords(verb.verb);
    absl::StrAppend(
        &script, " \\\n      ",
        SingleQuoted(words.empty() ? "*:file:_files" : absl::StrCat("*:word:(", words, ")")),
        " ;;\n");
  }
  script +=
      "  esac\n"
      "}\n"
      "_mmdiff \"$@\"\n";
  return script;
}

std::string Fish() {
  std::string script =
      "# fish completion of mmdiff, printed by: mmdiff completion fish\n"
      "complete -c mmdiff -n __fish_use_subcommand -f\n";
  for (const VerbInfo& verb : AllVerbs()) {
    absl::StrAppend(&script, "complete -c mmdiff -n __fish_use_subcommand -a ", verb.name, " -d ",
                    SingleQuoted(verb.doc), "\n");
    const std::string words = FixedWords(verb.verb);
    if (!words.empty()) {
      absl::StrAppend(&script, "complete -c mmdiff -n '__fish_seen_subcommand_from ", verb.name,
                      "' -f -a ", SingleQuoted(words), "\n");
    }
    for (const FlagInfo& flag : AllFlags()) {
      if (!flag.Has(verb.verb)) continue;
      const bool takes_value = std::string_view(flag.type) != "Switch";
      absl::StrAppend(&script, "complete -c mmdiff -n '__fish_seen_subcommand_from ", verb.name,
                      "' -l ", flag.flag.substr(2), takes_value ? " -r" : "", " -d ",
                      SingleQuoted(flag.doc), "\n");
    }
  }
  return script;
}

}  // namespace

std::vector<std::string> VerbsOf(const FlagInfo& flag) {
  std::vector<std::string> names;
  for (const VerbInfo& verb : AllVerbs()) {
    if (flag.Has(verb.verb)) names.emplace_back(verb.name);
  }
  return names;
}

std::string CommandsMarkdown() {
  std::string page =
      "# Commands\n\n"
      "Printed by `mmdiff list commands`, from the tables cli/verbs.def and cli/flags.def; a test "
      "compares.\n\n"
      "`./mmdiff VERB` in the source tree installs what is missing, builds what the verb needs and "
      "runs it.\n"
      "Exit codes: 0 ok; 1 a divergence, or a program that is not what it should be; 2 wrong "
      "arguments or\n"
      "input; 3 a fault of the harness or of its surroundings; 4 the budget is spent without the "
      "required\n"
      "coverage. `minimize` and `repro` give 0 when they have done their work. Every verb but "
      "`test` takes\n"
      "`--json` and then prints one JSON object; an error gives an object with `error` and "
      "`exit`.\n";
  for (const VerbInfo& verb : AllVerbs()) {
    const std::string arguments = *verb.arguments == '\0' ? "" : absl::StrCat(" ", verb.arguments);
    absl::StrAppend(&page, "\n## mmdiff ", verb.name, arguments, "\n\n", verb.doc, "\n");
    std::string rows;
    for (const FlagInfo& flag : AllFlags()) {
      if (!flag.Has(verb.verb)) continue;
      absl::StrAppend(&rows, "| `", flag.flag, "` | ",
                      flag.dflt.empty() ? "" : absl::StrCat("`", flag.dflt, "`"), " | ",
                      absl::StrReplaceAll(flag.doc, {{"|", "\\|"}}), " |\n");
    }
    if (!rows.empty())
      absl::StrAppend(&page, "\n| flag | default | meaning |\n|---|---|---|\n", rows);
  }
  return page;
}

absl::StatusOr<std::string> CompletionScript(std::string_view shell) {
  if (shell == "bash") return Bash();
  if (shell == "zsh") return Zsh();
  if (shell == "fish") return Fish();
  return absl::InvalidArgumentError(absl::StrCat("there is no completion for '", std::string(shell),
                                                 "'; there is one for bash, zsh and fish"));
}

}  // namespace mmdiff
