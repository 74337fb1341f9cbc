// SPDX-License-Identifier: GPL-2.0
#include "link.h"

#include <ctype.h>
#include <elf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct wanted {
	const char *name;
	Elf64_Sym *symbol;
	uint64_t at;
	char kind;	/* of kallsyms; 0: not seen yet */
	char twice;	/* a static name that several files use */
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct wanted *)a)->name, ((const struct wanted *)b)->name);
}

static void complain(char *lacking, size_t room, const char *what)
{
	size_t used = strlen(lacking);

	snprintf(lacking + used, room - used, " %s", what);
}

/* "ffffffff81000000 T _stext": one line without a module's name in brackets. */
static void look_at(const char *line, const char *end, struct wanted *wanted, size_t n)
{
	char name[256], kind;
	struct wanted key = { .name = name }, *w;
	const char *at = line;
	uint64_t value = strtoull(line, (char **)&at, 16);
	size_t length;

	if (at + 3 >= end || memchr(line, '[', end - line))
		return;
	kind = at[1];
	at += 3;
	length = end - at;
	if (length >= sizeof(name))
		return;
	memcpy(name, at, length);
	name[length] = '\0';
	w = bsearch(&key, wanted, n, sizeof(*wanted), by_name);
	if (!w)
		return;
	/* A global symbol beats static ones of its name. */
	if (w->kind && w->at != value && !!isupper(w->kind) == !!isupper(kind))
		w->twice = 1;
	if (w->kind && isupper(w->kind) && !isupper(kind))
		return;
	if (w->kind && !isupper(w->kind) && isupper(kind))
		w->twice = 0;
	w->at = value;
	w->kind = kind;
}

int link_module(void *image, size_t bytes, const char *kallsyms, char *lacking, size_t room)
{
	Elf64_Ehdr *elf = image;
	Elf64_Shdr *sections, *table = NULL;
	Elf64_Sym *symbols;
	struct wanted *wanted;
	const char *names, *line, *end;
	size_t i, n = 0, count;

	lacking[0] = '\0';
	if (bytes < sizeof(*elf) || memcmp(elf->e_ident, ELFMAG, SELFMAG) || elf->e_type != ET_REL ||
	    elf->e_shoff > bytes || elf->e_shnum * sizeof(*sections) > bytes - elf->e_shoff)
		goto malformed;
	sections = (Elf64_Shdr *)((char *)image + elf->e_shoff);
	for (i = 0; i < elf->e_shnum; i++)
		if (sections[i].sh_type == SHT_SYMTAB)
			table = &sections[i];
	if (!table || table->sh_link >= elf->e_shnum || table->sh_offset + table->sh_size > bytes ||
	    sections[table->sh_link].sh_offset + sections[table->sh_link].sh_size > bytes)
		goto malformed;
	symbols = (Elf64_Sym *)((char *)image + table->sh_offset);
	count = table->sh_size / sizeof(*symbols);
	names = (char *)image + sections[table->sh_link].sh_offset;
	wanted = calloc(count + 1, sizeof(*wanted));
	if (!wanted)
		goto malformed;
	for (i = 1; i < count; i++)
		if (symbols[i].st_shndx == SHN_UNDEF && symbols[i].st_name &&
		    symbols[i].st_name < sections[table->sh_link].sh_size)
			wanted[n++] = (struct wanted){ .name = names + symbols[i].st_name, .symbol = &symbols[i] };
	qsort(wanted, n, sizeof(*wanted), by_name);
	for (line = kallsyms; (end = strchr(line, '\n')); line = end + 1)
		look_at(line, end, wanted, n);
	for (i = 0; i < n; i++) {
		if (wanted[i].kind && !wanted[i].twice) {
			wanted[i].symbol->st_shndx = SHN_ABS;
			wanted[i].symbol->st_value = wanted[i].at;
		} else if (ELF64_ST_BIND(wanted[i].symbol->st_info) != STB_WEAK) {
			complain(lacking, room, wanted[i].name);
		}
	}
	free(wanted);
	return lacking[0] ? -1 : 0;
malformed:
	complain(lacking, room, "(the module is no relocatable ELF object)");
	return -1;
}
