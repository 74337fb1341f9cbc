// The dictionary of the text language for libFuzzer and AFL++ (their common file format).
//
// Made from ops.def, arg_kinds.def and world.def alone; O(its size).
#ifndef MMDIFF_PROGRAM_DICTIONARY_H_
#define MMDIFF_PROGRAM_DICTIONARY_H_

#include <string>

namespace mmdiff {

std::string DictionaryText();

}  // namespace mmdiff

#endif  // MMDIFF_PROGRAM_DICTIONARY_H_
