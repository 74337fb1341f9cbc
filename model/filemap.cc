#include "model/filemap.h"

#include <algorithm>

#include "model/kernel.h"

MMDIFF_MODEL_BEGIN

namespace {

// The highest enabled order, up to the file's, of a folio at index: aligned, inside the file, all
// of its places free. The file's lock is held.
uint32_t OrderAt(const Kernel& k, const FileObject& file, uint32_t index) {
  for (uint32_t order = file.order; order > 0; --order) {
    if ((k.world.orders >> order & 1) == 0) continue;
    const uint32_t n = 1u << order;
    const uint32_t first = index & ~(n - 1);
    if (first + n > file.npages) continue;
    uint32_t i = 0;
    while (i < n && file.i_pages[first + i] == nullptr) ++i;
    if (i == n) return order;
  }
  return 0;
}

void DropCache(Task& t, Folio& folio) {
  folio_clear(t, folio, kFolioDirty);
  filemap_remove_folio(t, folio);
}

}  // namespace

Folio* filemap_get_or_create(Task& t, FileObject& file, uint32_t index) {
  Folio* folio = nullptr;
  {
    sync::Guard guard(file.i_mmap_lock);
    folio = file.i_pages[index];
    // A folio without references is being split.
    if (folio != nullptr) return folio_try_get(t, *folio) ? folio : nullptr;
    folio = folio_alloc(t, OrderAt(t.k, file, index), t.node, t.fault_zone);
    const uint32_t n = folio->nr_pages();
    folio->file = &file;
    folio->index = index & ~(n - 1);
    if (file.shmem) folio_set(t, *folio, kFolioSwapBacked);
    for (uint32_t i = 0; i < n; ++i) {
      file.i_pages[folio->index + i] = folio;
      if (!file.shmem) set_content(t, folio->page[i], FileValue(file.number, folio->index + i));
    }
    folio_get(t, *folio, static_cast<int32_t>(n));
  }
  folio_add_lru(t, *folio);
  return folio;
}

void page_cache_delete(Task& t, Folio& folio) {
  FileObject& file = *folio.file;
  sync::Guard guard(file.i_mmap_lock);
  for (uint32_t i = 0; i < folio.nr_pages(); ++i) file.i_pages[folio.index + i] = nullptr;
  folio.file = nullptr;
  touch_folio(t, folio);
}

void filemap_remove_folio(Task& t, Folio& folio) {
  page_cache_delete(t, folio);
  folio_put(t, folio, static_cast<int32_t>(folio.nr_pages()));
}

void filemap_replace_folio(Task& t, Folio& src, Folio& dst) {
  FileObject& file = *src.file;
  folio_get(t, dst, static_cast<int32_t>(src.nr_pages()));
  sync::Guard guard(file.i_mmap_lock);
  for (uint32_t i = 0; i < src.nr_pages(); ++i) file.i_pages[src.index + i] = &dst;
  dst.file = &file;
  dst.index = src.index;
  src.file = nullptr;
  touch_folio(t, src);
}

void filemap_split_folio(Task& t, FileObject& file, uint32_t index, uint32_t npages) {
  sync::Guard guard(file.i_mmap_lock);
  const uint32_t pfn = file.i_pages[index]->pfn;
  for (uint32_t i = 0; i < npages; ++i) {
    Folio* piece = pfn_folio(t.k, pfn + i);
    piece->file = &file;
    if (piece->pfn == pfn + i) piece->index = index + i;
    file.i_pages[index + i] = piece;
    touch_folio(t, *piece);
  }
}

void shmem_file_unused(Task& t, FileObject& file) {
  sync::Guard guard(t.k.handle_lock);
  t.k.unused_shmem.push_back(&file);
  t.k.nr_unused_shmem.set(static_cast<uint32_t>(t.k.unused_shmem.size()));
}

void shmem_drop_unused(Task& t) {
  // A file comes off the list while its folios are dropped, and back if some were locked.
  size_t left = t.k.nr_unused_shmem.get();
  for (; left != 0; --left) {
    FileObject* file = nullptr;
    {
      sync::Guard guard(t.k.handle_lock);
      if (t.k.unused_shmem.empty()) return;
      file = t.k.unused_shmem.front();
      t.k.unused_shmem.erase(t.k.unused_shmem.begin());
      t.k.nr_unused_shmem.set(static_cast<uint32_t>(t.k.unused_shmem.size()));
    }
    bool waits = false, dropped = false;
    for (uint32_t i = 0; i < file->npages; ++i) {
      Folio* folio = nullptr;
      {
        sync::SharedGuard guard(file->i_mmap_lock);
        folio = file->i_pages[i];
        if (folio == nullptr) continue;
        if (!folio_try_get(t, *folio)) folio = nullptr;
      }
      if (folio == nullptr || !folio_trylock(t, *folio)) {
        waits = true;
      } else {
        dropped = true;
        if (folio->file == file) DropCache(t, *folio);
        folio_unlock(t, *folio);
      }
      if (folio != nullptr) folio_put(t, *folio);
    }
    if (dropped) lru_add_drain(t);  // folio_batch_release
    if (waits) shmem_file_unused(t, *file);
  }
}

Task::~Task() {
  if (k.world.tlb == 0) try_to_unmap_flush(*this);  // its translations are gone as it is
  if (k.nr_unused_shmem.get() != 0) shmem_drop_unused(*this);
}

MMDIFF_MODEL_END
