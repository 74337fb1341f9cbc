// The life of anon_vmas: attached at the first anonymous page, cloned at splits and merges, forked,
// dropped with the last VMA that is chained to them. The first half of the kernel's rmap.c.
#include "model/kernel.h"

MMDIFF_MODEL_BEGIN

namespace {

AnonVma* AllocAnonVma(Task& t, AnonVma* parent) {
  AnonVma* a = t.k.anon_vmas.Alloc();
  a->parent = parent != nullptr ? parent : a;
  a->root = parent != nullptr ? static_cast<AnonVma*>(parent->root) : a;
  a->num_children = 0;
  a->num_active_vmas = 0;
  a->refs = 0;
  a->chains.clear();
  return a;
}

// Chains the VMA to the anon_vma; the root's lock is held for write.
void Link(Task& t, Vma& vma, AnonVma& anon_vma) {
  AnonVmaChain* avc = t.k.chains.Alloc();
  avc->vma = &vma;
  avc->anon_vma = &anon_vma;
  vma.anon_vma_chain.push_back(avc);
  anon_vma.chains.Insert(avc);
}

// Takes a VMA's link out. The last one gone, the anon_vma is no child of its parent any more.
void Unlink(AnonVmaChain* avc) {
  AnonVma& a = *avc->anon_vma;
  a.chains.Remove(avc);
  if (!a.chains.empty()) return;
  if (a.parent != &a) --a.parent->num_children;
  MMDIFF_BUG_ON(a.num_active_vmas != 0, "anon_vma unlinked while a VMA uses it");
}

// Nothing needs the anon_vma any more.
bool Dead(const AnonVma& a) { return a.chains.empty() && a.refs == 0; }

// Whether `b` follows `a` and equals it in all that a merge needs but access rights.
bool Alike(const Vma& a, const Vma& b) {
  constexpr uint32_t kAccess = kVmRead | kVmWrite;
  return a.end == b.start && a.file == b.file && (a.flags & ~kAccess) == (b.flags & ~kAccess) &&
         a.pgoff + a.pages() == b.pgoff;
}

AnonVma* Singular(const Vma& vma) {
  AnonVma* a = vma.anon_vma;
  return a != nullptr && vma.anon_vma_chain.size() == 1 ? a : nullptr;
}

// A neighbour's anon_vma, so that the two VMAs can merge later: the next one's, then the previous
// one's.
AnonVma* FindMergeable(const Vma& vma) {
  const Mm& mm = *vma.mm;
  size_t pos = 0;
  find_vma(mm, vma.start, &pos);
  if (pos + 1 < mm.vmas.size() && Alike(vma, *mm.vmas[pos + 1])) {
    if (AnonVma* a = Singular(*mm.vmas[pos + 1]); a != nullptr) return a;
  }
  if (pos > 0 && Alike(*mm.vmas[pos - 1], vma)) return Singular(*mm.vmas[pos - 1]);
  return nullptr;
}

}  // namespace

uint32_t AnonVmaChain::interval_start() const { return vma->interval_start(); }
uint32_t AnonVmaChain::interval_last() const { return vma->interval_last(); }

void anon_vma_prepare(Task& t, Vma& vma) {
  if (vma.anon_vma != nullptr) return;
  sync::Guard prepare(vma.mm->prepare_lock);
  if (vma.anon_vma != nullptr) return;
  AnonVma* a = FindMergeable(vma);
  if (a == nullptr) a = AllocAnonVma(t, nullptr);
  AnonVma* root = a->root;
  sync::Guard guard(root->lock);
  Link(t, vma, *a);
  ++a->num_active_vmas;
  vma.anon_vma = a;
  touch_vma(t, vma);
}

void anon_vma_clone(Task& t, Vma& dst, Vma& src) {
  MMDIFF_BUG_ON(!dst.anon_vma_chain.empty(), "anon_vma_clone: destination is chained already");
  if (src.anon_vma == nullptr) return;
  for (AnonVmaChain* avc : src.anon_vma_chain) Link(t, dst, *avc->anon_vma);
  dst.anon_vma = src.anon_vma;
  ++dst.anon_vma->num_active_vmas;
}

void anon_vma_fork(Task& t, Vma& child, Vma& parent) {
  if (parent.anon_vma == nullptr) return;
  AnonVma* root = parent.anon_vma->root;
  sync::Guard guard(root->lock);
  AnonVma* own = nullptr;
  for (AnonVmaChain* avc : parent.anon_vma_chain) {
    AnonVma& a = *avc->anon_vma;
    // An ancestor whose own VMAs are gone is used again, so that a line of forks does not grow
    // without end.
    if (own == nullptr && a.parent != &a && a.num_active_vmas == 0 && a.num_children <= 1) own = &a;
    Link(t, child, a);
  }
  if (own == nullptr) {
    own = AllocAnonVma(t, parent.anon_vma);
    ++own->parent->num_children;
    Link(t, child, *own);
  }
  ++own->num_active_vmas;
  child.anon_vma = own;
}

void unlink_anon_vmas(Task& t, Vma& vma) {
  if (vma.anon_vma == nullptr) {
    MMDIFF_BUG_ON(!vma.anon_vma_chain.empty(), "VMA without anon_vma is chained to one");
    return;
  }
  {
    AnonVma* root = vma.anon_vma->root;
    sync::Guard guard(root->lock);
    --vma.anon_vma->num_active_vmas;
    vma.anon_vma = nullptr;
    // Children before parents: they stand later in the chain.
    for (size_t i = vma.anon_vma_chain.size(); i-- > 0;) {
      AnonVmaChain* avc = vma.anon_vma_chain[i];
      Unlink(avc);
      if (!Dead(*avc->anon_vma)) avc->anon_vma = nullptr;
    }
  }
  for (AnonVmaChain* avc : vma.anon_vma_chain) {
    if (avc->anon_vma != nullptr) t.k.anon_vmas.Free(avc->anon_vma);
    t.k.chains.Free(avc);
  }
  vma.anon_vma_chain.clear();
}

AnonVma* folio_get_anon_vma(Task&, Folio& folio) {
  if (!folio.anon() || !folio.mapped()) return nullptr;
  AnonVma* anon_vma = folio.anon_vma;
  AnonVma* root = anon_vma->root;
  sync::Guard guard(root->lock);
  if (!folio.mapped()) return nullptr;  // it may be another folio's by now: see rmap_walk
  ++anon_vma->refs;
  ++root->refs;  // whose lock it needs
  return anon_vma;
}

void put_anon_vma(Task& t, AnonVma& anon_vma) {
  AnonVma* root = anon_vma.root;
  bool dead = false;
  bool root_dead = false;
  {
    sync::Guard guard(root->lock);
    --anon_vma.refs;
    --root->refs;
    dead = &anon_vma != root && Dead(anon_vma);
    root_dead = Dead(*root);
  }
  if (dead) t.k.anon_vmas.Free(&anon_vma);
  if (root_dead) t.k.anon_vmas.Free(root);
}

MMDIFF_MODEL_END
