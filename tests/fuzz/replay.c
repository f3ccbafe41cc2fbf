/*
 * Runs a fuzz target without libFuzzer: once with nothing, and with each file that is named, or lies in a folder
 * that is named. It ends as the target does: by a crash, or with 0.
 */
#include <dirent.h>
#include <limits.h>
#include <sys/stat.h>

#include "tests/fuzz/fuzz.h"

static size_t inputs;

static void run_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	struct stat st;

	weir_assert(file && fstat(fileno(file), &st) == 0);
	/* of exactly this size, so that reading past it is found */
	uint8_t *data = malloc(st.st_size ? (size_t)st.st_size : 1);

	weir_assert(data && fread(data, 1, (size_t)st.st_size, file) == (size_t)st.st_size);
	fclose(file);
	fprintf(stderr, "%s\n", path);
	LLVMFuzzerTestOneInput(data, (size_t)st.st_size);
	free(data);
	inputs++;
}

static void run_folder(const char *path, DIR *dir)
{
	char file[PATH_MAX];

	for (struct dirent *e; (e = readdir(dir)) != NULL;) {
		snprintf(file, sizeof file, "%s/%s", path, e->d_name);
		if (e->d_name[0] != '.')
			run_file(file);
	}
}

int main(int argc, char **argv)
{
	LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
	for (int i = 1; i < argc; i++) {
		DIR *dir = opendir(argv[i]);

		if (dir) {
			run_folder(argv[i], dir);
			closedir(dir);
		} else {
			run_file(argv[i]);
		}
	}
	printf("%zu inputs\n", inputs);
	return argc > 1 && inputs == 0; /* a corpus that is not there tests nothing */
}
