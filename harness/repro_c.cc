// The program as a C program of system calls.
#include <string>
#include <vector>

#include "harness/handle_labels.h"
#include "harness/repro.h"
#include "harness/repro_runtime.h"
#include "program/words.h"

namespace mmdiff {
namespace {

// How many handles of a kind the program binds.
uint32_t Bound(const Program& program, ArgKind kind) {
  return HandleCounts::Of(program, program.ops.size())[kind];
}

std::string Quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

std::string Comment(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    // Neither end the comment nor seem to start another, nor make a trigraph.
    if ((text[i] == '/' || text[i] == '*' || text[i] == '?') && !out.empty() &&
        (out.back() == '*' || out.back() == '/' || out.back() == '?')) {
      out += ' ';
    }
    out += text[i] == '\n' ? ' ' : text[i];
  }
  return Concat("/* ", out, " */");
}

void AppendOps(const Program& program, std::string* out) {
  HandleLabels labels;
  HandleCounts counts;
  for (size_t i = 0; i < program.ops.size(); ++i) {
    const Op& op = program.ops[i];
    const std::string text = labels.Print(op);
    const uint32_t handle = counts.Add(op);
    const SyscallForm form = SyscallFormOf(op.code);
    if (!form.has) {
      Append(out, "    ", Comment(Concat(i, ": ", text, ": ", form.text)), "\n");
      continue;
    }
    Append(out, "    {", i, ", OP_", DescOf(op.code).name, ", ", static_cast<uint32_t>(op.cpu),
           ", ", handle, ", {");
    for (size_t a = 0; a < kMaxArgs; ++a) Append(out, a == 0 ? "" : ", ", op.arg[a]);
    Append(out, "}, ", Quoted(text), "},\n");
  }
}

std::string OrdersText(const World& world) {
  std::string out;
  for (uint32_t order = 0; order < 32; ++order) {
    if ((world.orders >> order & 1) != 0) Append(&out, out.empty() ? "" : ", ", 4u << order, " kB");
  }
  return out;
}

}  // namespace

SyscallForm SyscallFormOf(Opcode code) {
  switch (code) {
    case Opcode::mm:
      return {true, "a new process"};
    case Opcode::fork:
      return {true, "fork"};
    case Opcode::exit:
      return {true, "_exit"};
    case Opcode::file:
      return {true, "a temporary file"};
    case Opcode::map:
      return {true, "mmap"};
    case Opcode::unmap:
      return {true, "munmap"};
    case Opcode::protect:
      return {true, "mprotect"};
    case Opcode::read:
      return {true, "loads"};
    case Opcode::write:
      return {true, "stores"};
    case Opcode::dontneed:
      return {true, "madvise(MADV_DONTNEED)"};
    case Opcode::free:
      return {true, "madvise(MADV_FREE)"};
    case Opcode::cold:
      return {true, "madvise(MADV_COLD)"};
    case Opcode::pageout:
      return {true, "madvise(MADV_PAGEOUT)"};
    case Opcode::dontfork:
      return {true, "madvise(MADV_DONTFORK)"};
    case Opcode::dofork:
      return {true, "madvise(MADV_DOFORK)"};
    case Opcode::lock:
      return {true, "mlock"};
    case Opcode::lock_onfault:
      return {true, "mlock2(MLOCK_ONFAULT)"};
    case Opcode::unlock:
      return {true, "munlock"};
    case Opcode::migrate:
      return {true, "move_pages"};
    case Opcode::mark_accessed:
      return {false, "needs two read() calls on the file, or kernel code"};
    case Opcode::drain:
      return {false,
              "the kernel drains a CPU's batches by itself; needs kernel code to do it here"};
    case Opcode::drain_all:
      return {false, "writing 1 to /proc/sys/vm/compact_memory drains all CPUs, and compacts too"};
    case Opcode::isolate:
    case Opcode::putback:
      return {false, "isolation lasts only inside reclaim or migration; needs kernel code"};
    case Opcode::referenced:
      return {false, "happens inside reclaim: memory.reclaim of a cgroup comes near"};
    case Opcode::swap_add:
    case Opcode::try_to_unmap:
    case Opcode::remove_mapping:
      return {false, "a phase of reclaim; needs kernel code to stop there"};
    case Opcode::reclaim:
      return {false, "memory.reclaim of a cgroup comes near, but picks its own folios"};
    case Opcode::migrate_begin:
    case Opcode::migrate_end:
    case Opcode::migrate_abort:
      return {false, "a phase of migration; needs kernel code to stop there"};
    case Opcode::split:
      return {false, "write '<pid>,<start>,<end>' to debugfs split_huge_pages"};
    case Opcode::pin:
      return {false, "needs io_uring fixed buffers (long-term write pins) or the gup_test module"};
    case Opcode::unpin:
    case Opcode::unpin_dirty:
    case Opcode::pin_read:
    case Opcode::pin_write:
      return {false, "needs the pin above"};
    case Opcode::unshare:
      return {false, "needs a read pin (gup_test) of the range"};
    case Opcode::zap_begin:
    case Opcode::zap_finish:
      return {false, "needs kernel code to stop inside MADV_DONTNEED"};
    case Opcode::flush:
    case Opcode::flush_batched:
      return {false, "a TLB flush alone needs kernel code"};
    case Opcode::check:
      return {false, "compares the implementations; nothing to do here"};
  }
  return {false, "unknown"};
}

std::string ToC(const Program& program, const ReproInfo& info) {
  std::string out =
      "/* The program of a finding as system calls; prints results and page tables.\n";
  Append(&out, " * Build: gcc -Wall -Wextra -o repro repro.c\n",
         " * The world had anonymous folios of ", OrdersText(program.world),
         " (see hugepages-*kB/enabled in\n",
         " * /sys/kernel/mm/transparent_hugepage) and a memlock limit of ", program.world.memlock,
         " pages.\n */\n");
  if (!info.signature.empty()) Append(&out, Comment(info.signature), "\n");
  if (!info.summary.empty()) Append(&out, Comment(info.summary), "\n");
  Append(&out, kReproHead);
  Append(&out, "#define ARENA ", program.world.arena(), "ul\n");
  Append(&out, "#define MEMLOCK ", program.world.memlock, "ul\n");
  // Arrays may not be empty, so there is always one element more than there are handles.
  Append(&out, "#define MMS ", Bound(program, ArgKind::kMm) + 1, "\n");
  Append(&out, "#define FILES ", Bound(program, ArgKind::kFile) + 1, "\n\n");
  Append(&out, "static const struct op ops[] = {\n");
  AppendOps(program, &out);
  Append(&out, "    {0, OP_end, 0, 0, {0, 0, 0, 0, 0, 0}, \"\"},\n};\n");
  Append(&out, kReproServer, kReproMain);
  return out;
}

}  // namespace mmdiff
