#include "kernel/guest/first_program.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "harness/durable_files.h"
#include "harness/project_path.h"
#include "harness/starting.h"
#include "kernel/guest/initrd.h"
#include "kernel/guest/machine.h"
#include "kernel/launch.h"
#include "kernel/run_program.h"

namespace mmdiff {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint32_t kBootMs = 60'000;
constexpr uint32_t kBoots = 3;  // of those that end before the program begins
constexpr char kBegins[] = "mmdiff: the program begins\n";
constexpr char kEnded[] = "\nmmdiff: the program ended with ";
constexpr uint32_t kOrders = 20;

absl::Status Put(const std::string& path, const std::string& text) {
  return DurableFiles([](std::string_view, const std::string&) { return 0; }).Write(path, text);
}

absl::Status Compile(const std::string& from, const std::string& to, const char* what) {
  const RanProgram ran = RunProgram({"gcc", "-static", "-O1", "-o", to, from});
  if (ran.ok()) return absl::OkStatus();
  if (ran.spawn_error != 0) {
    return absl::NotFoundError(absl::StrCat(
        "gcc cannot be run; ./mmdiff guest doctor says what to install to compile ", what));
  }
  return absl::InvalidArgumentError(absl::StrCat(what, " does not compile:\n", ran.output));
}

absl::StatusOr<std::string> Pack(const FirstProgram& program) {
  const std::string init_source = ProjectPath("kernel/guest/first_program_init.c");
  if (init_source.empty()) {
    return absl::NotFoundError(
        "kernel/guest/first_program_init.c is not here; set MMDIFF_ROOT to the source tree");
  }
  const std::string source = program.scratch + "/program.c", binary = program.scratch + "/program",
                    init = program.scratch + "/init";
  if (absl::Status s = Put(source, program.source); !s.ok()) return s;
  if (absl::Status s = Compile(source, binary, "the program"); !s.ok()) return s;
  if (absl::Status s = Compile(init_source, init, "its init"); !s.ok()) return s;
  Initrd initrd;
  for (const char* directory : {"dev", "proc", "sys", "tmp"}) initrd.AddDirectory(directory);
  initrd.AddDevice("dev/console", 5, 1);
  for (const auto& [name, path] : {std::pair{"init", init}, std::pair{"program", binary}}) {
    absl::StatusOr<std::string> contents = DurableFiles::Read(path);
    if (!contents.ok()) return contents.status();
    initrd.AddFile(name, *contents, true);
  }
  std::string sizes;
  for (uint32_t order = 1; order < kOrders; ++order) {
    if ((program.orders >> order & 1) != 0) absl::StrAppend(&sizes, 4u << order, "\n");
  }
  initrd.AddFile("sizes", sizes, false);
  const std::string path = program.scratch + "/initrd";
  if (absl::Status s = Put(path, std::move(initrd).Finish()); !s.ok()) return s;
  return path;
}

std::string Contents(int fd) {
  const off_t size = lseek(fd, 0, SEEK_END);
  std::string text(static_cast<size_t>(std::max<off_t>(size, 0)), '\0');
  const ssize_t n = pread(fd, text.data(), text.size(), 0);
  text.resize(n < 0 ? 0 : static_cast<size_t>(n));
  std::erase(text, '\r');  // of a serial line
  return text;
}

// Waits for the machine to end, and ends it when the time is up. True if it ended by itself.
bool AwaitEnd(pid_t pid, int console, uint32_t run_ms) {
  auto deadline = Clock::now() + std::chrono::milliseconds(kBootMs);
  bool begun = false;
  for (;;) {
    siginfo_t info{};
    const int looked = waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT);
    const bool over = looked != 0 || info.si_pid == pid;
    if (!over && Clock::now() < deadline) {
      usleep(20'000);
      if (begun || !absl::StrContains(Contents(console), kBegins)) continue;
      begun = true;
      deadline = Clock::now() + std::chrono::milliseconds(run_ms);
      continue;
    }
    kill(-pid, SIGKILL);
    while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    return over;
  }
}

absl::StatusOr<FirstProgramEnd> Boot(const std::vector<std::string>& argv, uint32_t run_ms) {
  const int wire = memfd_create("mmdiff-no-wire", MFD_CLOEXEC);
  const int console = memfd_create("mmdiff-console", MFD_CLOEXEC);
  pid_t pid = -1;
  if (wire >= 0 && console >= 0 && fcntl(console, F_SETFL, O_APPEND) == 0 &&
      ftruncate(wire, static_cast<off_t>(WireBytes(Machine::kQemu))) == 0) {
    pid = LaunchProcess(argv, wire, console);
  }
  absl::StatusOr<FirstProgramEnd> end =
      absl::InternalError(absl::StrCat("no process for a guest: ", std::strerror(errno)));
  if (pid >= 0) {
    const bool by_itself = AwaitEnd(pid, console, run_ms);
    end = ReadFirstProgramConsole(Contents(console));
    if (end->how.empty()) {
      end->how = by_itself ? "the guest ended" : absl::StrCat("did not end within ", run_ms, " ms");
    }
  }
  for (const int fd : {wire, console}) {
    if (fd >= 0) close(fd);
  }
  return end;
}

}  // namespace

FirstProgramEnd ReadFirstProgramConsole(const std::string& console) {
  FirstProgramEnd end;
  const size_t begins = console.find(kBegins);
  if (begins == std::string::npos) {
    end.console = console;
    return end;
  }
  const size_t from = begins + std::strlen(kBegins), ended = console.find(kEnded, from);
  end.output = console.substr(from, ended == std::string::npos ? ended : ended - from);
  end.console = console.substr(0, begins);
  if (ended == std::string::npos) return end;
  const size_t how = ended + std::strlen(kEnded),
               line = std::min(console.find('\n', how), console.size());
  end.how = console.substr(how, line - how);
  end.ended = end.how == "exit code 0";
  absl::StrAppend(&end.console, absl::ClippedSubstr(console, line + 1));
  return end;
}

absl::StatusOr<FirstProgramEnd> RunFirstProgram(const Guest& guest, const FirstProgram& program) {
  absl::StatusOr<std::string> qemu = FindQemu();
  if (!qemu.ok()) return qemu.status();
  absl::StatusOr<std::string> initrd = Pack(program);
  if (!initrd.ok()) return initrd.status();
  std::vector<std::string> argv = {*qemu};
  for (std::string& word :
       QemuArguments({.kernel = guest.image.vmlinuz, .initrd = *initrd, .cpus = guest.cpus})) {
    argv.push_back(std::move(word));
  }
  for (uint32_t boot = 1;; ++boot) {
    absl::StatusOr<FirstProgramEnd> end = Boot(argv, program.run_ms);
    if (!end.ok() || !end->output.empty() || !end->how.starts_with("the guest")) return end;
    if (boot == kBoots) {
      return absl::InternalError(absl::StrCat("Linux ", guest.image.release,
                                              " does not boot; ./mmdiff guest doctor looks for "
                                              "the cause. It printed:\n",
                                              end->console));
    }
  }
}

}  // namespace mmdiff
