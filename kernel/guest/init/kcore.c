/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
#define _GNU_SOURCE
#include "kcore.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "init.h"

static int kcore = -1;
static Elf64_Phdr *parts;
static unsigned nparts;

static void open_kcore(void)
{
	Elf64_Ehdr header;

	kcore = open("/proc/kcore", O_RDONLY | O_CLOEXEC);
	if (kcore < 0 || pread(kcore, &header, sizeof(header), 0) != sizeof(header))
		mmdiff_give_up(errno, "cannot read /proc/kcore");
	nparts = header.e_phnum;
	parts = calloc(nparts, sizeof(*parts));
	if (!parts || pread(kcore, parts, nparts * sizeof(*parts), header.e_phoff) !=
			      (ssize_t)(nparts * sizeof(*parts)))
		mmdiff_give_up(errno, "cannot read the header of /proc/kcore");
}

bool kcore_read(uint64_t address, void *to, size_t bytes)
{
	for (unsigned i = 0; i < nparts; i++) {
		const Elf64_Phdr *p = &parts[i];

		if (p->p_type == PT_LOAD && address >= p->p_vaddr && address - p->p_vaddr < p->p_memsz)
			return pread(kcore, to, bytes, p->p_offset + (address - p->p_vaddr)) == (ssize_t)bytes;
	}
	return false;
}

uint64_t kcore_word(uint64_t address)
{
	uint64_t word = 0;

	return kcore_read(address, &word, sizeof(word)) ? word : 0;
}

/* --- names ------------------------------------------------------------------------------------------------ */

uint64_t kernel_symbol(const char *name)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	char line[512], kind, found[256];
	unsigned long long at, result = 0;

	while (file && !result && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%llx %c %255s", &at, &kind, found) == 3 && !strcmp(found, name))
			result = at;
	}
	if (file)
		fclose(file);
	if (!result)
		mmdiff_give_up(0, "/proc/kallsyms has no %s", name);
	return result;
}

/* --- types ------------------------------------------------------------------------------------------------ */

/* The format of linux/btf.h, as far as it is needed here. */
struct btf_head {
	uint16_t magic;
	uint8_t version, flags;
	uint32_t header_bytes, types_at, types_bytes, names_at, names_bytes;
};
struct btf_type {
	uint32_t name, info, size_or_type;
};
struct btf_member {
	uint32_t name, type, offset;
};
enum { INT = 1, PTR, ARRAY, STRUCT, UNION, ENUM, FWD, TYPEDEF, VOLATILE, CONST, RESTRICT, FUNC, FUNC_PROTO, VAR,
       DATASEC, FLOAT, DECL_TAG, TYPE_TAG, ENUM64, KINDS };

static const char *names;
static struct btf_type **types;	/* by number, from 1 */
static uint32_t ntypes;

static uint32_t kind_of(const struct btf_type *t)
{
	return t->info >> 24 & 31;
}
static uint32_t count_of(const struct btf_type *t)
{
	return t->info & 0xffff;
}

/* What follows the three words of a type, in bytes. */
static size_t tail_of(const struct btf_type *t)
{
	static const uint8_t fixed[KINDS] = { [INT] = 4, [ARRAY] = 12, [VAR] = 4, [DECL_TAG] = 4 };
	static const uint8_t each[KINDS] = { [STRUCT] = 12, [UNION] = 12, [ENUM] = 8, [FUNC_PROTO] = 8,
					     [DATASEC] = 12, [ENUM64] = 12 };
	uint32_t kind = kind_of(t);

	return kind < KINDS ? fixed[kind] + (size_t)each[kind] * count_of(t) : 0;
}

static void open_btf(void)
{
	static const char path[] = "/sys/kernel/btf/vmlinux";
	size_t bytes;
	char *image = mmdiff_read_all(path, &bytes), *at, *end;
	struct btf_head *head = (struct btf_head *)image;

	if (!image || bytes < sizeof(*head) || head->magic != 0xeb9f)
		mmdiff_give_up(errno, "cannot read %s", path);
	names = image + head->header_bytes + head->names_at;
	at = image + head->header_bytes + head->types_at;
	end = at + head->types_bytes;
	types = calloc(head->types_bytes / sizeof(struct btf_type) + 2, sizeof(*types));
	for (ntypes = 1; types && at < end; ntypes++) {
		types[ntypes] = (struct btf_type *)at;
		at += sizeof(struct btf_type) + tail_of(types[ntypes]);
	}
}

static const struct btf_member *members_of(const struct btf_type *t)
{
	return (const struct btf_member *)(t + 1);
}

/* In bits; -1: none. */
static long find_member(const struct btf_type *t, const char *member)
{
	const struct btf_member *m = members_of(t);

	for (uint32_t i = 0; i < count_of(t); i++) {
		long offset = t->info >> 31 ? m[i].offset & 0xffffff : m[i].offset, inner;
		const struct btf_type *type;

		if (!strcmp(names + m[i].name, member))
			return offset;
		if (names[m[i].name] || m[i].type >= ntypes)
			continue;
		type = types[m[i].type];
		if (kind_of(type) != STRUCT && kind_of(type) != UNION)
			continue;
		inner = find_member(type, member);
		if (inner >= 0)
			return offset + inner;
	}
	return -1;
}

long kernel_offset_if_any(const char *structure, const char *member)
{
	for (uint32_t i = 1; i < ntypes; i++) {
		long bits;

		if (kind_of(types[i]) != STRUCT || strcmp(names + types[i]->name, structure))
			continue;
		bits = find_member(types[i], member);
		if (bits >= 0)
			return bits / 8;
	}
	return -1;
}

uint32_t kernel_offset(const char *structure, const char *member)
{
	const long offset = kernel_offset_if_any(structure, member);

	if (offset < 0)
		mmdiff_give_up(0, "this kernel's struct %s has no %s", structure, member);
	return offset;
}

long kernel_enumerator(const char *enumeration, const char *name)
{
	for (uint32_t i = 1; i < ntypes; i++) {
		const struct { uint32_t name; int32_t value; } *e = (const void *)(types[i] + 1);

		if (kind_of(types[i]) != ENUM || strcmp(names + types[i]->name, enumeration))
			continue;
		for (uint32_t k = 0; k < count_of(types[i]); k++)
			if (!strcmp(names + e[k].name, name))
				return e[k].value;
	}
	return -1;
}

void kcore_open(void)
{
	open_kcore();
	open_btf();
}
