#include "reference/engine.h"

#include <algorithm>

#include "reference/reference.h"

namespace mmdiff {

std::unique_ptr<Implementation> MakeReference() { return std::make_unique<reference::Engine>(); }

namespace reference {

Engine::Engine() {
  info_.name = "reference";
  info_.is_reference = true;
}

void Engine::Reset(const World& world) {
  world_ = world;
  for (Mm* mm : live_) {
    mm->ForEachUsed(0, static_cast<uint32_t>(mm->ptes.size()),
                    [&](uint32_t vpn) { mm->ptes[vpn] = Pte{}; });
    std::fill(mm->used.begin(), mm->used.end(), 0);
    for (uint32_t cpu = 0; cpu < mm->tlbs.size(); ++cpu) {
      std::vector<TlbEntry>& tlb = mm->tlbs[cpu];
      ForEachBit(mm->tlb_used[cpu], 0, static_cast<uint32_t>(tlb.size()),
                 [&](uint32_t vpn) { tlb[vpn] = TlbEntry{}; });
      std::fill(mm->tlb_used[cpu].begin(), mm->tlb_used[cpu].end(), 0);
    }
    mm->vmas.clear();
    mm->alive = false;
  }
  live_.clear();
  mm_of_handle_.clear();
  for (size_t i = 0; i < files_used_; ++i) files_[i].cache.clear();
  files_used_ = 0;
  file_of_handle_.clear();
  file_of_shmem_.clear();
  anon_vmas_.clear();
  chains_.clear();
  folios_.clear();
  pages_.clear();
  allocated_.clear();
  swap_.assign(world.swap, SwapSlot{});
  batches_.resize(world.cpus * kBatchKinds);
  for (auto& batch : batches_) batch.clear();
  isos_.clear();
  migrations_.clear();
  for (Pin& pin : pins_) {
    pin.open = false;
    pin.pages.clear();
  }
  for (Gather& g : zaps_) {
    g.open = false;
    g.pages.clear();
  }
  composite_.clear();
  moving_.clear();
  for (auto* list : {&to_migrate_, &again_, &split_off_, &stayed_}) list->clear();
  gather_.pages.clear();
  delayed_.clear();
  lru_cache_disabled_ = false;
  vmas_changed_ = false;

  touched_folios_.clear();
  folio_touched_.clear();
  folio_hash_.clear();
  touched_mms_.clear();
  mm_touched_.assign(mms_.size(), 0);
  mm_hash_.assign(mms_.size(), 0);
  touched_slots_.clear();
  slot_touched_.assign(world.swap, 0);
  slot_hash_.assign(world.swap, 0);
  batch_touched_ = 0;
  batch_hash_.assign(batches_.size(), 0);
  anything_touched_ = false;
  CountEverything();
  stat_hash_ = FactHash(StatFact());
  sum_ = stat_hash_;
}

OpResult Engine::check(const args::check&, OpContext&) { return OpResult{}; }

}  // namespace reference
}  // namespace mmdiff
