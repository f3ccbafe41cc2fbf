#ifndef WEIR_CANARY_H
#define WEIR_CANARY_H
/*
 * Steps of safety that tests/simulation leaves out, one at a time, to show that the simulator would notice. Only
 * that test compiles these files with WEIR_CANARIES; in every library the conditions are constants and the code is
 * gone.
 */
#ifdef WEIR_CANARIES
enum canary {
	CANARY_NONE,
	CANARY_WRITE_BEFORE_COMMIT, /* stores are written to disk while the transaction is open */
	CANARY_NO_POSITIONS,        /* a transaction without positions: neither fenced nor remembered */
	CANARY_LAST_STABLE,         /* restoring ends at the last stable offset (KAFKA-10167) */
	CANARY_KEEP_AFTER_ABORT,    /* stores stay as they are after an abort */
	CANARY_SKIP_UNTAKEN,        /* a record for which there was no transaction does not come again */
	CANARY_TRUST_DISK,          /* what a failing disk gave is committed */
	CANARY_LEAVE_OWNERLESS,     /* no round is asked for when a partition has no owner */
	CANARY_BELIEVE_POSITIONS,   /* positions older than the state are counted from */
	CANARY_IGNORE_SHUTDOWN,     /* another instance's call to stop is not heeded */
	CANARY_COUNT,
};
extern enum canary weir__canary;
#define WEIR__CANARY(name) (weir__canary == CANARY_##name)
#else
#define WEIR__CANARY(name) false
#endif

#endif
