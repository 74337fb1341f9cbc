// A worker without a kernel, for the tests: serves the wire with the model, and fails on request.
//
// Started like a kernel (kernel/worker.h), or, with the argument "poll", as if it were a virtual
// machine, which neither wakes nor is woken. Arguments "fake=WHAT[@OP][,after=N|,every=N]" make it
// misbehave in operation OP of each program, but for the first N of the process, or for the last of
// each N:
//   abort, hang, exit, warn, leak   end as a kernel may end (warn prints a kernel's warning)
//   bad_page      print a report and go on
//   drift         answer another value: what a state that leaks looks like
//   unsupported   say that there is no such operation
//   renumber      count folios from 1000 on
//   coverage      count operations by their opcode, as if these were edges
//   noise         print more than anybody wants to keep
//   bad_choices, bad_state, short   break the rules of the wire
//   no_boot, bad_version            at the start
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "harness/implementation.h"
#include "kernel/launch.h"
#include "kernel/wire.h"
#include "kernel/wire_state.h"
#include "model/model.h"
#include "program/words.h"

namespace mmdiff {
namespace {

struct Misdeed {
  std::string what;
  uint32_t op = 0;
  uint64_t after = 0, every = 0;
};

Misdeed ReadMisdeed(std::string_view text) {
  Misdeed out;
  std::string_view head = TakePart(&text, ',');
  out.what = std::string(TakePart(&head, '@'));
  bool read = head.empty() || ReadNumber(head, &out.op);
  if (text.starts_with("after=")) read &= ReadNumber(text.substr(6), &out.after);
  if (text.starts_with("every=")) read &= ReadNumber(text.substr(6), &out.every);
  if (!read) std::_Exit(2);
  return out;
}

class FakeKernel {
 public:
  FakeKernel(mmdiff_wire* wire, Machine machine, Misdeed misdeed)
      : wire_(*wire),
        machine_(machine),
        misdeed_(std::move(misdeed)),
        model_(model::MakeModel("", &error_)) {}

  [[noreturn]] void Serve() {
    if (misdeed_.what == "no_boot") {
      std::fputs("Kernel panic - not syncing: no init\n", stderr);
      std::_Exit(3);
    }
    if (misdeed_.what == "bad_version") wire_.version = MMDIFF_WIRE_VERSION + 1;
    std::strcpy(wire_.release, "0-fake");
    std::strcpy(wire_.features, "fake");
    if (misdeed_.what == "coverage") wire_.coverage_bytes = kOpcodes;
    RaiseWord(machine_, &wire_.booted, 1);
    uint32_t done = 0;
    for (;;) {
      while (LoadWord(&wire_.request) == done) {
        if (machine_ == Machine::kQemu) {
          usleep(100);
        } else {
          syscall(SYS_futex, &wire_.request, FUTEX_WAIT, done, nullptr, nullptr, 0);
        }
      }
      done = LoadWord(&wire_.request);
      RunProgram();
      wire_.op_index = MMDIFF_WIRE_IDLE;
      ++programs_;
      RaiseWord(machine_, &wire_.reply, done);
      if (wire_.fate != MMDIFF_WIRE_OK) std::_Exit(1);
    }
  }

 private:
  bool Now(const char* what, uint32_t op) const {
    return misdeed_.what == what && misdeed_.op == op && programs_ >= misdeed_.after &&
           (misdeed_.every == 0 || (programs_ + 1) % misdeed_.every != 0);
  }

  void RunProgram() {
    World world;
    std::memcpy(static_cast<void*>(&world), &wire_.world, sizeof(world));
    model_->Reset(world);
    std::memset(wire_.coverage, 0, wire_.coverage_bytes);
    std::array<uint32_t, kArgKinds + 1> next_handle{};
    for (uint32_t i = 0; i < wire_.nops && wire_.fate == MMDIFF_WIRE_OK; ++i) {
      wire_.op_index = i;
      mmdiff_wire_result& r = wire_.results[i];
      std::memset(&r, 0, sizeof(r));
      r.state_at = MMDIFF_WIRE_IDLE;
      if (Now("unsupported", i)) {
        r.unsupported = 1;
        wire_.ops_run = i + 1;
        return;
      }
      Op op;
      std::memcpy(static_cast<void*>(&op), &wire_.ops[i], sizeof(op));
      OpContext context{.op_index = i,
                        .result_handle = next_handle[static_cast<size_t>(DescOf(op.code).result)]++,
                        .cpu = op.cpu,
                        .thread = op.thread,
                        .choices = &log_};
      log_.BeginOp();
      const OpResult result = model_->Dispatch(op, context);
      if (wire_.coverage_bytes != 0) ++wire_.coverage[wire_.ops[i].code];
      Misbehave(i);
      if (wire_.fate == MMDIFF_WIRE_REPORT) return;
      Write(i, result, &r);
      if (Now("short", i)) return;
      wire_.ops_run = i + 1;
    }
  }

  void Misbehave(uint32_t i) {
    if (Now("abort", i) || Now("coverage", i)) std::abort();
    if (Now("exit", i)) std::_Exit(7);
    if (Now("hang", i)) {
      for (;;) pause();
    }
    if (Now("warn", i)) {
      std::fputs(
          "------------[ cut here ]------------\n"
          "WARNING: CPU: 0 PID: 1 at mm/rmap.c:12 fake_add_rmap+0x1/0x2\n"
          "Kernel panic - not syncing: kernel: panic_on_warn set ...\n",
          stderr);
      wire_.fate = MMDIFF_WIRE_REPORT;
      wire_.fate_op = i;
    }
    if (Now("bad_page", i)) {
      std::fputs("BUG: Bad page state in process swapper  pfn:01234\n", stderr);
    }
    if (Now("leak", i)) {
      wire_.fate = MMDIFF_WIRE_LEAK;
      wire_.fate_op = i;
      std::strcpy(wire_.text, "3 pages are still\nallocated");
    }
    if (Now("noise", i)) {
      const std::string line(1023, 'x');
      for (int n = 0; n < 3000; ++n) std::fprintf(stderr, "%s\n", line.c_str());
      std::abort();
    }
  }

  void Write(uint32_t i, const OpResult& result, mmdiff_wire_result* r) {
    r->err = result.err;
    r->value = result.value + (Now("drift", i) ? 1 : 0);
    r->data = result.data;
    r->choices_from = wire_.choices_used;
    r->choices_n = static_cast<uint32_t>(log_.size());
    for (size_t c = 0; c < log_.size(); ++c) {
      const Choice& choice = log_.at(c);
      mmdiff_wire_choice& out = wire_.choices[wire_.choices_used++];
      out = {};
      out.kind = static_cast<uint8_t>(choice.kind);
      out.a = choice.a;
      out.b = choice.b;
      out.c = choice.c;
    }
    if (Now("bad_choices", i)) r->choices_from = MMDIFF_WIRE_CHOICES - 1, r->choices_n = 2;
    const bool renumber = misdeed_.what == "renumber";
    const bool snap = i >= wire_.snap_from;
    if (snap || renumber) {
      model_->Snapshot(&state_);
      if (renumber) Renumber();
    }
    r->digest = renumber ? DigestOf(state_) : model_->digest();
    if (!snap) return;
    const std::string text =
        (wire_.flags & MMDIFF_WIRE_INVARIANTS) != 0 ? model_->CheckInvariants() : "";
    r->state_at = AppendWireState(state_, text, &wire_);
    if (Now("bad_state", i)) r->state_at = MMDIFF_WIRE_STATE_BYTES - 8;
  }

  void Renumber() {
    const auto move = [](uint32_t* id) {
      if (*id != kNoFolio) *id += 1000;
    };
    for (FolioState& f : state_.folios) move(&f.id);
    for (PageState& p : state_.pages) move(&p.folio);
    for (PteState& p : state_.ptes) move(&p.folio);
    for (BatchState& b : state_.batches) move(&b.folio);
    for (TlbState& t : state_.tlbs) move(&t.folio);
  }

  mmdiff_wire& wire_;
  const Machine machine_;
  const Misdeed misdeed_;
  std::string error_;
  std::unique_ptr<Implementation> model_;
  ChoiceLog log_;
  State state_;
  uint64_t programs_ = 0;
};

}  // namespace
}  // namespace mmdiff

int main(int argc, char** argv) {
  int fd = -1;
  mmdiff::Machine machine = mmdiff::Machine::kProcess;
  mmdiff::Misdeed misdeed;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word.starts_with("mmdiff=") && !mmdiff::ReadNumber(word.substr(7), &fd)) return 2;
    if (word == "poll") machine = mmdiff::Machine::kQemu;
    if (word.starts_with("fake=")) misdeed = mmdiff::ReadMisdeed(word.substr(5));
  }
  void* memory = mmap(nullptr, sizeof(mmdiff_wire), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) {
    std::fputs("usage: kernel_fake_worker mmdiff=FD [fake=WHAT]; it is for the tests\n", stderr);
    return 2;
  }
  mmdiff::FakeKernel(static_cast<mmdiff_wire*>(memory), machine, misdeed).Serve();
}
