#include "program/fragments.h"

#include <algorithm>
#include <bit>

#include "program/generate.h"
#include "program/world.h"

namespace mmdiff {

FragmentBuilder::FragmentBuilder(ArgContext* context, Random* rnd, std::vector<Op>* out)
    : context_(context), rnd_(rnd), out_(out) {
  cpu_ = static_cast<uint8_t>(rnd->OneIn(2) ? 0 : rnd->Below(world().cpus));
}

uint32_t FragmentBuilder::Add(Opcode code, std::initializer_list<uint32_t> args) {
  Op op;
  op.code = code;
  op.cpu = cpu_;
  const OpDesc& desc = DescOf(code);
  size_t a = 0;
  for (const uint32_t arg : args) {
    op.arg[a] = FixupArg(desc.args[a].kind, arg, world(), context_->bound());
    ++a;
  }
  const uint32_t id = desc.result == ArgKind::kNone ? 0 : context_->bound()[desc.result];
  context_->Note(op);
  out_->push_back(op);
  return id;
}

uint32_t FragmentBuilder::OtherCpu() const {
  const uint32_t cpus = world().cpus;
  return cpus < 2 ? 0 : (cpu_ + 1 + rnd_->Below(cpus - 1)) % cpus;
}

void FragmentBuilder::AddBetween(uint32_t mm, uint32_t vpn, uint32_t npages) {
  const HotPlace part = Part({mm, vpn, npages});
  const uint32_t at = part.vpn, n = part.npages;
  switch (rnd_->Below(16)) {
    case 0:
      Add(Opcode::fork, {mm});
      break;
    case 1:
      Add(Opcode::unmap, {mm, at, n});
      break;
    case 2:
      Add(Opcode::protect, {mm, at, n, rnd_->OneIn(2) ? 1u : 3u});
      break;
    case 3:
      Add(Opcode::write, {mm, at, n});
      break;
    case 4:
      Add(Opcode::read, {mm, at, n});
      break;
    case 5:
      Add(Opcode::pin, {mm, at, n, rnd_->Below(kGupAllFlags + 1)});
      break;
    case 6:
      Add(Opcode::lock, {mm, at, n});
      break;
    case 7:
      Add(Opcode::unlock, {mm, at, n});
      break;
    case 8:
      Add(Opcode::dontneed, {mm, at, n});
      break;
    case 9:
      Add(Opcode::free, {mm, at, n});
      break;
    case 10:
      Add(Opcode::pageout, {mm, at, n});
      break;
    case 11:
      Add(rnd_->OneIn(2) ? Opcode::drain : Opcode::drain_all, {});
      break;
    case 12:
      Add(Opcode::split, {mm, at});
      break;
    case 13:
      Add(Opcode::exit, {mm});
      break;
    case 14:
      Add(Opcode::flush_batched, {});
      break;
    default:
      Add(Opcode::reclaim, {mm, at, n});
      break;
  }
}

uint32_t FragmentBuilder::Mm() {
  if (!context_->HasLive(ArgKind::kMm)) return Add(Opcode::mm, {});
  return context_->PickHandle(ArgKind::kMm, rnd_);
}

HotPlace FragmentBuilder::NewRange(uint32_t mm, uint32_t min) {
  const World& w = world();
  // As many sizes as fit into the span: 1, 2, 4, ...
  const uint32_t sizes = static_cast<uint32_t>(std::bit_width(HotSpan(w)));
  uint32_t npages = std::max(min, 1u << rnd_->Below(sizes));
  if (rnd_->OneIn(3)) npages += rnd_->Between(1, 3);
  npages = std::min(npages, w.arena());
  // Starts and ends near a table boundary half the time, at a folio boundary mostly.
  uint32_t vpn = rnd_->Below(w.tables) * w.table;
  if (rnd_->OneIn(2)) {
    vpn += rnd_->Below(w.table) & ~((1u << rnd_->Below(MaxOrder(w) + 1)) - 1);
  } else if (vpn >= npages / 2) {
    vpn -= npages / 2;
  }
  vpn = std::min(vpn, w.arena() - npages);
  uint32_t flags = kMapRead | kMapWrite | kMapFixed;
  if (rnd_->OneIn(8)) flags |= kMapNoHuge;
  if (rnd_->OneIn(10)) flags |= kMapShared;
  Add(Opcode::map, {mm, vpn, npages, flags, kNoFile, 0});
  Add(Opcode::write, {mm, vpn, npages});
  return {mm, vpn, npages};
}

HotPlace FragmentBuilder::Range(uint32_t mm, uint32_t min) {
  HotPlace place = context_->PickPlace(mm, rnd_);
  if (place.mm != mm || place.npages < min || rnd_->OneIn(3)) return NewRange(mm, min);
  if (rnd_->OneIn(2)) Add(Opcode::write, {mm, place.vpn, place.npages});
  return place;
}

HotPlace FragmentBuilder::Part(const HotPlace& whole) {
  HotPlace part = whole;
  if (whole.npages < 2) return part;
  switch (rnd_->Below(5)) {
    case 0:
      part.npages = whole.npages / 2;
      break;
    case 1:
      part.npages = whole.npages / 2;
      part.vpn += whole.npages - part.npages;
      break;
    case 2:
      part.vpn += rnd_->Below(whole.npages);
      part.npages = 1;
      break;
    case 3:
      --part.npages;
      part.vpn += rnd_->Below(2);
      break;
    default:
      break;
  }
  return part;
}

const Fragment* FindFragment(std::string_view name) {
  for (const Fragment& fragment : AllFragments()) {
    if (fragment.name == name) return &fragment;
  }
  return nullptr;
}

void EmitRandomFragment(ArgContext* context, Random* rnd, std::vector<Op>* out) {
  const absl::Span<const Fragment> all = AllFragments();
  FragmentBuilder builder(context, rnd, out);
  all[rnd->Below(static_cast<uint32_t>(all.size()))].emit(builder);
}

}  // namespace mmdiff
