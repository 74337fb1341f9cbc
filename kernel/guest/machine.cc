#include "kernel/guest/machine.h"

#include <cstdlib>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "kernel/build_record.h"
#include "kernel/launch.h"
#include "kernel/wire.h"

namespace mmdiff {
namespace {

constexpr char kQemu[] = "qemu-system-x86_64";

// What every guest's kernel is booted with.
constexpr const char* kCommandLine[] = {
    // The first report is the last: a warning, an oops or a bad page (taint 5) panics, and a panic
    // ends QEMU. Until init asks for warnings, only what is fatal is printed, for printing is slow.
    "console=ttyS0", "loglevel=1", "panic=-1", "oops=panic", "panic_on_warn=1",
    "panic_on_taint=0x20",
    // The same addresses and the same code each time.
    "nokaslr", "mitigations=off", "kptr_restrict=0", "init_on_alloc=0",
    // Half of each node is for what can be moved.
    "movablecore=50%",
    // A machine that gets no time for a while is no reason to report anything.
    "nowatchdog", "nohz=off", "tsc=reliable", "clocksource=tsc", "no_timer_check",
    // What there is no need to look for, or to wait for, at boot.
    "edd=off", "i8042.noaux", "i8042.nokbd", "i8042.nopnp", "8250.nr_uarts=1", "audit=0",
    "selinux=0", "apparmor=0", "lsm=", "random.trust_cpu=on", "rcupdate.rcu_expedited=1",
    "cryptomgr.notests", "initcall_blacklist=jent_mod_init,init_encrypted"};

}  // namespace

absl::StatusOr<std::string> FindQemu() {
  if (const char* qemu = std::getenv("MMDIFF_QEMU"); qemu != nullptr && *qemu != '\0') return qemu;
  const char* path = std::getenv("PATH");
  for (const absl::string_view directory : absl::StrSplit(path == nullptr ? "" : path, ':')) {
    std::string qemu = absl::StrCat(directory, "/", kQemu);
    if (!directory.empty() && IsExecutableFile(qemu)) return qemu;
  }
  return absl::NotFoundError(absl::StrCat(
      kQemu, " is not in PATH; as root: apt-get install --no-install-recommends qemu-system-x86"));
}

std::vector<std::string> QemuArguments(const GuestMachine& machine) {
  // Version 7.2 of QEMU emulates CMPXCHG16B wrongly, which kills kernels now and then: cx16=off.
  // All processors take turns in one thread, so that a guest takes one core and runs the same way
  // each time. Sockets of their own, for processors of different nodes cannot share one.
  std::vector<std::string> words = {
      "-accel", "tcg,thread=single",
      "-M",     "pc",
      "-cpu",   "qemu64,cx16=off",
      "-smp",   absl::StrCat(machine.cpus, ",sockets=", machine.cpus),
      "-m",     absl::StrCat(machine.memory, "M"),
  };
  const auto add = [&](const char* option, std::string value) {
    words.emplace_back(option);
    words.push_back(std::move(value));
  };
  for (uint32_t node = 0; node < 2; ++node) {
    add("-object",
        absl::StrCat("memory-backend-ram,id=ram", node, ",size=", machine.memory / 2, "M"));
    std::string numa = absl::StrCat("node,nodeid=", node, ",memdev=ram", node);
    if (node == 0) absl::StrAppend(&numa, ",cpus=0");
    if (node == 1 && machine.cpus > 1) absl::StrAppend(&numa, ",cpus=1-", machine.cpus - 1);
    add("-numa", std::move(numa));
  }
  for (const char* word : {"-display", "none", "-nodefaults", "-no-user-config", "-no-reboot"}) {
    words.emplace_back(word);
  }
  // A console of its own: QEMU's standard output is a file that others cut down meanwhile.
  add("-chardev", "file,id=console,path=/proc/self/fd/1,append=on");
  add("-serial", "chardev:console");
  add("-object", absl::StrCat("memory-backend-file,id=wire,share=on,size=", MMDIFF_WIRE_PCI_BYTES,
                              ",mem-path=/proc/self/fd/", kLaunchWireFd));
  add("-device", "ivshmem-plain,memdev=wire");
  add("-kernel", machine.kernel);
  add("-initrd", machine.initrd);
  add("-append", absl::StrJoin(std::begin(kCommandLine), std::end(kCommandLine), " "));
  return words;
}

}  // namespace mmdiff
