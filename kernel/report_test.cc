#include "kernel/report.h"

#include <string>

#include "gtest/gtest.h"

namespace mmdiff {
namespace {

void Expect(const std::string& console, const std::string& kind, const std::string& where,
            const std::string& title_has = "") {
  const KernelReport r = ReadKernelReport(console);
  EXPECT_EQ(r.kind, kind) << console;
  EXPECT_EQ(r.where, where) << console;
  EXPECT_NE(r.title.find(title_has), std::string::npos) << r.title;
  EXPECT_EQ(r.title.find('\n'), std::string::npos);
}

TEST(KernelReport, FindsNothingInAnOrdinaryBoot) {
  const KernelReport r = ReadKernelReport(
      "Core dump limits :\n\tsoft - 0\n[    0.000000] Linux version 6.12.117\n"
      "<4>[    0.010000] mempolicy: bugs are fixed, warnings are off\n");
  EXPECT_EQ(r.kind, "");
  EXPECT_EQ(r.where, "");
  EXPECT_EQ(ReadKernelReport("").kind, "");
}

TEST(KernelReport, Warning) {
  Expect(
      "[    0.420000] ------------[ cut here ]------------\n"
      "[    0.420000] WARNING: CPU: 0 PID: 1 at mm/rmap.c:1437 "
      "folio_add_anon_rmap_ptes+0x1b2/0x2e0\n"
      "[    0.420000] Modules linked in:\n"
      "[    0.420000] RIP: 0033:other_function+0x2/0x3\n"
      "Kernel panic - not syncing: kernel: panic_on_warn set ...\n",
      "warning", "folio_add_anon_rmap_ptes", "mm/rmap.c:1437");
  // The order of Linux 6.18 and later.
  Expect(
      "WARNING: mm/rmap.c:99 at __folio_rmap_sanity_checks.part.0+0x1b2/0x2e0, CPU#0: swapper/1\n",
      "warning", "__folio_rmap_sanity_checks");
  // A message without a place, then the registers.
  Expect(
      "<4>[  1.5][   T1] WARNING: CPU: 0 PID: 1 at mm/memory.c:12 0x0\nRIP: 0033:zap_pte+0x1/0x2\n",
      "warning", "zap_pte");
}

TEST(KernelReport, BugOnX86AndOnUserModeLinux) {
  Expect(
      "page: refcount:1 mapcount:-1 mapping:0000000000000000 index:0x0 pfn:0x1\n"
      "page dumped because: VM_BUG_ON_FOLIO(!folio_test_locked(folio))\n"
      "------------[ cut here ]------------\nkernel BUG at mm/huge_memory.c:3400!\n"
      "Oops: invalid opcode: 0000 [#1] PREEMPT SMP KASAN\n"
      "RIP: 0010:split_huge_page_to_list_to_order+0x55/0x700\n",
      "bug", "split_huge_page_to_list_to_order", "(VM_BUG_ON_FOLIO(!folio_test_locked(folio)))");
  Expect(
      "BUG: failure at mm/rmap.c:1234/__folio_add_rmap()!\nKernel panic - not syncing: BUG!\n"
      "Call Trace:\n [<60012345>] ? show_stack+0x1/0x2\n",
      "bug", "__folio_add_rmap");
  Expect("kernel BUG at mm/swapfile.c:77!\n", "bug", "mm/swapfile.c:77");
  Expect(
      "BUG: sleeping function called from invalid context at mm/vma.c:3\nCall Trace:\n"
      " <TASK>\n dump_stack_lvl+0x1/0x2\n __might_resched+0x1/0x2\n unmap_vmas+0x3/0x4\n",
      "bug", "unmap_vmas");
}

TEST(KernelReport, BadPageAndRss) {
  Expect(
      "BUG: Bad page state in process swapper  pfn:01234\n"
      "page: refcount:0 mapcount:1 mapping:0000000000000000 index:0x40 pfn:0x1234\n"
      "page dumped because: nonzero mapcount\nCall Trace:\n"
      " [<000000006001f2a0>] dump_stack_lvl+0x4e/0x60\n [<6001>] bad_page+0x70/0x90\n"
      " [<6002>] ? stale+0x1/0x2\n [<6002>] free_unref_folios+0x1/0x2\n",
      "bad_page", "free_unref_folios", "in process swapper");
  Expect("BUG: Bad page map in process swapper  pte:1234 pmd:5678\n", "bad_page", "");
  Expect("BUG: Bad rss-counter state mm:00000000601 type:MM_ANONPAGES val:2\n", "rss",
         "MM_ANONPAGES");
  Expect("BUG: Bad rss-counter state mm:000000", "rss", "");  // cut off
}

TEST(KernelReport, Kasan) {
  Expect(
      "==================================================================\n"
      "BUG: KASAN: slab-use-after-free in anon_vma_clone+0x1a/0x300\n"
      "Read of size 8 at addr 0000000061234567 by task swapper/1\nCall Trace:\n "
      "kasan_report+0x1/0x2\n",
      "kasan", "anon_vma_clone", "slab-use-after-free");
  Expect(
      "BUG: KASAN: use-after-free in folio_put_testzero include/linux/mm.h:1\nCall Trace:\n"
      " dump_stack_lvl+0x1/0x2\n print_report+0x1/0x2\n kasan_report+0x1/0x2\n folio_put+0x3/0x9\n",
      "kasan", "folio_put");
}

TEST(KernelReport, LockdepOopsAndHang) {
  Expect(
      "WARNING: possible recursive locking detected\n6.12.117 #1 Not tainted\nCall Trace:\n"
      " dump_stack_lvl+0x1/0x2\n __lock_acquire+0x1/0x2\n lock_acquire+0x1/0x2\n"
      " down_write_nested+0x1/0x2\n",
      "lockdep", "down_write_nested");
  Expect("WARNING: suspicious RCU usage\n", "lockdep", "");
  Expect(
      "Kernel panic - not syncing: Kernel mode fault at addr 0x8, ip 0x6012\n"
      "RIP: 0033:try_to_unmap_one+0x77/0x900\n",
      "oops", "try_to_unmap_one", "Kernel mode fault");
  Expect("Kernel panic - not syncing: Segfault with no mm\nCPU: 0 PID: 1 Comm: swapper\n", "oops",
         "");
  Expect(
      "BUG: kernel NULL pointer dereference, address: 0000000000000008\n"
      "RIP: 0010:folio_remove_rmap_ptes+0x12/0x90\n",
      "oops", "folio_remove_rmap_ptes");
  Expect(
      "watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [swapper/0:1]\n"
      "RIP: 0010:lru_add_drain+0x1/0x2\n",
      "hang", "lru_add_drain");
}

// As a serial line gives them, with the module's name behind its functions.
TEST(KernelReport, OfAVirtualMachine) {
  Expect(
      "[    2.019300] ------------[ cut here ]------------\r\n"
      "[    2.019300] WARNING: CPU: 1 PID: 42 at mm/rmap.c:350 "
      "__folio_add_rmap.isra.0+0x6b/0x80\r\n"
      "[    2.019300] Modules linked in: mmdiff(OE)\r\n"
      "[    2.019300] RIP: 0010:__folio_add_rmap.isra.0+0x6b/0x80\r\n"
      "[    2.019300] Kernel panic - not syncing: kernel: panic_on_warn set ...\r\n",
      "warning", "__folio_add_rmap", "mm/rmap.c:350");
  Expect(
      "[    1.5] WARNING: mm/memory.c:24 at zap_pte_range+0x7a6/0x930, CPU#0: init/1\r\n"
      "[    1.5] ---[ end trace 0000000000000000 ]---\r\n",
      "warning", "zap_pte_range", "CPU#0");
  // A function of our own module.
  Expect("WARNING: kernel/guest/module/run.c:9 at mmdiff_run+0x1/0x2 [mmdiff], CPU#1: init/1\r\n",
         "warning", "mmdiff_run");
  Expect(
      "BUG: Bad page state in process init  pfn:0078e\r\n"
      "page: refcount:0 mapcount:0 mapping:0000000000000000 index:0x1 pfn:0x78e\r\n"
      "page dumped because: PAGE_FLAGS_CHECK_AT_FREE flag(s) set\r\nModules linked in: "
      "mmdiff(OE)\r\n"
      "Call Trace:\r\n <TASK>\r\n dump_stack_lvl+0x5d/0x80\r\n bad_page.cold+0x7a/0x91\r\n"
      " free_page_is_bad_report+0x1/0x2\r\n __free_frozen_pages+0x4b8/0x560\r\n </TASK>\r\n"
      "Kernel panic - not syncing: panic_on_taint set ...\r\n",
      "bad_page", "__free_frozen_pages", "in process init");
  Expect(
      "page: refcount:1 mapcount:0 mapping:0000000000000000 index:0x0 pfn:0x1\r\n"
      "page dumped because: VM_BUG_ON_PAGE(1)\r\nkernel BUG at mm/x.c:23!\r\n"
      "Oops: invalid opcode: 0000 [#1] SMP NOPTI\r\nRIP: 0010:set_x+0x55/0x700\r\n"
      "Call Trace:\r\n <TASK>\r\n other+0x1/0x2\r\n"
      "Kernel panic - not syncing: Fatal exception\r\n",
      "bug", "set_x", "(VM_BUG_ON_PAGE(1))");
  Expect(
      "BUG: unable to handle page fault for address: ffffea0000000034\r\n"
      "#PF: supervisor read access in kernel mode\r\nOops: Oops: 0000 [#1] PREEMPT SMP\r\n"
      "RIP: 0010:folio_lock+0x5/0x30\r\n",
      "oops", "folio_lock");
  Expect(
      "Oops: general protection fault, probably for non-canonical address 0xdead000000000100: "
      "0000 [#1] SMP\r\nRIP: 0010:list_del+0x5/0x30\r\n",
      "oops", "list_del");
  Expect("traps: PANIC: double fault, error_code: 0x0\r\nRIP: 0010:kmem_cache_alloc+0x5/0x30\r\n",
         "oops", "kmem_cache_alloc");
  Expect(
      "Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000009\r\n"
      "Call Trace:\r\n <TASK>\r\n dump_stack_lvl+0x5d/0x80\r\n panic+0x344/0x3a0\r\n"
      " do_exit+0x5a8/0xae0\r\n",
      "oops", "do_exit", "Attempted to kill init");
}

TEST(KernelReport, TheFirstOfSeveralCounts) {
  Expect("BUG: Bad page state in process a  pfn:1\nWARNING: CPU: 0 PID: 1 at mm/a.c:1 f+0x1/0x2\n",
         "bad_page", "");
}

TEST(KernelReport, SurvivesCuts) {
  Expect("4 PID: 1 Comm: swapper Not tainted\nRIP: 0033:mlock_drain_local+0x5/0x8\n", "oops",
         "mlock_drain_local", "lost");
  const std::string whole =
      "[    0.420000] WARNING: CPU: 0 PID: 1 at mm/rmap.c:1437 folio_add+0x1b2/0x2e0\n"
      "Call Trace:\n [<600>] foo+0x1/0x2\nRIP: 0033:bar+0x1/0x2\n";
  for (size_t from = 0; from <= whole.size(); ++from) {
    for (size_t to = from; to <= whole.size(); to += 3) {
      const KernelReport r = ReadKernelReport(whole.substr(from, to - from));
      EXPECT_TRUE(r.kind.empty() || r.kind == "warning" || r.kind == "oops") << r.kind;
    }
  }
}

}  // namespace
}  // namespace mmdiff
