// Page migration. The kernel's migrate.c.
#ifndef MMDIFF_MODEL_MIGRATE_H_
#define MMDIFF_MODEL_MIGRATE_H_

#include <vector>

#include "model/rmap.h"

MMDIFF_MODEL_BEGIN

// A folio between migrate_begin and migrate_end or migrate_abort.
struct Migration {
  Folio* src = nullptr;
  Folio* dst = nullptr;
  bool was_mlocked = false;
  AnonVma* anon_vma = nullptr;  // kept: while nothing maps src, only its entries need it
};

// The folio is isolated and stays so, whatever comes of it, until migrate_folio_move moved it. 0
// and *m filled, or EAGAIN with its mappings put back. *entries: migration entries made.
int migrate_folio_unmap(Task& t, Folio& src, uint32_t node, ZoneKind zone, uint32_t ttu_flags,
                        Migration* m, uint32_t* entries);
// 0 and src is freed, or EAGAIN with nothing changed: somebody else holds it. *entries: migration
// entries removed.
int migrate_folio_move(Task& t, const Migration& m, uint32_t* entries);
void migrate_folio_abort(Task& t, const Migration& m, uint32_t* entries);
// Where migrated folios go.
inline constexpr uint32_t kOwnNode = UINT32_MAX;
struct MigrateTarget {
  uint32_t node;  // kOwnNode: the folio's own
  ZoneKind zone;
};
// Migrates isolated folios; partially mapped ones are split first. What could not be moved stays in
// `folios`, isolated. The number of folios moved.
uint32_t migrate_pages(Task& t, std::vector<Folio*>& folios, const MigrateTarget& to);
// Replaces the migration entries for src by mappings of dst; their number.
// `anon_vma` is what folio_get_anon_vma gave before they were made.
uint32_t remove_migration_ptes(Task& t, Folio& src, Folio& dst, AnonVma* anon_vma,
                               bool map_zero_pages = false);

MMDIFF_MODEL_END

#endif  // MMDIFF_MODEL_MIGRATE_H_
