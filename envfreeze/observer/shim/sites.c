/* Call sites, by names that are the same in every run: the module's name, and in it the exported function's, or
 * where that is not known the offset. CPython's builds differ from one machine to the next: there the Python code
 * that asks is the site (python.c), and all else in it is one. */
#include "tape.h"

#include <link.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#define MOST 2048u
static struct site sites[MOST];
static struct site elsewhere = {.key = 1, .text = "many places"};
static volatile char lock;

void sites_start(void) { __atomic_clear(&lock, __ATOMIC_RELEASE); }

static const char *base_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

/* Libraries that make keys, TLS's included, by parts of their paths. */
static int makes_keys(const char *path) {
  static const char *const PARTS[] = {"libcrypto", "libssl",  "cryptography", "libgnutls", "libgcrypt", "libsodium",
                                      "_sodium",   "libnss3", "libfreebl",    "softokn",   "bcrypt",    "libssh",
                                      "rustls",    "_ssl.",   "boringssl",    "libmbed",   "libwolfssl"};
  for (size_t i = 0; i < sizeof PARTS / sizeof *PARTS; i++)
    if (strstr(path, PARTS[i])) return 1;
  return 0;
}

struct question {
  const char *base;
  uint64_t build;
};

/* Hash of a module's build id, which linkers put into a note (ELF, NT_GNU_BUILD_ID); 1 when it has none. */
static int look_at(struct dl_phdr_info *module, size_t size, void *data) {
  struct question *question = data;
  int mine = 0;
  (void)size;
  for (int i = 0; i < module->dlpi_phnum && !mine; i++) {
    const ElfW(Phdr) *part = &module->dlpi_phdr[i];
    const char *start = (const char *)(module->dlpi_addr + part->p_vaddr);
    mine = part->p_type == PT_LOAD && question->base >= start && question->base < start + part->p_memsz;
  }
  if (!mine) return 0;
  question->build = 1;
  for (int i = 0; i < module->dlpi_phnum; i++) {
    const ElfW(Phdr) *part = &module->dlpi_phdr[i];
    if (part->p_type != PT_NOTE) continue;
    const char *at = (const char *)(module->dlpi_addr + part->p_vaddr), *end = at + part->p_memsz;
    while (at + sizeof(ElfW(Nhdr)) <= end) {
      const ElfW(Nhdr) *note = (const void *)at;
      const char *name = at + sizeof *note, *content = name + ((note->n_namesz + 3) & ~3u);
      if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 && !memcmp(name, "GNU", 4))
        question->build = tape_hash(0, content, note->n_descsz) | 1;
      at = content + ((note->n_descsz + 3) & ~3u);
    }
  }
  return 1;
}

static void describe(struct site *site, const void *caller) {
  Dl_info info;
  if (python_describe(caller, site->text, sizeof site->text)) {
    site->interpreter = site->marked = 1;
  } else if (!dladdr(caller, &info) || !info.dli_fname) {
    snprintf(site->text, sizeof site->text, "generated code");
  } else if (info.dli_fbase == python_base()) {
    snprintf(site->text, sizeof site->text, "Python");
    site->interpreter = 1;
  } else if (!(site->keys = makes_keys(info.dli_fname)) && strstr(info.dli_fname, "/lib-dynload/")) {
    snprintf(site->text, sizeof site->text, "Python"); /* some builds have these modules inside */
    site->interpreter = 1;
  } else {
    const char *name = base_name(info.dli_fname);
    site->module = tape_hash_text(0, name);
    if (info.dli_sname) {
      snprintf(site->text, sizeof site->text, "%s:%s", name, info.dli_sname);
    } else {
      struct question question = {info.dli_fbase, 0};
      dl_iterate_phdr(look_at, &question);
      site->build = question.build;
      snprintf(site->text, sizeof site->text, "%s+0x%zx", name, (size_t)((const char *)caller - (char *)info.dli_fbase));
    }
  }
  site->key = tape_hash_text(0, site->text);
  if (!site->module) site->module = site->key;
}

const struct site *site_of(const void *caller) {
  size_t first = ((uintptr_t)caller * 0x9e3779b97f4a7c15ull >> 40) % MOST;
  for (size_t i = 0; i < MOST; i++) { /* without the lock: a site never changes once its caller is set */
    struct site *site = &sites[(first + i) % MOST];
    const void *known = __atomic_load_n(&site->caller, __ATOMIC_ACQUIRE);
    if (known == caller) return site;
    if (!known) break;
  }
  struct site fresh = {0};
  describe(&fresh, caller);
  struct site *found = &elsewhere;
  while (__atomic_test_and_set(&lock, __ATOMIC_ACQUIRE)) sched_yield();
  for (size_t i = 0; i < MOST; i++) {
    struct site *site = &sites[(first + i) % MOST];
    if (site->caller && site->caller != caller) continue;
    if (!site->caller) {
      *site = fresh;
      __atomic_store_n(&site->caller, caller, __ATOMIC_RELEASE);
    }
    found = site;
    break;
  }
  __atomic_clear(&lock, __ATOMIC_RELEASE);
  return found;
}
