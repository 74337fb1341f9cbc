#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <utility>

#include "absl/types/span.h"
#include "bench/cases.h"
#include "bench/programs.h"
#include "harness/lockstep.h"
#include "program/binary.h"
#include "program/generate.h"
#include "program/mutate.h"
#include "program/mutate_bytes.h"
#include "program/text.h"
#include "state/compare.h"
#include "state/digest.h"

namespace mmdiff {
namespace {

constexpr size_t kPrograms = 500;
constexpr size_t kOps = 32;

// Every case of this file works on the same programs.
struct Inputs {
  std::vector<Program> programs = GeneratedPrograms(kPrograms, kOps);
  std::vector<std::vector<uint8_t>> encoded;
  std::vector<std::string> text;
  size_t ops = 0;

  Inputs() : ops(OpsOf(programs)) {
    for (const Program& program : programs) {
      encoded.push_back(Encode(program));
      text.push_back(PrintText(program));
    }
  }
};

BenchCase OfOps(const char* name, std::function<uint64_t()> run) {
  return {name, "operations/s", "lockstep/generated", std::move(run)};
}

void AddLanguage(const std::shared_ptr<Inputs>& in, std::vector<BenchCase>* cases) {
  // What an engine pays for an empty target: bytes become a program, and that is all.
  auto decoded = std::make_shared<Program>();
  cases->push_back(OfOps("language/decode", [=] {
    for (const auto& bytes : in->encoded) DecodeInto(absl::MakeConstSpan(bytes), decoded.get());
    return in->ops;
  }));
  cases->push_back(OfOps("language/encode", [=] {
    std::array<uint8_t, 16384> out;
    uint64_t written = 0;
    for (const Program& program : in->programs) {
      written += EncodeInto(program, out.data(), out.size());
    }
    return written != 0 ? in->ops : 0;
  }));
  auto seed = std::make_shared<uint64_t>(0);
  cases->push_back(OfOps("language/generate", [=] {
    uint64_t ops = 0;
    GenerateOptions options;
    options.ops = kOps;
    for (size_t i = 0; i < kPrograms; ++i) ops += Generate(++*seed, options).ops.size();
    return ops;
  }));
  auto rnd = std::make_shared<Random>(1);
  cases->push_back({"language/mutate", "programs/s", "", [=] {
                      for (const Program& program : in->programs) {
                        *decoded = program;
                        Mutate(decoded.get(), rnd.get());
                      }
                      return static_cast<uint64_t>(in->programs.size());
                    }});
  // With decoding before and encoding after, as the engines call it.
  auto buffer = std::make_shared<std::array<uint8_t, 16384>>();
  cases->push_back({"language/mutate_bytes", "programs/s", "", [=] {
                      for (const auto& bytes : in->encoded) {
                        std::copy(bytes.begin(), bytes.end(), buffer->begin());
                        MutateBytes(buffer->data(), bytes.size(), buffer->size(), rnd->Next());
                      }
                      return static_cast<uint64_t>(in->encoded.size());
                    }});
  cases->push_back(OfOps("language/print_text", [=] {
    uint64_t written = 0;
    for (const Program& program : in->programs) written += PrintText(program).size();
    return written != 0 ? in->ops : 0;
  }));
  cases->push_back(OfOps("language/parse_text", [=] {
    for (const std::string& text : in->text) {
      if (!ParseText(text).ok()) std::abort();
    }
    return in->ops;
  }));
}

// Snapshots of both sides at the end of each program.
struct Ends {
  std::vector<State> a, b;
  size_t records = 0;
};

std::shared_ptr<Ends> EndStates(const Inputs& in) {
  auto ends = std::make_shared<Ends>();
  const std::unique_ptr<Lockstep> lockstep = NewLockstep("reference,model");
  RunResult result;
  for (const Program& program : in.programs) {
    lockstep->Run(program, {}, &result);
    State s;
    lockstep->reference(0)->Snapshot(&s);
    ends->a.push_back(s);
    ends->records +=
        s.mms.size() + s.vmas.size() + s.ptes.size() + s.folios.size() + s.pages.size();
    lockstep->leader(0).Snapshot(&s);
    ends->b.push_back(s);
  }
  return ends;
}

void AddState(const Inputs& in, std::vector<BenchCase>* cases) {
  const std::shared_ptr<Ends> ends = EndStates(in);
  auto seen = std::make_shared<Digest>(0);
  cases->push_back({"state/digest_of_a_snapshot", "states/s", "", [=] {
                      for (const State& state : ends->a) *seen += DigestOf(state);
                      return static_cast<uint64_t>(ends->a.size());
                    }});
  cases->push_back({"state/equal_snapshots", "states/s", "", [=] {
                      uint64_t equal = 0;
                      for (size_t i = 0; i < ends->a.size(); ++i) equal += ends->a[i] == ends->b[i];
                      *seen += equal;
                      return static_cast<uint64_t>(ends->a.size());
                    }});
  auto scratch = std::make_shared<std::pair<State, State>>();
  auto compare = std::make_shared<CompareResult>();
  cases->push_back({"state/canonicalize_and_compare", "states/s", "", [=] {
                      for (size_t i = 0; i < ends->a.size(); ++i) {
                        scratch->first = ends->a[i];
                        scratch->second = ends->b[i];
                        Canonicalize(&scratch->first);
                        Canonicalize(&scratch->second);
                        *seen += Compare(scratch->first, scratch->second, compare.get());
                      }
                      return static_cast<uint64_t>(ends->a.size());
                    }});
}

}  // namespace

std::vector<BenchCase> PartCases() {
  const auto in = std::make_shared<Inputs>();
  std::vector<BenchCase> cases;
  AddLanguage(in, &cases);
  AddState(*in, &cases);
  return cases;
}

}  // namespace mmdiff
