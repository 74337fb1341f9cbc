#include "bench/report.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "absl/strings/numbers.h"
#include "nlohmann/json.hpp"

namespace mmdiff {
namespace {

using Json = nlohmann::ordered_json;

std::string CpuName() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    const size_t colon = line.find(": ");
    if (line.rfind("model name", 0) == 0 && colon != std::string::npos) {
      return line.substr(colon + 2);
    }
  }
  return "unknown";
}

double Load() {
  double load[1] = {0};
  return getloadavg(load, 1) == 1 ? load[0] : -1;
}

Json Machine() {
  Json json;
  json["cpu"] = CpuName();
  json["cores"] = sysconf(_SC_NPROCESSORS_ONLN);
  json["compiler"] =
#if defined(__clang__)
      "clang " __clang_version__;
#else
      "g++ " __VERSION__;
#endif
  json["flags"] = MMDIFF_BENCH_FLAGS;
  json["load"] = Load();
  return json;
}

// Four significant digits: what is measured here has no more.
double Rounded(double value) {
  if (value == 0) return 0;
  const double scale = std::pow(10.0, 3 - std::floor(std::log10(std::fabs(value))));
  return std::round(value * scale) / scale;
}

[[noreturn]] void Usage(const std::string& message) {
  std::fprintf(stderr, "%s\n", message.c_str());
  std::exit(2);
}

}  // namespace

double Median(std::vector<double> samples) {
  if (samples.empty()) return 0;
  std::sort(samples.begin(), samples.end());
  const size_t n = samples.size();
  return (samples[(n - 1) / 2] + samples[n / 2]) / 2;
}

double Quantile(std::vector<double> samples, double share) {
  if (samples.empty()) return 0;
  std::sort(samples.begin(), samples.end());
  const double rank = std::ceil(share * static_cast<double>(samples.size()));
  return samples[static_cast<size_t>(std::max(rank, 1.0)) - 1];
}

std::string MachineJson() { return Machine().dump(); }

Report::Report(const std::string& path) : out_(stdout) {
  if (path.empty()) return;
  out_ = std::fopen(path.c_str(), "a");
  if (out_ == nullptr) {
    std::fprintf(stderr, "%s cannot be written (%s): the figures follow on standard output\n",
                 path.c_str(), std::strerror(errno));
    out_ = stdout;
  }
}

Report::~Report() {
  Flush();
  if (out_ != stdout) std::fclose(out_);
}

const Figure* Report::Find(std::string_view name) const {
  for (const Figure& f : figures_) {
    if (f.name == name) return &f;
  }
  return nullptr;
}

void Report::Flush() {
  const Json machine = Machine();
  for (const Figure& f : figures_) {
    const double value = Median(f.samples);
    Json json;
    json["name"] = f.name;
    json["value"] = Rounded(value);
    json["unit"] = f.unit;
    json["repetitions"] = f.samples.size();
    json["low"] = Rounded(*std::min_element(f.samples.begin(), f.samples.end()));
    json["high"] = Rounded(*std::max_element(f.samples.begin(), f.samples.end()));
    const Figure* other = f.ratio_to.empty() ? nullptr : Find(f.ratio_to);
    if (other != nullptr && Median(other->samples) != 0) {
      json["ratio_to"] = f.ratio_to;
      json["ratio"] = Rounded(value / Median(other->samples));
    }
    json["machine"] = machine;
    std::fprintf(out_, "%s\n", json.dump().c_str());
  }
  std::fflush(out_);
  figures_.clear();
}

std::string TakeFlag(int* argc, char** argv, std::string_view name, std::string_view otherwise) {
  const std::string prefix = "--" + std::string(name) + "=";
  std::string value(otherwise);
  int kept = 1;
  for (int i = 1; i < *argc; ++i) {
    const std::string arg = argv[i];
    if (arg.compare(0, prefix.size(), prefix) == 0) {
      value = arg.substr(prefix.size());
    } else {
      argv[kept++] = argv[i];
    }
  }
  *argc = kept;
  return value;
}

uint64_t TakeNumber(int* argc, char** argv, std::string_view name, uint64_t otherwise) {
  const std::string flag = "--" + std::string(name) + "=";
  const std::string text = TakeFlag(argc, argv, name, std::to_string(otherwise));
  uint64_t value = 0;
  if (!absl::SimpleAtoi(text, &value)) {
    Usage(flag + text + " is not a number: give one, as " + flag + std::to_string(otherwise));
  }
  return value;
}

void RefuseOtherFlags(int argc, char** argv) {
  if (argc > 1) Usage(std::string(argv[0]) + " does not know " + argv[1]);
}

}  // namespace mmdiff
