#ifndef EVILNET_X_RULES_H
#define EVILNET_X_RULES_H
/* The filtered stream's rules: which there are, which there should be, and what to send so that they agree. */
#include <weir/bytes.h>
#include <weir/error.h>

struct x_rules;

/** `wanted`: rules parted by semicolons. NULL and *err (WEIR_CONFIG) when there is none. */
struct x_rules *x_rules_new(const char *wanted, weir_error *err);
void x_rules_free(struct x_rules *rules);

/** Takes X's answer to GET; more than once, if it comes in pages: *next (to be freed) is the token of the next,
 *  or NULL. */
bool x_rules_take_present(struct x_rules *rules, weir_bytes answer, char **next, weir_error *err);
/** The body of the POST that deletes those that are not wanted, or adds those that are not there; to be freed;
 *  NULL: there is nothing to do. */
char *x_rules_delete_body(const struct x_rules *rules);
char *x_rules_add_body(const struct x_rules *rules);
/** X's answer to an addition: false and *err when it does not take a rule. One that is there already is no
 *  error. */
bool x_rules_check_added(weir_bytes answer, weir_error *err);

#endif
