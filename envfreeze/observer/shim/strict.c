/* The profile strict: no tape, but randomness made from a seed and clocks that start at a fixed time.
 *
 * Each thread has a time of its own, which its clock reads push on by a microsecond, and its sleeps and waits by
 * as long as they were to take: what it reads then follows from what it did, and not from how fast the machine is.
 * Inside CPython only Python code pushes it on, as the interpreter's own reads are for lock waits; compiled
 * modules keep the real monotonic clocks, which they reckon their spinning by. One source alone can be held, so
 * that `envfreeze check` finds out which one a program depends on. */
#include "tape.h"

#include <stdlib.h>
#include <string.h>

#define TICK 1000
#define BILLION 1000000000ll
#define UPTIME (1000 * BILLION)  /* what monotonic clocks start at */
#define START 1735689600ll       /* 2025-01-01T00:00:00Z, unless SOURCE_DATE_EPOCH says otherwise */

int tape_seeded;
static uint64_t seed;
static int64_t start_time;
static char holds_entropy, holds_clock, holds_order;
static __thread int64_t passed __attribute__((tls_model("initial-exec"))); /* ns of this thread's own time */

static int named(const char *list, const char *name) {
  return !list || strstr(list, name) != NULL;
}

int strict_start(const char *mode) {
  const char *number = getenv("ENVFREEZE_SEED"), *held = getenv("ENVFREEZE_HOLD");
  const char *epoch = getenv("SOURCE_DATE_EPOCH");
  if (strcmp(mode, "seeded") != 0) return 0;
  seed = number ? strtoull(number, NULL, 10) : 0;
  start_time = (epoch && atoll(epoch) > 0 && atoll(epoch) < (1ll << 32) ? atoll(epoch) : START) * BILLION;
  holds_entropy = (char)named(held, "entropy");
  holds_clock = (char)named(held, "clock");
  holds_order = (char)named(held, "order");
  tape_seeded = 1;
  return 1;
}

/* What goes to the real source. */
int strict_ignores(const struct site *site, unsigned source) {
  if (site->keys && tape_real_keys) return 1;
  if (source == ENTROPY) return !holds_entropy;
  if (source == SECONDS) return !holds_clock;
  if (source < CLOCK) return 0;
  if (!holds_clock) return 1;
  return !site->interpreter && python_marks() && clock_class((clockid_t)(source - CLOCK)) != 0;
}

/* What all files bear that the run made; 0: their own. */
int64_t strict_stamp(void) { return holds_clock ? start_time : 0; }
/* The order of a folder is let go by listing it the other way round: a file system may well keep its own. */
int strict_backwards(void) { return tape_seeded && !holds_order; }
int strict_draws(void) { return tape_seeded && holds_entropy; }

uint64_t strict_random(uint64_t key) {
  uint64_t process = process_id();
  return tape_hash(tape_hash(key, &process, sizeof process), &seed, sizeof seed);
}

int64_t strict_time(void) { return passed; }
void strict_begin(int64_t time) { passed = time; }

static int64_t base(int class) { return class == 0 ? start_time : class == 1 || class > 3 ? UPTIME : 0; }

int64_t strict_clock(const struct stream *stream, int class) {
  int inner = stream->site->interpreter && !stream->site->marked && class != 0;
  if (!inner || !python_marks()) passed += TICK;
  return base(class) + passed;
}

/* A wait with this deadline, as the program reckoned it, ended because the time had come. */
void strict_reached(clockid_t clock, const struct timespec *deadline) {
  int class = clock_class(clock);
  if (!tape_seeded || !holds_clock || class < 0 || deadline->tv_sec > (1ll << 33)) return;
  int64_t then = deadline->tv_sec * BILLION + deadline->tv_nsec - base(class);
  if (then > passed && then - passed < 366 * 86400 * BILLION) passed = then;
}

void strict_slept(int64_t seconds, int64_t nanoseconds) {
  if (tape_seeded && holds_clock && seconds >= 0 && seconds < (1ll << 32)) passed += seconds * BILLION + nanoseconds;
}
