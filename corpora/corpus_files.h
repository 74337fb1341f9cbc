// Corpus files for the tests of this room: finding, reading and running what is committed.
//
// Never writes anything. A file that cannot be read or parsed fails the calling test and is left
// out. Finding is linear in the number of files below the directory.
#ifndef MMDIFF_CORPORA_CORPUS_FILES_H_
#define MMDIFF_CORPORA_CORPUS_FILES_H_

#include <string>
#include <vector>

#include "harness/lockstep.h"
#include "program/program.h"

namespace mmdiff {

struct CorpusProgram {
  std::string name;  // below the directory asked for, without ".mmdiff"
  std::string text;
  Program program;
};

// "corpora/lockstep" in the source tree.
std::string SourcePath(const std::string& part);
// Names of all files below `directory` (of the source tree) that end in `ending`, sorted.
std::vector<std::string> FilesBelow(const std::string& directory, const std::string& ending);
// The whole of a file; fails the test if it cannot be read.
std::string ReadFile(const std::string& path);
// Every program below `directory`, by name.
std::vector<CorpusProgram> ProgramsBelow(const std::string& directory);

// The text without comments that are not expectations, and without empty lines.
std::string WithoutComments(const std::string& text);

// A lockstep of these specs; aborts the test program if a spec is unknown.
Lockstep MakeLockstep(const std::string& specs);
// One line for a run that did not end in ok: what, where, and the first differences.
std::string Explain(const RunResult& result);

}  // namespace mmdiff

#endif  // MMDIFF_CORPORA_CORPUS_FILES_H_
