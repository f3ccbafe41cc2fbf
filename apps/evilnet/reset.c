/* `evilnet reset`: the clean start. */
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "apps/evilnet/mysql.h"
#include "apps/evilnet/process.h"
#include "apps/evilnet/util.h"

struct topics {
	char **names;
	size_t count;
	const struct evilnet *e;
};

/* The application's own: the three it is configured with, and the internal ones, which begin with its id. */
static void find_topic(const char *topic, int32_t partitions, void *user)
{
	struct topics *t = user;
	const weir_config *cfg = t->e->cfg;
	const char *id = weir_config_string(cfg, "application.id");
	size_t n = strlen(id), length = strlen(topic);
	bool internal = strncmp(topic, id, n) == 0 && topic[n] == '-' &&
			((length > 10 && strcmp(topic + length - 10, "-changelog") == 0) ||
			 (length > 12 && strcmp(topic + length - 12, "-repartition") == 0) ||
			 (length > 7 && strcmp(topic + length - 7, "-anchor") == 0));

	(void)partitions;
	if (!internal && strcmp(topic, weir_config_string(cfg, "evilnet.topic")) != 0 &&
	    strcmp(topic, weir_config_string(cfg, "evilnet.metrics.topic")) != 0 &&
	    strcmp(topic, weir_config_string(cfg, "evilnet.dead.letters.topic")) != 0)
		return;
	t->names = evilnet_realloc(t->names, (t->count + 1) * sizeof *t->names);
	t->names[t->count++] = evilnet_strdup(topic);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static bool remove_state(const char *dir, weir_error *err)
{
	if (nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS) == 0 || errno == ENOENT)
		return true;
	return weir_fail(err, WEIR_IO, "remove %s: %s", dir, strerror(errno));
}

static bool confirmed(const struct evilnet *e, const struct topics *t, const char *dir)
{
	char answer[16] = "";

	if (weir_config_bool(e->cfg, "evilnet.reset.yes"))
		return true;
	printf("This deletes, for application \"%s\":\n", weir_config_string(e->cfg, "application.id"));
	for (size_t i = 0; i < t->count; i++)
		printf("  topic %s\n", t->names[i]);
	printf("  its consumer groups\n  local state in %s\n%s", dir,
	       evilnet_mysql_configured(e->cfg) ? "  all rows of city_windows in MySQL\n" : "");
	printf("Other instances must be stopped. Go on? [y/N] ");
	fflush(stdout);
	return fgets(answer, sizeof answer, stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

static bool reset(struct evilnet *e, const struct topics *t, const char *dir, weir_error *err)
{
	const char *id = weir_config_string(e->cfg, "application.id");
	char group[300];
	int64_t rows = 0;

	snprintf(group, sizeof group, "%s-mysql", id);
	/* Groups first: they cannot be deleted while an instance runs, and then nothing else should be. */
	if (!weir_group_delete(e->cluster, id, err) || !weir_group_delete(e->cluster, group, err))
		return weir_wrap(err,
				 "is an instance still running? (one that was killed counts for "
				 "session.timeout.ms: %lld s)",
				 (long long)weir_config_ms(e->cfg, "session.timeout.ms") / 1000);
	if (t->count && !weir_topics_delete(e->cluster, (const char *const *)t->names, t->count, err))
		return false;
	if (!remove_state(dir, err))
		return false;
	if (evilnet_mysql_configured(e->cfg) && !evilnet_mysql_reset(e->cfg, &rows, err))
		return false;
	printf("reset: %zu topics, the groups, local state and %lld rows deleted\n", t->count, (long long)rows);
	return true;
}

int evilnet_reset(struct evilnet *e)
{
	struct topics t = { .e = e };
	weir_error err;
	int code = EVILNET_FAILED;
	char dir[4096];

	snprintf(dir, sizeof dir, "%s/%s", weir_config_string(e->cfg, "state.dir"),
		 weir_config_string(e->cfg, "application.id"));
	e->cluster = weir_cluster_open(e->cfg, &err);
	if (!e->cluster || !weir_topics_each(e->cluster, find_topic, &t, &err)) {
		code = evilnet_failed(e, "reset", &err);
	} else if (!confirmed(e, &t, dir)) {
		fprintf(stderr, "evilnet: reset: nothing was changed\n");
	} else if (reset(e, &t, dir, &err)) {
		code = EVILNET_DONE;
	} else {
		code = evilnet_failed(e, "reset", &err);
	}
	for (size_t i = 0; i < t.count; i++)
		free(t.names[i]);
	free(t.names);
	weir_cluster_free(e->cluster);
	e->cluster = NULL;
	return code;
}
