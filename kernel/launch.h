// Launch: how the process of a worker is started, and how the two sides wait for each other.
//
// The process gets its own group and nothing but its output and the shared memory as descriptor 3,
// and dies with the thread that started it. A kernel that is the process itself (User Mode Linux)
// is woken and wakes through futexes; no futex crosses the border of a virtual machine, so there
// both sides look at the memory again and again. Knows nothing of programs and of what the memory
// holds. A start costs a fork; a look at the memory every 50 to 500 us.
#ifndef MMDIFF_KERNEL_LAUNCH_H_
#define MMDIFF_KERNEL_LAUNCH_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace mmdiff {

enum class Machine : uint8_t {
  kProcess,  // the kernel is the process
  kQemu,     // the process is a virtual machine
};

// Where the process finds the shared memory; it has no other descriptors but its output.
inline constexpr int kLaunchWireFd = 3;

// Size of the shared memory: a PCI device wants a power of two.
size_t WireBytes(Machine machine);

// Starts argv[0], a path, with both outputs going to `console_fd`. Gives its number, or -1 with
// errno. A program that cannot be executed ends with exit code 127 and says why on its output.
pid_t LaunchProcess(const std::vector<std::string>& argv, int wire_fd, int console_fd);

// Sets a word of the shared memory and wakes who waits for it.
void RaiseWord(Machine machine, uint32_t* word, uint32_t value);
uint32_t LoadWord(uint32_t* word);

// Waits for a word to change, a little at a time.
class WordWait {
 public:
  explicit WordWait(Machine machine) : machine_(machine) {}
  // Waits while *word is `seen`, 10 ms at most. True if it is time to look whether the process
  // still lives.
  bool Wait(uint32_t* word, uint32_t seen);

 private:
  bool Poll(uint32_t* word, uint32_t seen);

  Machine machine_;
  long sleep_ns_ = 0;  // of the last sleep
};

}  // namespace mmdiff

#endif  // MMDIFF_KERNEL_LAUNCH_H_
