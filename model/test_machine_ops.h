// TestMachine with a method for each operation on the LRU, reclaim, migration, GUP and mlock. For
// tests only; a call costs what TestMachine::Run costs.
#ifndef MMDIFF_MODEL_TEST_MACHINE_OPS_H_
#define MMDIFF_MODEL_TEST_MACHINE_OPS_H_

#include "model/test_machine.h"

namespace mmdiff::model {

class ReclaimMachine : public TestMachine {
 public:
  using TestMachine::TestMachine;

  OpResult Free(uint32_t m, uint32_t vpn, uint32_t n) {
    return Run(&Model::free, args::free{m, vpn, n});
  }
  OpResult Cold(uint32_t m, uint32_t vpn, uint32_t n) {
    return Run(&Model::cold, args::cold{m, vpn, n});
  }
  OpResult Pageout(uint32_t m, uint32_t vpn, uint32_t n) {
    return Run(&Model::pageout, args::pageout{m, vpn, n});
  }
  OpResult Dontfork(uint32_t m, uint32_t vpn, uint32_t n) {
    return Run(&Model::dontfork, args::dontfork{m, vpn, n});
  }
  OpResult Dofork(uint32_t m, uint32_t vpn, uint32_t n) {
    return Run(&Model::dofork, args::dofork{m, vpn, n});
  }
  OpResult Lock(uint32_t m, uint32_t vpn, uint32_t n) {
    return Run(&Model::lock, args::lock{m, vpn, n});
  }
  OpResult LockOnFault(uint32_t m, uint32_t vpn, uint32_t n) {
    return Run(&Model::lock_onfault, args::lock_onfault{m, vpn, n});
  }
  OpResult Unlock(uint32_t m, uint32_t vpn, uint32_t n) {
    return Run(&Model::unlock, args::unlock{m, vpn, n});
  }
  OpResult MarkAccessed(uint32_t m, uint32_t vpn) {
    return Run(&Model::mark_accessed, args::mark_accessed{m, vpn});
  }
  OpResult Drain() { return Run(&Model::drain, args::drain{}); }
  OpResult DrainAll() { return Run(&Model::drain_all, args::drain_all{}); }
  OpResult Isolate(uint32_t m, uint32_t vpn, uint32_t iso = 0) {
    return Run(&Model::isolate, args::isolate{m, vpn}, iso);
  }
  OpResult Referenced(uint32_t iso = 0) { return Run(&Model::referenced, args::referenced{iso}); }
  OpResult SwapAdd(uint32_t iso = 0) { return Run(&Model::swap_add, args::swap_add{iso}); }
  OpResult TryToUnmap(uint32_t iso = 0, uint32_t flags = 0) {
    return Run(&Model::try_to_unmap, args::try_to_unmap{iso, flags});
  }
  OpResult RemoveMapping(uint32_t iso = 0) {
    return Run(&Model::remove_mapping, args::remove_mapping{iso});
  }
  OpResult Putback(uint32_t iso = 0) { return Run(&Model::putback, args::putback{iso}); }
  OpResult Reclaim(uint32_t m, uint32_t vpn, uint32_t n) {
    return Run(&Model::reclaim, args::reclaim{m, vpn, n});
  }
  OpResult MigrateBegin(uint32_t m, uint32_t vpn, uint32_t node, uint32_t mig = 0) {
    return Run(&Model::migrate_begin, args::migrate_begin{m, vpn, node}, mig);
  }
  OpResult MigrateEnd(uint32_t mig = 0) { return Run(&Model::migrate_end, args::migrate_end{mig}); }
  OpResult MigrateAbort(uint32_t mig = 0) {
    return Run(&Model::migrate_abort, args::migrate_abort{mig});
  }
  OpResult Migrate(uint32_t m, uint32_t vpn, uint32_t n, uint32_t node) {
    return Run(&Model::migrate, args::migrate{m, vpn, n, node});
  }
  OpResult Split(uint32_t m, uint32_t vpn) { return Run(&Model::split, args::split{m, vpn}); }
  OpResult Pin(uint32_t m, uint32_t vpn, uint32_t n, uint32_t flags, uint32_t pin = 0) {
    return Run(&Model::pin, args::pin{m, vpn, n, flags}, pin);
  }
  OpResult Unpin(uint32_t pin = 0) { return Run(&Model::unpin, args::unpin{pin}); }
  OpResult UnpinDirty(uint32_t pin = 0) { return Run(&Model::unpin_dirty, args::unpin_dirty{pin}); }
  OpResult PinRead(uint32_t pin = 0) { return Run(&Model::pin_read, args::pin_read{pin}); }
  OpResult PinWrite(uint32_t pin = 0) { return Run(&Model::pin_write, args::pin_write{pin}); }

  // How often the last operation recorded a choice of this kind.
  uint32_t recorded(ChoiceKind kind) const {
    uint32_t n = 0;
    for (size_t i = 0; i < choices().size(); ++i) n += choices().at(i).kind == kind;
    return n;
  }
  // Whether the folio at vpn has all of these flags.
  bool has(uint32_t m, uint32_t vpn, uint32_t folio_flags) const {
    return (folio_at(m, vpn).flags & folio_flags) == folio_flags;
  }
  PageState page_at(uint32_t m, uint32_t vpn) const {
    const PteState entry = pte(m, vpn);
    for (const PageState& s : state().pages) {
      if (s.folio == entry.folio && s.offset == entry.offset) return s;
    }
    ADD_FAILURE() << "no page at m" << m << " " << vpn;
    return PageState{};
  }
};

}  // namespace mmdiff::model

#endif  // MMDIFF_MODEL_TEST_MACHINE_OPS_H_
