// The fragments themselves.
#include "program/fragments.h"
#include "program/world.h"

namespace mmdiff {
namespace {

void ForkStorm(FragmentBuilder& b) {
  uint32_t mm = b.Mm();
  const HotPlace range = b.Range(mm, 2);
  for (uint32_t i = b.rnd().Between(2, 4); i > 0; --i) {
    const uint32_t child = b.Add(Opcode::fork, {mm});
    const HotPlace part = b.Part(range);
    if (b.rnd().OneIn(2)) b.Add(Opcode::write, {child, part.vpn, part.npages});
    if (b.rnd().OneIn(3)) b.Add(Opcode::write, {mm, part.vpn, part.npages});
    if (b.rnd().OneIn(4)) b.Add(Opcode::exit, {b.rnd().OneIn(2) ? mm : child});
    if (b.rnd().OneIn(2)) mm = child;
  }
}

void BoundaryStraddle(FragmentBuilder& b) {
  const World& w = b.world();
  const uint32_t mm = b.Mm();
  if (w.tables < 2) {
    b.Range(mm, 2);
    return;
  }
  const uint32_t boundary = b.rnd().Between(1, w.tables - 1) * w.table;
  const uint32_t below = b.rnd().Between(1, HotSpan(w) / 2);
  const uint32_t above = b.rnd().Between(1, HotSpan(w) / 2);
  const uint32_t vpn = boundary - below, n = below + above;
  b.Add(Opcode::map, {mm, vpn, n, kMapRead | kMapWrite | kMapFixed, kNoFile, 0});
  b.Add(Opcode::write, {mm, vpn, n});
  const uint32_t first = boundary - b.rnd().Between(1, below);
  const uint32_t length = boundary - first + b.rnd().Between(1, above);
  b.AddBetween(mm, first, length);
  b.Add(Opcode::protect, {mm, first, length, b.rnd().OneIn(2) ? 1u : 3u});
  b.AddBetween(mm, vpn, n);
  b.Add(Opcode::write, {mm, vpn, n});
}

void PinThenFork(FragmentBuilder& b) {
  const uint32_t mm = b.Mm();
  const HotPlace range = b.Range(mm, 1);
  const HotPlace pinned = b.Part(range);
  const uint32_t flags = b.rnd().Below(kGupAllFlags + 1) & (b.rnd().OneIn(4) ? ~0u : ~kGupGet);
  const uint32_t pin = b.Add(Opcode::pin, {mm, pinned.vpn, pinned.npages, flags});
  const uint32_t child = b.Add(Opcode::fork, {mm});
  b.Add(Opcode::write, {b.rnd().OneIn(2) ? mm : child, range.vpn, range.npages});
  b.Add(b.rnd().OneIn(2) ? Opcode::pin_write : Opcode::pin_read, {pin});
  b.Add(Opcode::read, {b.rnd().OneIn(2) ? mm : child, range.vpn, range.npages});
  if (b.rnd().OneIn(2)) b.Add(b.rnd().OneIn(2) ? Opcode::unpin : Opcode::unpin_dirty, {pin});
}

void LockThenMigrate(FragmentBuilder& b) {
  const uint32_t mm = b.Mm();
  const HotPlace range = b.Range(mm, 1);
  const HotPlace locked = b.Part(range);
  b.Add(b.rnd().OneIn(4) ? Opcode::lock_onfault : Opcode::lock, {mm, locked.vpn, locked.npages});
  if (b.rnd().OneIn(2)) b.OnCpu(b.OtherCpu());
  if (b.rnd().OneIn(2)) b.Add(Opcode::drain, {});
  const uint32_t node = b.rnd().Below(b.world().nodes);
  if (b.rnd().OneIn(2)) {
    b.Add(Opcode::migrate, {mm, range.vpn, range.npages, node});
  } else {
    const uint32_t mig = b.Add(Opcode::migrate_begin, {mm, locked.vpn, node});
    if (b.rnd().OneIn(2)) b.Add(Opcode::unlock, {mm, locked.vpn, locked.npages});
    b.Add(b.rnd().OneIn(4) ? Opcode::migrate_abort : Opcode::migrate_end, {mig});
  }
  b.Add(Opcode::drain_all, {});
  b.Add(Opcode::unlock, {mm, range.vpn, range.npages});
}

void FreeRedirtyReclaim(FragmentBuilder& b) {
  const uint32_t mm = b.Mm();
  const HotPlace range = b.Range(mm, 1);
  const HotPlace freed = b.Part(range);
  b.Add(Opcode::free, {mm, freed.vpn, freed.npages});
  if (b.rnd().OneIn(2)) b.Add(Opcode::drain_all, {});
  const HotPlace dirtied = b.Part(freed);
  if (!b.rnd().OneIn(3)) b.Add(Opcode::write, {mm, dirtied.vpn, dirtied.npages});
  if (b.rnd().OneIn(4)) b.Add(Opcode::read, {mm, range.vpn, range.npages});
  b.Add(b.rnd().OneIn(2) ? Opcode::pageout : Opcode::reclaim, {mm, range.vpn, range.npages});
  b.Add(Opcode::read, {mm, range.vpn, range.npages});
}

void BatchThenSplit(FragmentBuilder& b) {
  const uint32_t mm = b.Mm();
  const HotPlace range = b.Range(mm, 2);
  const uint32_t vpn = range.vpn + b.rnd().Below(range.npages);
  const Opcode batched[] = {Opcode::mark_accessed, Opcode::cold, Opcode::free, Opcode::lock};
  const Opcode code = b.rnd().Pick(batched);
  if (code == Opcode::mark_accessed) {
    b.Add(code, {mm, vpn});
  } else {
    b.Add(code, {mm, range.vpn, range.npages});
  }
  if (b.rnd().OneIn(3)) b.AddBetween(mm, range.vpn, range.npages);
  b.Add(Opcode::split, {mm, vpn});
  b.Add(b.rnd().OneIn(2) ? Opcode::drain : Opcode::drain_all, {});
  b.Add(Opcode::write, {mm, vpn, 1});
}

void SwapForkSwap(FragmentBuilder& b) {
  const uint32_t mm = b.Mm();
  const HotPlace range = b.Range(mm, 1);
  const HotPlace out = b.Part(range);
  b.Add(b.rnd().OneIn(3) ? Opcode::reclaim : Opcode::pageout, {mm, out.vpn, out.npages});
  const uint32_t child = b.Add(Opcode::fork, {mm});
  const uint32_t first = b.rnd().OneIn(2) ? mm : child;
  const uint32_t second = first == mm ? child : mm;
  const HotPlace in = b.Part(out);
  b.Add(b.rnd().OneIn(2) ? Opcode::write : Opcode::read, {first, in.vpn, in.npages});
  if (b.rnd().OneIn(3)) b.Add(Opcode::pageout, {first, in.vpn, in.npages});
  if (b.rnd().OneIn(3)) b.Add(Opcode::exit, {first});
  b.Add(b.rnd().OneIn(2) ? Opcode::write : Opcode::read, {second, out.vpn, out.npages});
  b.Add(Opcode::read, {first, range.vpn, range.npages});
}

void MigrateAround(FragmentBuilder& b) {
  const uint32_t mm = b.Mm();
  const HotPlace range = b.Range(mm, 1);
  if (b.rnd().OneIn(3)) b.Add(Opcode::fork, {mm});
  const uint32_t vpn = range.vpn + b.rnd().Below(range.npages);
  const uint32_t mig = b.Add(Opcode::migrate_begin, {mm, vpn, b.rnd().Below(b.world().nodes)});
  for (uint32_t i = b.rnd().Between(1, 3); i > 0; --i) {
    b.AddBetween(mm, range.vpn, range.npages);
    if (b.rnd().OneIn(3)) b.OnCpu(b.OtherCpu());
  }
  b.Add(b.rnd().OneIn(4) ? Opcode::migrate_abort : Opcode::migrate_end, {mig});
  b.Add(Opcode::write, {mm, range.vpn, range.npages});
}

void ZapWithAccess(FragmentBuilder& b) {
  const uint32_t mm = b.Mm();
  const HotPlace range = b.Range(mm, 1);
  const uint32_t other = b.OtherCpu();
  b.OnCpu(other);
  b.Add(Opcode::read, {mm, range.vpn, range.npages});
  b.OnCpu(b.OtherCpu());
  const HotPlace zapped = b.Part(range);
  const uint32_t zap = b.Add(Opcode::zap_begin, {mm, zapped.vpn, zapped.npages});
  b.OnCpu(other);
  b.Add(b.rnd().OneIn(2) ? Opcode::write : Opcode::read, {mm, zapped.vpn, zapped.npages});
  if (b.rnd().OneIn(2)) b.AddBetween(mm, range.vpn, range.npages);
  b.Add(Opcode::zap_finish, {zap});
  b.Add(Opcode::read, {mm, range.vpn, range.npages});
}

void DontforkHalf(FragmentBuilder& b) {
  // A folio whose halves differ in whether fork copies them: the child maps part of it, and then
  // lazyfree, redirtying and reclaim meet PTEs of one folio that differ in their write bit.
  const uint32_t mm = b.Mm();
  const HotPlace range = b.NewRange(mm, 4);
  const HotPlace half = b.Part(range);
  b.Add(Opcode::dontfork, {mm, half.vpn, half.npages});
  const uint32_t child = b.Add(Opcode::fork, {mm});
  b.Add(Opcode::dofork, {mm, half.vpn, half.npages});
  if (b.rnd().OneIn(2)) b.Add(Opcode::exit, {child});
  const HotPlace part = b.Part(range);
  if (b.rnd().OneIn(4)) {
    // Entries that agree in write again and differ in AnonExclusive.
    b.Add(Opcode::protect, {mm, range.vpn, range.npages, 1u});
    b.Add(Opcode::protect, {mm, part.vpn, part.npages, 3u});
  }
  if (b.rnd().OneIn(4)) {
    b.Add(Opcode::pin, {mm, part.vpn, part.npages, b.rnd().Below(kGupAllFlags + 1)});
  }
  if (b.rnd().OneIn(3)) {
    // Or swap entries of one folio in the swap cache that differ in their exclusive bit.
    const uint32_t iso = b.Add(Opcode::isolate, {mm, range.vpn});
    b.Add(Opcode::swap_add, {iso});
    b.Add(Opcode::try_to_unmap, {iso, uint32_t{kTtuBatchFlush}});
    const HotPlace in = b.Part(range);
    b.Add(b.rnd().OneIn(2) ? Opcode::read : Opcode::write, {mm, in.vpn, in.npages});
    b.Add(Opcode::putback, {iso});
    return;
  }
  b.Add(Opcode::free, {mm, range.vpn, range.npages});
  const HotPlace dirtied = b.Part(range);
  b.Add(Opcode::write, {mm, dirtied.vpn, dirtied.npages});
  if (b.rnd().OneIn(3)) b.Add(Opcode::fork, {mm});
  b.Add(b.rnd().OneIn(3) ? Opcode::reclaim : Opcode::pageout, {mm, range.vpn, range.npages});
  b.Add(Opcode::write, {mm, range.vpn, range.npages});
}

void LongtermPinBatched(FragmentBuilder& b) {
  // The page waits in a batch of one CPU when another CPU pins it for good and must move it.
  const uint32_t mm = b.Mm();
  const uint32_t other = b.OtherCpu();
  b.OnCpu(other);
  const HotPlace range = b.NewRange(mm, 1);
  if (b.rnd().OneIn(2)) b.Add(Opcode::drain, {});
  if (b.rnd().OneIn(2)) b.Add(Opcode::mark_accessed, {mm, range.vpn});
  b.OnCpu(b.OtherCpu());
  const HotPlace pinned = b.Part(range);
  const uint32_t pin =
      b.Add(Opcode::pin, {mm, pinned.vpn, pinned.npages, kGupLongterm | kGupWrite});
  if (b.rnd().OneIn(2)) b.Add(Opcode::pin, {mm, range.vpn, range.npages, kGupLongterm});
  b.Add(Opcode::pin_write, {pin});
  b.Add(Opcode::read, {mm, range.vpn, range.npages});
  if (b.rnd().OneIn(2)) b.Add(Opcode::unpin, {pin});
}

void MlockAcrossCpus(FragmentBuilder& b) {
  const uint32_t mm = b.Mm();
  const HotPlace range = b.Range(mm, 1);
  b.OnCpu(0);
  b.Add(Opcode::lock, {mm, range.vpn, range.npages});
  const uint32_t child = b.rnd().OneIn(2) ? b.Add(Opcode::fork, {mm}) : mm;
  b.OnCpu(b.OtherCpu());
  const HotPlace part = b.Part(range);
  b.Add(child != mm ? Opcode::lock : Opcode::unlock, {child, part.vpn, part.npages});
  if (b.rnd().OneIn(2)) b.Add(Opcode::drain, {});
  b.OnCpu(b.OtherCpu());
  b.Add(Opcode::unlock, {mm, range.vpn, range.npages});
  b.Add(b.rnd().OneIn(2) ? Opcode::drain : Opcode::drain_all, {});
  b.Add(b.rnd().OneIn(2) ? Opcode::unmap : Opcode::reclaim, {child, range.vpn, range.npages});
}

void PartialUnmapMigrate(FragmentBuilder& b) {
  const uint32_t mm = b.Mm();
  const HotPlace range = b.NewRange(mm, 4);
  const HotPlace gone = b.Part({mm, range.vpn + 1, range.npages - 1});
  b.Add(b.rnd().OneIn(2) ? Opcode::unmap : Opcode::dontneed, {mm, gone.vpn, gone.npages});
  const uint32_t node = b.rnd().Below(b.world().nodes);
  if (b.rnd().OneIn(2)) {
    b.Add(Opcode::migrate, {mm, range.vpn, range.npages, node});
  } else {
    const uint32_t mig = b.Add(Opcode::migrate_begin, {mm, range.vpn, node});
    if (b.rnd().OneIn(2)) b.Add(Opcode::unmap, {mm, range.vpn, 1});
    b.Add(Opcode::migrate_end, {mig});
  }
  b.Add(Opcode::write, {mm, range.vpn, range.npages});
}

void UnmapPhasesStale(FragmentBuilder& b) {
  const uint32_t mm = b.Mm();
  const HotPlace range = b.Range(mm, 1);
  const uint32_t other = b.OtherCpu();
  b.Add(Opcode::drain_all, {});
  const uint32_t vpn = range.vpn + b.rnd().Below(range.npages);
  b.OnCpu(other);
  b.Add(b.rnd().OneIn(2) ? Opcode::write : Opcode::read, {mm, range.vpn, range.npages});
  b.OnCpu(b.OtherCpu());
  const uint32_t iso = b.Add(Opcode::isolate, {mm, vpn});
  if (b.rnd().OneIn(3)) b.Add(Opcode::referenced, {iso});
  if (!b.rnd().OneIn(4)) b.Add(Opcode::swap_add, {iso});
  b.Add(Opcode::try_to_unmap, {iso, b.rnd().OneIn(4) ? 0u : uint32_t{kTtuBatchFlush}});
  b.OnCpu(other);
  b.Add(b.rnd().OneIn(2) ? Opcode::write : Opcode::read, {mm, range.vpn, range.npages});
  if (b.rnd().OneIn(2)) b.AddBetween(mm, range.vpn, range.npages);
  if (b.rnd().OneIn(2)) b.Add(Opcode::flush_batched, {});
  b.Add(b.rnd().OneIn(3) ? Opcode::putback : Opcode::remove_mapping, {iso});
  b.Add(Opcode::read, {mm, range.vpn, range.npages});
}

void FileShared(FragmentBuilder& b) {
  const uint32_t mm = b.Mm();
  const uint32_t n = b.rnd().Between(2, HotSpan(b.world()));
  const uint32_t file = b.Add(Opcode::file, {n, b.rnd().Below(8)});
  const uint32_t at = b.rnd().Below(b.world().tables) * b.world().table;
  const uint32_t shared = kMapRead | kMapWrite | kMapShared | kMapFixed;
  b.Add(Opcode::map, {mm, at, n, shared, file, 0});
  const uint32_t other = b.rnd().OneIn(2) ? b.Add(Opcode::fork, {mm}) : b.Add(Opcode::mm, {});
  const uint32_t flags = b.rnd().OneIn(2) ? shared : kMapRead | kMapWrite | kMapFixed;
  b.Add(Opcode::map, {other, at, n, flags, file, b.rnd().Below(2)});
  const HotPlace part = b.Part({mm, at, n});
  b.Add(Opcode::read, {mm, part.vpn, part.npages});
  b.Add(Opcode::write, {other, part.vpn, part.npages});
  b.AddBetween(b.rnd().OneIn(2) ? mm : other, at, n);
  b.Add(Opcode::read, {mm, at, n});
}

void ReadThenWrite(FragmentBuilder& b) {
  // Zero pages first, so that the write fault finds some PTEs of the aligned block in use.
  const uint32_t mm = b.Mm();
  const uint32_t n = b.rnd().Between(4, HotSpan(b.world()));
  const uint32_t at = b.rnd().Below(b.world().tables) * b.world().table;
  b.Add(Opcode::map, {mm, at, n, kMapRead | kMapWrite | kMapFixed, kNoFile, 0});
  const HotPlace part = b.Part({mm, at, n});
  b.Add(Opcode::read, {mm, part.vpn, part.npages});
  if (b.rnd().OneIn(2)) b.Add(Opcode::fork, {mm});
  b.Add(Opcode::write, {mm, at, n});
  b.Add(Opcode::unshare, {mm, part.vpn, part.npages});
}

constexpr Fragment kFragments[] = {
    {"fork_storm", "several forks in a row with writes and exits between", ForkStorm},
    {"boundary_straddle", "a range across a page-table boundary, changed around it",
     BoundaryStraddle},
    {"pin_then_fork", "pin, fork, write on either side, look through the pin", PinThenFork},
    {"lock_then_migrate", "mlock, then migrate with unlock and drains around", LockThenMigrate},
    {"free_redirty_reclaim", "MADV_FREE, dirty some of it again, reclaim", FreeRedirtyReclaim},
    {"batch_then_split", "put a folio in a per-CPU batch, split it, drain", BatchThenSplit},
    {"swap_fork_swap", "swap out, fork, swap in on either side", SwapForkSwap},
    {"migrate_around", "begin a migration, do other things, end it", MigrateAround},
    {"zap_with_access", "access through a stale TLB entry while a zap is open", ZapWithAccess},
    {"dontfork_half", "fork half a folio, then free, write and page out all of it", DontforkHalf},
    {"longterm_pin_batched", "pin for good what waits in another CPU's batch", LongtermPinBatched},
    {"mlock_across_cpus", "lock and unlock from different CPUs' mlock batches", MlockAcrossCpus},
    {"partial_unmap_migrate", "unmap part of a folio, then migrate the rest", PartialUnmapMigrate},
    {"unmap_phases_stale", "isolate, unmap with a deferred flush, access before the flush",
     UnmapPhasesStale},
    {"file_shared", "one file mapped twice, shared and private", FileShared},
    {"read_then_write", "zero pages, then writes and unsharing over them", ReadThenWrite},
};

}  // namespace

absl::Span<const Fragment> AllFragments() { return kFragments; }

}  // namespace mmdiff
