/* NULL in the place of a stream, a table or a grouped table: a mistake, told with the step that was given it. */
#include "framework/operators/operator.h"

static const struct operator nothing_op = { .kind = "nothing" };

struct node *weir__graph_nothing(void)
{
	weir_topology *t = weir__graph_begun();

	weir_assert(t && "a step is given NULL, and no topology has been begun on this thread");
	struct node *n = weir__arena_zalloc(&t->arena, sizeof *n);

	*n = (struct node){
		.id = -1, .name = "NULL", .op = &nothing_op, .topology = t, .is_nothing = true, .subtopology = -1
	};
	return n;
}
