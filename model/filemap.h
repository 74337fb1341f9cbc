// File objects and their page cache. The kernel's filemap.c and shmem.c.
//
// The page cache is an array by page offset. Look-ups are O(1). Nothing is ever written back or
// read in.
#ifndef MMDIFF_MODEL_FILEMAP_H_
#define MMDIFF_MODEL_FILEMAP_H_

#include <vector>

#include "model/rmap.h"
#include "model/vma.h"

MMDIFF_MODEL_BEGIN

struct FileObject {
  uint32_t number = 0;  // handle number, or kShmemFile + n
  uint32_t npages = 0;
  uint32_t order = 0;
  bool shmem = false;
  std::vector<Folio*> i_pages;  // by page offset; under i_mmap_lock
  IntervalSet<Vma> i_mmap;
  sync::SharedMutex<sync::Rank::kIMmap> i_mmap_lock;
};

// The folio at index, made if it is not cached, with a reference for the caller. Not locked. A new
// one waits in the lru_add batch. nullptr: another thread splits the folio, try again.
Folio* filemap_get_or_create(Task& t, FileObject& file, uint32_t index);
// Takes the folio out of the cache; its references are the caller's (reclaim has frozen them).
void page_cache_delete(Task& t, Folio& folio);
// The same, and drops the cache's references.
void filemap_remove_folio(Task& t, Folio& folio);
// Puts `dst` in the place of `src`, whose count the caller has frozen; dst gets the cache's
// references (migration).
void filemap_replace_folio(Task& t, Folio& src, Folio& dst);
// Each page of the cache in [folio.index, + its pages) is of the folio that now owns that frame
// (split).
void filemap_split_folio(Task& t, FileObject& file, uint32_t index, uint32_t npages);
// The last VMA of a shmem file is gone: its cache goes at the end of the operation, apart from
// folios that a migration has locked, which go at the end of the operation that unlocks them.
void shmem_file_unused(Task& t, FileObject& file);
void shmem_drop_unused(Task& t);

MMDIFF_MODEL_END

#endif  // MMDIFF_MODEL_FILEMAP_H_
