#include "program/errno.h"

#include "program/words.h"

namespace mmdiff {
namespace {

constexpr ErrnoName kErrnos[] = {
    {1, "EPERM", "not permitted"},
    {2, "ENOENT", "nothing mapped there"},
    {3, "ESRCH", "no such process"},
    {7, "E2BIG", "too many at once"},
    {9, "EBADF", "handle not bound or spent"},
    {11, "EAGAIN", "would wait, or a limit is reached"},
    {12, "ENOMEM", "a hole, or a limit of memory or mappings"},
    {13, "EACCES", "protection does not allow it"},
    {14, "EFAULT", "bad address"},
    {16, "EBUSY", "in use"},
    {17, "EEXIST", "something is mapped there"},
    {19, "ENODEV", "no such node"},
    {22, "EINVAL", "invalid argument"},
    {28, "ENOSPC", "no swap slots"},
    {75, "EOVERFLOW", "offset too large"},
    {95, "EOPNOTSUPP", "not supported"},
};

}  // namespace

absl::Span<const ErrnoName> AllErrnos() { return kErrnos; }

const char* NameOfErrno(int32_t number) {
  for (const ErrnoName& e : kErrnos) {
    if (e.number == number) return e.name;
  }
  return nullptr;
}

int32_t ErrnoOfName(std::string_view name) {
  for (const ErrnoName& e : kErrnos) {
    if (e.name == name) return e.number;
  }
  return 0;
}

std::string ErrnoText(int32_t number) {
  if (number == 0) return "ok";
  const char* name = NameOfErrno(number);
  return name != nullptr ? name : Concat("errno ", number);
}

}  // namespace mmdiff
