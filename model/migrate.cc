// Page migration, whole and in phases. The kernel's migrate.c.
//
// A folio is isolated, its mappings become migration entries (unmap), its contents and its places
// in the caches move to a new folio (move), and the entries become mappings of that (remove).
#include "model/migrate.h"

#include <algorithm>
#include <cstddef>

#include "model/huge_memory.h"
#include "model/kernel.h"
#include "model/madvise.h"
#include "model/mlock.h"
#include "model/syscalls.h"
#include "model/vmscan.h"

MMDIFF_MODEL_BEGIN

namespace {

struct RemoveArg {
  Task& t;
  Folio& src;
  Folio& dst;
  bool map_zero_pages;
  uint32_t entries = 0;
};

// A piece of a split that holds only zeros is not worth a page: true if the zero page took its
// place.
bool try_to_map_unused_to_zeropage(RemoveArg& a, PageVmaMappedWalk& walk, const Page& page) {
  Vma& vma = *walk.vma;
  if (!a.map_zero_pages || page.content.get() != 0) return false;
  if (vma.has(kVmLocked) || a.dst.test(kFolioMlocked)) return false;
  MMDIFF_BUG_ON(&a.src != &a.dst || !a.dst.anon() || !a.dst.locked(),
                "zero page put for a migrated page");
  const uint32_t protnone = vma.has(kVmRead) ? 0u : uint32_t{kPteProtNone};
  set_pte(a.t, *walk.table, walk.vpn, Pte::Zero(kPteYoung | protnone));
  add_mm_counter(a.t, *vma.mm, MmCounter::kAnon, -1);
  return true;
}

void remove_migration_pte(RemoveArg& a, PageVmaMappedWalk& walk) {
  Task& t = a.t;
  Folio& dst = a.dst;
  Vma& vma = *walk.vma;
  // Which pages of zeros stay depends on whether a locked VMA was met before: so the order is
  // reported.
  if (a.map_zero_pages) t.Choose(ChoiceKind::kVisit, vma.mm->id, walk.vpn, 1);
  const Pte entry = walk.pte;
  Page* page = dst.page + (entry.pfn() - a.src.pfn);
  ++a.entries;
  if (try_to_map_unused_to_zeropage(a, walk, *page)) return;
  folio_get(t, dst);
  uint32_t bits = entry.bits() & (kPteYoung | kPteWrite);
  if (entry.dirty() && dst.test(kFolioDirty)) bits |= kPteDirty;
  if (!vma.has(kVmRead)) bits |= kPteProtNone;
  // As a new entry of the VMA would be: shmem needs no notice of its first write.
  if (!dst.anon() && vma.has(kVmShared) && vma.has(kVmWrite) && vma.file->shmem) bits |= kPteWrite;
  if (dst.anon()) {
    folio_add_anon_rmap_ptes(t, dst, page, 1, vma, walk.vpn, entry.write() || entry.exclusive());
  } else {
    folio_add_file_rmap_ptes(t, dst, page, 1, vma);
  }
  set_pte(t, *walk.table, walk.vpn, Pte::Present(page->pfn, bits));
  if (vma.has(kVmLocked)) mlock_drain_local(t);
}

void MoveFlag(Task& t, Folio& src, Folio& dst, uint32_t flag) {
  if (folio_test_clear(t, src, flag)) folio_set(t, dst, flag);
}

// Contents, identity and cache places of src, whose count is frozen, go to dst
// (folio_migrate_mapping, folio_migrate_flags).
void move_to_new_folio(Task& t, Folio& src, Folio& dst) {
  MMDIFF_BUG_ON(!src.locked() || !dst.locked(), "folio moved without its lock");
  for (uint32_t i = 0; i < src.nr_pages(); ++i)
    set_content(t, dst.page[i], src.page[i].content.get());
  t.k.cost.pages_copied.add(src.nr_pages());
  // The first page's bit is a flag of the folio, PG_mappedtodisk, and moves with those.
  if (src.page->anon_exclusive) set_anon_exclusive(t, *dst.page, true);
  dst.index = src.index;
  dst.anon_vma = src.anon_vma;
  folio_set(t, dst, src.flags.get() & (kFolioAnon | kFolioSwapBacked));
  if (src.swapcache()) swap_cache_replace(t, src, dst);
  if (src.file != nullptr) filemap_replace_folio(t, src, dst);
  MoveFlag(t, src, dst, kFolioDirty);
  if (src.test(kFolioReclaim)) folio_set(t, dst, kFolioReclaim);
  MoveFlag(t, src, dst, kFolioReferenced);
  if (src.test(kFolioActive)) {
    MMDIFF_BUG_ON(src.test(kFolioUnevictable), "folio is both active and unevictable");
    MoveFlag(t, src, dst, kFolioActive);
  } else {
    MoveFlag(t, src, dst, kFolioUnevictable);
  }
  if (src.test(kFolioDeferredSplit)) {
    const bool partially_mapped = src.test(kFolioPartiallyMapped);
    folio_unqueue_deferred_split(t, src);
    deferred_split_folio(t, dst, partially_mapped);
  }
}

// Isolated folios come off their list counts when migration is done with them.
void free_isolated_folio(Task& t, Folio& folio) {
  mod_isolated(t, folio, -1);
  folio_put(t, folio);
}

}  // namespace

uint32_t remove_migration_ptes(Task& t, Folio& src, Folio& dst, AnonVma* anon_vma,
                               bool map_zero_pages) {
  if (dst.anon() && anon_vma == nullptr) return 0;  // nothing mapped it: no entry was made
  RemoveArg a{t, src, dst, map_zero_pages};
  // Every VMA is visited: migration entries are in no count that could say when all are done.
  rmap_walk(t, dst, anon_vma, [&a](Vma& vma) {
    PageVmaMappedWalk walk;
    if (!page_vma_mapped_walk_init(&walk, a.dst, vma, true)) return true;
    walk.folio = &a.src;  // whose frames the entries name
    while (page_vma_mapped_walk(a.t, &walk)) remove_migration_pte(a, walk);
    return true;
  });
  return a.entries;
}

int migrate_folio_unmap(Task& t, Folio& src, uint32_t node, ZoneKind zone, uint32_t ttu_flags,
                        Migration* m, uint32_t* entries) {
  *entries = 0;
  if (!folio_trylock(t, src)) return kEAGAIN;
  Folio* dst = folio_alloc(t, src.order, node, zone);
  folio_trylock(t, *dst);
  *m = Migration{&src, dst, src.test(kFolioMlocked), folio_get_anon_vma(t, src)};
  *entries = try_to_migrate(t, src, ttu_flags);
  if (!src.mapped()) return 0;
  uint32_t restored = 0;
  migrate_folio_abort(t, *m, &restored);
  return kEAGAIN;
}

int migrate_folio_move(Task& t, const Migration& m, uint32_t* entries) {
  Folio& src = *m.src;
  Folio& dst = *m.dst;
  // The isolation and the caches hold it; whoever else does could see it change under him. At 0
  // nobody new can take it (folio_ref_freeze).
  const auto refs = static_cast<int32_t>(1 + folio_expected_ref_count(src));
  if (src.mapped() || !src.refcount.compare_exchange(refs, 0)) return kEAGAIN;
  move_to_new_folio(t, src, dst);
  src.refcount.set(1);  // the isolation's: those of the caches are dst's now
  touch_folio(t, src);
  folio_add_lru(t, dst);
  // On the list first, so that the mlocks of the new mappings are counted.
  if (m.was_mlocked) lru_add_drain(t);
  *entries = remove_migration_ptes(t, src, dst, m.anon_vma);
  if (m.anon_vma != nullptr) put_anon_vma(t, *m.anon_vma);
  folio_unlock(t, dst);
  folio_put(t, dst);
  folio_unlock(t, src);
  free_isolated_folio(t, src);
  return 0;
}

void migrate_folio_abort(Task& t, const Migration& m, uint32_t* entries) {
  *entries = remove_migration_ptes(t, *m.src, *m.src, m.anon_vma);
  if (m.anon_vma != nullptr) put_anon_vma(t, *m.anon_vma);
  folio_unlock(t, *m.src);
  folio_unlock(t, *m.dst);
  folio_put(t, *m.dst);
}

namespace {

bool NeedsSplit(const Folio& folio) {
  return folio.test(kFolioDeferredSplit) && folio.test(kFolioPartiallyMapped) && !folio.locked();
}

// Makes entries of all mappings of `folios`, flushes once, then moves them. What is moved leaves
// `folios`. What is mapped in part is split, if `split_off` is given, and its pieces go there.
uint32_t migrate_pages_batch(Task& t, std::vector<Folio*>& folios, const MigrateTarget& to,
                             uint32_t ttu_flags, uint32_t passes, std::vector<Folio*>* split_off) {
  thread_local std::vector<Folio*> pieces;
  thread_local std::vector<Migration> moving;
  moving.clear();
  uint32_t moved = 0;
  for (uint32_t pass = 0; pass < passes && !folios.empty(); ++pass) {
    size_t left = 0;
    for (Folio* src : folios) {
      if (split_off != nullptr && NeedsSplit(*src) && split_folio(t, *src, &pieces) == 0) {
        split_off->insert(split_off->end(), pieces.begin(), pieces.end());
        continue;
      }
      if (src->ref_count() == 1) {  // freed by its owners meanwhile: nothing to move
        free_isolated_folio(t, *src);
        ++moved;
        continue;
      }
      Migration m;
      uint32_t entries = 0;
      const uint32_t node = to.node == kOwnNode ? src->node : to.node;
      if (migrate_folio_unmap(t, *src, node, to.zone, ttu_flags, &m, &entries) == 0) {
        moving.push_back(m);
      } else {
        folios[left++] = src;
      }
    }
    folios.resize(left);
  }
  try_to_unmap_flush(t);
  uint32_t entries = 0;
  for (uint32_t pass = 0; pass < passes && !moving.empty(); ++pass) {
    size_t left = 0;
    for (const Migration& m : moving) {
      if (migrate_folio_move(t, m, &entries) == 0) {
        ++moved;
      } else {
        moving[left++] = m;
      }
    }
    moving.resize(left);
  }
  for (const Migration& m : moving) {
    migrate_folio_abort(t, m, &entries);
    folios.push_back(m.src);
  }
  return moved;
}

}  // namespace

// Up to a page table's worth of pages is tried together; what of it fails is tried again one by
// one; the pieces of what was split have one try.
uint32_t migrate_pages(Task& t, std::vector<Folio*>& folios, const MigrateTarget& to) {
  constexpr uint32_t kAsyncPasses = 3, kSyncPasses = 7;
  thread_local std::vector<Folio*> batch, one, split_off, stayed;
  stayed.clear();
  uint32_t moved = 0;
  for (size_t next = 0; next < folios.size();) {
    batch.clear();
    split_off.clear();
    for (uint32_t pages = 0; next < folios.size() && pages < t.k.world.table; ++next) {
      pages += folios[next]->nr_pages();
      batch.push_back(folios[next]);
    }
    moved += migrate_pages_batch(t, batch, to, kTtuBatchFlush, kAsyncPasses, &split_off);
    for (Folio* again : batch) {
      one.assign(1, again);
      moved += migrate_pages_batch(t, one, to, 0, kSyncPasses, &split_off);
      stayed.insert(stayed.end(), one.begin(), one.end());
    }
    moved += migrate_pages_batch(t, split_off, to, kTtuBatchFlush, 1, nullptr);
    stayed.insert(stayed.end(), split_off.begin(), split_off.end());
  }
  folios.assign(stayed.begin(), stayed.end());
  return moved;
}

// Operations
// -----------------------------------------------------------------------------------------

namespace {

// Splits an isolated folio that is mapped in part, so that the piece at vpn moves alone: that
// piece, still isolated, or nullptr if the zero page took its place. The other pieces are put back.
Folio* split_to_migrate(Task& t, Mm& mm, uint32_t vpn, Folio& folio) {
  thread_local std::vector<Folio*> pieces;
  if (!NeedsSplit(folio) || split_folio(t, folio, &pieces) != 0) return &folio;
  const Pte pte = ptep_get(mm, vpn);
  Folio* wanted = pte.present() ? pfn_folio(t.k, pte.pfn()) : nullptr;
  Folio* found = nullptr;  // the entry may name another folio by now
  for (Folio* piece : pieces) {
    if (piece == wanted) {
      found = piece;
    } else {
      folio_putback_lru(t, *piece);
    }
  }
  return found;
}

// Isolates what is mapped in [start, end), in order; the number of folios that could not be.
uint32_t isolate_for_migration(Task& t, Mm& mm, uint32_t start, uint32_t end,
                               std::vector<Folio*>* folios) {
  uint32_t failed = 0;
  thread_local std::vector<Folio*> refused;
  refused.clear();
  for (uint32_t vpn = start; vpn < end; ++vpn) {
    Folio* folio = nullptr;
    if (get_mapped_folio(t, mm, vpn, &folio) != 0) continue;
    const bool known = std::find(folios->begin(), folios->end(), folio) != folios->end() ||
                       std::find(refused.begin(), refused.end(), folio) != refused.end();
    if (!known && folio_isolate_lru(t, *folio)) {
      folios->push_back(folio);
    } else if (!known) {
      refused.push_back(folio);
      ++failed;
    }
    folio_put(t, *folio);
  }
  return failed;
}

}  // namespace

OpResult Model::migrate_begin(const args::migrate_begin& a, OpContext& ctx) {
  OpResult r;
  MmRef mm = k_.FindMm(a.mm);
  if (!mm) {
    r.err = kESRCH;
    return r;
  }
  if (a.node >= k_.world.nodes) {
    r.err = kENODEV;
    return r;
  }
  Task t(k_, ctx, k_.world.nodes);
  sync::SharedGuard guard(mm->mmap_lock);
  Folio* folio = nullptr;
  r.err = get_mapped_folio(t, *mm, a.vpn, &folio);
  if (r.err != 0) return r;
  if (folio->locked()) {
    r.err = kEAGAIN;
  } else if (!folio_isolate_lru(t, *folio)) {
    r.err = kEBUSY;
  }
  folio_put(t, *folio);
  if (r.err != 0) return r;
  folio = split_to_migrate(t, *mm, a.vpn, *folio);
  if (folio == nullptr) {
    r.err = kEFAULT;
    return r;
  }
  Migration m;
  r.err = migrate_folio_unmap(t, *folio, a.node, ZoneKind::kMovable, 0, &m, &r.value);
  if (r.err == 0) {
    *k_.migs.Bind(ctx.result_handle) = m;
    k_.migs.Release(ctx.result_handle);
  } else {
    folio_putback_lru(t, *folio);
    r.value = 0;
  }
  return r;
}

OpResult Model::migrate_end(const args::migrate_end& a, OpContext& ctx) {
  OpResult r;
  Migration* m = k_.migs.Claim(a.mig);
  if (m == nullptr) {
    r.err = kEBADF;
    return r;
  }
  Task t(k_, ctx, k_.world.nodes);
  r.err = migrate_folio_move(t, *m, &r.value);
  if (r.err != 0) {
    migrate_folio_abort(t, *m, &r.value);
    folio_putback_lru(t, *m->src);
  }
  k_.migs.Spend(a.mig);
  return r;
}

OpResult Model::migrate_abort(const args::migrate_abort& a, OpContext& ctx) {
  OpResult r;
  Migration* m = k_.migs.Claim(a.mig);
  if (m == nullptr) {
    r.err = kEBADF;
    return r;
  }
  Task t(k_, ctx, k_.world.nodes);
  migrate_folio_abort(t, *m, &r.value);
  folio_putback_lru(t, *m->src);
  k_.migs.Spend(a.mig);
  return r;
}

OpResult Model::migrate(const args::migrate& a, OpContext& ctx) {
  OpResult r;
  MmRef mm = k_.FindMm(a.mm);
  if (!mm) {
    r.err = kESRCH;
    return r;
  }
  if (a.node >= k_.world.nodes) {
    r.err = kENODEV;
    return r;
  }
  if (a.npages == 0) return r;
  Task t(k_, ctx, k_.world.nodes);
  sync::SharedGuard guard(mm->mmap_lock);
  lru_cache_disable(t);
  thread_local std::vector<Folio*> folios;
  folios.clear();
  const uint32_t end = std::min(madvise_end(k_.world, a.vpn, a.npages), k_.world.arena());
  uint32_t failed = isolate_for_migration(t, *mm, a.vpn, end, &folios);
  const size_t found = folios.size() + failed;
  r.value = migrate_pages(t, folios, {a.node, ZoneKind::kMovable});
  failed += static_cast<uint32_t>(folios.size());
  for (Folio* folio : folios) folio_putback_lru(t, *folio);
  lru_cache_enable(t);
  if (found == 0) {
    r.err = kENOENT;
  } else if (failed != 0) {
    r.err = kEAGAIN;
  }
  return r;
}

MMDIFF_MODEL_END
