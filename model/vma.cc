#include "model/vma.h"

#include <algorithm>

#include "model/kernel.h"

MMDIFF_MODEL_BEGIN

namespace {

// Holds the rmap structures of a VMA still while its range changes: the VMA (and a neighbour of the
// same file and root) is out of them from here to the end.
class RmapChange {
 public:
  RmapChange(Vma& vma, Vma* other, AnonVma* anon_vma) : vma_(vma), other_(other), file_(vma.file) {
    if (anon_vma != nullptr) root_ = anon_vma->root;
    if (file_ != nullptr) file_->i_mmap_lock.lock();
    if (root_ != nullptr) root_->lock.lock();
    Remove(vma_);
    if (other_ != nullptr) Remove(*other_);
  }
  ~RmapChange() {
    Insert(vma_);
    if (other_ != nullptr) Insert(*other_);
    if (root_ != nullptr) root_->lock.unlock();
    if (file_ != nullptr) file_->i_mmap_lock.unlock();
  }
  RmapChange(const RmapChange&) = delete;
  RmapChange& operator=(const RmapChange&) = delete;
  void Forget() { other_ = nullptr; }  // the other VMA is about to be freed: it does not come back

 private:
  static void Remove(Vma& vma) {
    if (vma.file != nullptr) vma.file->i_mmap.Remove(&vma);
    for (AnonVmaChain* avc : vma.anon_vma_chain) avc->anon_vma->chains.Remove(avc);
  }
  static void Insert(Vma& vma) {
    if (vma.file != nullptr) vma.file->i_mmap.Insert(&vma);
    for (AnonVmaChain* avc : vma.anon_vma_chain) avc->anon_vma->chains.Insert(avc);
  }
  Vma& vma_;
  Vma* other_;
  FileObject* file_;
  AnonVma* root_ = nullptr;
};

Vma* AllocVma(Task& t, Mm& mm) {
  Vma* vma = t.k.vmas.Alloc();
  vma->mm = &mm;
  vma->anon_vma = nullptr;
  vma->file = nullptr;
  vma->flags = 0;
  return vma;
}

size_t PositionOf(const Mm& mm, const Vma& vma) {
  size_t pos = 0;
  find_vma(mm, vma.start, &pos);
  return pos;
}

void InsertAt(Task& t, Mm& mm, size_t pos, Vma* vma) {
  mm.vmas.insert(mm.vmas.begin() + static_cast<std::ptrdiff_t>(pos), vma);
  touch_vma(t, *vma);
  touch_mm(t, mm);
}

bool AnonCompatible(const Vma& a, const Vma& b) {
  AnonVma* x = a.anon_vma;
  AnonVma* y = b.anon_vma;
  if (x == y) return true;
  if (x == nullptr) return b.anon_vma_chain.size() == 1;
  if (y == nullptr) return a.anon_vma_chain.size() == 1;
  return false;
}

// What a new or changed part of an address space would look like, for the merge tests.
struct Piece {
  uint32_t start, end, flags, pgoff;
  FileObject* file;
  const Vma* anon_of;  // the VMA whose anon_vma the piece has, or nullptr
};

bool SameKind(const Vma& vma, const Piece& p) { return vma.flags == p.flags && vma.file == p.file; }
bool MergesLeft(const Vma& prev, const Piece& p) {
  return prev.end == p.start && SameKind(prev, p) && prev.pgoff + prev.pages() == p.pgoff &&
         (p.anon_of == nullptr ? prev.anon_vma == nullptr || prev.anon_vma_chain.size() == 1
                               : AnonCompatible(prev, *p.anon_of));
}
bool MergesRight(const Piece& p, const Vma& next) {
  return p.end == next.start && SameKind(next, p) && p.pgoff + (p.end - p.start) == next.pgoff &&
         (p.anon_of == nullptr ? next.anon_vma == nullptr || next.anon_vma_chain.size() == 1
                               : AnonCompatible(next, *p.anon_of));
}
// Both at once: the outer two become one VMA, so they must agree too.
bool OuterCompatible(const Vma& prev, const Vma& next) {
  AnonVma* p = prev.anon_vma;
  AnonVma* n = next.anon_vma;
  return p == n || p == nullptr || n == nullptr;
}

// The survivor of a merge takes the anon_vma of the other where it has none.
void InheritAnonVma(Task& t, Vma& to, Vma& from) {
  if (to.anon_vma != nullptr || from.anon_vma == nullptr) return;
  AnonVma* root = from.anon_vma->root;
  sync::Guard guard(root->lock);
  anon_vma_clone(t, to, from);
  touch_vma(t, to);
}

void SetRange(Task& t, Vma& vma, uint32_t start, uint32_t end, uint32_t pgoff) {
  vma.start = start;
  vma.end = end;
  vma.pgoff = pgoff;
  touch_vma(t, vma);
}

// Changes one VMA's range.
void Adjust(Task& t, Vma& vma, uint32_t start, uint32_t end, uint32_t pgoff) {
  RmapChange change(vma, nullptr, vma.anon_vma);
  SetRange(t, vma, start, end, pgoff);
}

void Unlink(Task& t, Vma& vma) {
  unlink_anon_vmas(t, vma);
  if (vma.file != nullptr) {
    sync::Guard guard(vma.file->i_mmap_lock);
    vma.file->i_mmap.Remove(&vma);
    if (vma.file->i_mmap.empty() && vma.file->shmem) shmem_file_unused(t, *vma.file);
  }
  vma.mm = nullptr;
  touch_vma(t, vma);
  t.k.vmas.Free(&vma);
}

// Merges [start, end) of `vma` into prev, and next into it too if given. The survivor grows before
// the others go, so that a walk of the rmap finds each entry at any time.
Vma* MergeIntoPrev(Task& t, Mm& mm, size_t pos, uint32_t end, bool with_next) {
  Vma& prev = *mm.vmas[pos - 1];
  Vma& vma = *mm.vmas[pos];
  InheritAnonVma(t, prev, vma);
  if (with_next) {
    Vma& next = *mm.vmas[pos + 1];
    InheritAnonVma(t, prev, next);
    Adjust(t, prev, prev.start, next.end, prev.pgoff);
    remove_vmas(t, mm, pos, pos + 2);
    return &prev;
  }
  if (end == vma.end) {
    Adjust(t, prev, prev.start, end, prev.pgoff);
    remove_vmas(t, mm, pos, pos + 1);
    return &prev;
  }
  RmapChange change(prev, &vma, prev.anon_vma);
  SetRange(t, prev, prev.start, end, prev.pgoff);
  SetRange(t, vma, end, vma.end, vma.pgoff_of(end));
  return &prev;
}

// Merges [start, vma.end) of the VMA at pos into next.
Vma* MergeIntoNext(Task& t, Mm& mm, size_t pos, uint32_t start) {
  Vma& vma = *mm.vmas[pos];
  Vma& next = *mm.vmas[pos + 1];
  InheritAnonVma(t, next, vma);
  const uint32_t pgoff = vma.pgoff_of(start);
  if (start == vma.start) {
    Adjust(t, next, start, next.end, pgoff);
    remove_vmas(t, mm, pos, pos + 1);
    return &next;
  }
  RmapChange change(next, &vma, next.anon_vma);
  SetRange(t, vma, vma.start, start, vma.pgoff);
  SetRange(t, next, start, next.end, pgoff);
  return &next;
}

}  // namespace

Vma* find_vma(const Mm& mm, uint32_t vpn, size_t* pos) {
  const auto it = std::upper_bound(mm.vmas.begin(), mm.vmas.end(), vpn,
                                   [](uint32_t v, const Vma* vma) { return v < vma->end; });
  if (pos != nullptr) *pos = static_cast<size_t>(it - mm.vmas.begin());
  return it == mm.vmas.end() ? nullptr : *it;
}

Vma* vma_lookup(const Mm& mm, uint32_t vpn) {
  Vma* vma = find_vma(mm, vpn);
  return vma != nullptr && vma->start <= vpn ? vma : nullptr;
}

Vma* split_vma(Task& t, Vma& vma, uint32_t vpn) {
  Mm& mm = *vma.mm;
  Vma* upper = AllocVma(t, mm);
  upper->flags = vma.flags;
  upper->file = vma.file;
  SetRange(t, *upper, vpn, vma.end, vma.pgoff_of(vpn));
  {
    RmapChange change(vma, nullptr, vma.anon_vma);
    vma.end = vpn;
    touch_vma(t, vma);
    anon_vma_clone(t, *upper, vma);
    if (upper->file != nullptr) upper->file->i_mmap.Insert(upper);
  }
  InsertAt(t, mm, PositionOf(mm, vma) + 1, upper);
  return upper;
}

Vma* vma_modify_flags(Task& t, Vma& vma, uint32_t start, uint32_t end, uint32_t new_flags) {
  Mm& mm = *vma.mm;
  const size_t pos = PositionOf(mm, vma);
  const Piece piece{start, end, new_flags, vma.pgoff_of(start), vma.file, &vma};
  const bool at_left = vma.start == start;
  const bool at_right = vma.end == end;
  Vma* prev = at_left && pos > 0 ? mm.vmas[pos - 1] : nullptr;
  Vma* next = at_right && pos + 1 < mm.vmas.size() ? mm.vmas[pos + 1] : nullptr;
  if (prev != nullptr && !MergesLeft(*prev, piece)) prev = nullptr;
  if (next != nullptr && !MergesRight(piece, *next)) next = nullptr;
  if (prev != nullptr && next != nullptr && !OuterCompatible(*prev, *next)) next = nullptr;
  if (prev != nullptr) return MergeIntoPrev(t, mm, pos, end, next != nullptr);
  if (next != nullptr) return MergeIntoNext(t, mm, pos, start);

  Vma* middle = &vma;
  if (!at_left) {
    if (mm.map_count() >= t.k.world.maps) return nullptr;
    middle = split_vma(t, vma, start);
  }
  if (!at_right) {
    if (mm.map_count() >= t.k.world.maps) return nullptr;
    split_vma(t, *middle, end);
  }
  middle->flags = new_flags;
  touch_vma(t, *middle);
  return middle;
}

Vma* vma_map(Task& t, Mm& mm, uint32_t start, uint32_t end, uint32_t flags, FileObject* file,
             uint32_t pgoff) {
  size_t pos = 0;
  find_vma(mm, start, &pos);
  const Piece piece{start, end, flags, pgoff, file, nullptr};
  Vma* prev = pos > 0 ? mm.vmas[pos - 1] : nullptr;
  Vma* next = pos < mm.vmas.size() ? mm.vmas[pos] : nullptr;
  if (prev != nullptr && !MergesLeft(*prev, piece)) prev = nullptr;
  if (next != nullptr && !MergesRight(piece, *next)) next = nullptr;
  if (prev != nullptr && next != nullptr && !OuterCompatible(*prev, *next)) next = nullptr;
  if (prev != nullptr) {
    uint32_t last = end;
    if (next != nullptr) {
      InheritAnonVma(t, *prev, *next);
      last = next->end;
    }
    Adjust(t, *prev, prev->start, last, prev->pgoff);
    if (next != nullptr) remove_vmas(t, mm, pos, pos + 1);
    return prev;
  }
  if (next != nullptr) {
    Adjust(t, *next, start, next->end, pgoff);
    return next;
  }
  Vma* vma = AllocVma(t, mm);
  vma->flags = flags;
  vma->file = file;
  SetRange(t, *vma, start, end, pgoff);
  if (file != nullptr) {
    sync::Guard guard(file->i_mmap_lock);
    file->i_mmap.Insert(vma);
  }
  InsertAt(t, mm, pos, vma);
  return vma;
}

void remove_vmas(Task& t, Mm& mm, size_t first, size_t last) {
  for (size_t i = first; i < last; ++i) Unlink(t, *mm.vmas[i]);
  mm.vmas.erase(mm.vmas.begin() + static_cast<std::ptrdiff_t>(first),
                mm.vmas.begin() + static_cast<std::ptrdiff_t>(last));
  touch_mm(t, mm);
}

Vma* vma_dup(Task& t, Mm& mm, const Vma& src) {
  Vma* vma = AllocVma(t, mm);
  vma->flags = src.flags;
  vma->file = src.file;
  SetRange(t, *vma, src.start, src.end, src.pgoff);
  return vma;
}

void vma_link_last(Task& t, Vma& vma) {
  if (vma.file != nullptr) {
    sync::Guard guard(vma.file->i_mmap_lock);
    vma.file->i_mmap.Insert(&vma);
  }
  InsertAt(t, *vma.mm, vma.mm->vmas.size(), &vma);
}

MMDIFF_MODEL_END
