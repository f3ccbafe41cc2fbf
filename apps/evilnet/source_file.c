#include "apps/evilnet/source.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apps/evilnet/lines.h"
#include "apps/evilnet/util.h"

struct source_file {
	struct source source;
	char *path;
	int fd;
	bool regular; /* never waits */
	bool ended;
	struct lines lines;
	char chunk[1 << 16];
};

static enum source_result give(const struct line *line, struct source_item *item)
{
	*item = (struct source_item){ .raw = line->text, .raw_length = line->length, .received_ms = -1 };
	return SOURCE_ITEM;
}

/* SOURCE_ITEM: some bytes have come, or the end. */
static enum source_result fill(struct source_file *f, int64_t wait_ms, weir_error *err)
{
	if (!f->regular && poll(&(struct pollfd){ .fd = f->fd, .events = POLLIN }, 1, (int)wait_ms) <= 0)
		return SOURCE_NOTHING;
	ssize_t n = read(f->fd, f->chunk, sizeof f->chunk);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return SOURCE_NOTHING;
	if (n < 0) {
		weir_fail(err, WEIR_IO, "read %s: %s", f->path, strerror(errno));
		return SOURCE_FAILED;
	}
	f->ended = n == 0;
	lines_push(&f->lines, f->chunk, (size_t)n);
	return SOURCE_ITEM;
}

static enum source_result file_next(struct source *s, int64_t wait_ms, struct source_item *item, weir_error *err)
{
	struct source_file *f = (struct source_file *)s;
	struct line line;

	for (;;) {
		if (lines_next(&f->lines, &line))
			return give(&line, item);
		if (f->ended)
			return lines_rest(&f->lines, &line) ? give(&line, item) : SOURCE_END;
		enum source_result filled = fill(f, wait_ms, err);
		if (filled != SOURCE_ITEM)
			return filled;
	}
}

static void file_close(struct source *s)
{
	struct source_file *f = (struct source_file *)s;

	if (f->fd > STDERR_FILENO)
		close(f->fd);
	lines_release(&f->lines);
	free(f->path);
	free(f);
}

struct source *source_file_open(const char *path, weir_error *err)
{
	static const struct source_ops ops = { file_next, file_close };
	bool standard = strcmp(path, "-") == 0;
	int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0) {
		weir_fail(err, WEIR_IO, "open %s: %s", path, strerror(errno));
		return NULL;
	}
	struct source_file *f = evilnet_new(sizeof *f);
	f->source.ops = &ops;
	f->path = evilnet_strdup(standard ? "standard input" : path);
	f->fd = fd;
	f->regular = S_ISREG(st.st_mode);
	return &f->source;
}
