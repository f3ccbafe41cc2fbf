/*
 * gcc's thread sanitizer does not know C11's threads, which librdkafka uses: the first allocation in one would end
 * the process, and no lock would be seen. With the sanitizer on, these stand in the place of glibc's, whose types
 * are those of pthread under another name.
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>

_Static_assert(sizeof(mtx_t) == sizeof(pthread_mutex_t) && sizeof(cnd_t) == sizeof(pthread_cond_t),
	       "as glibc has them");

struct start {
	thrd_start_t fn;
	void *arg;
};

static void *run(void *arg)
{
	struct start start = *(struct start *)arg;

	free(arg);
	return (void *)(intptr_t)start.fn(start.arg);
}

int thrd_create(thrd_t *thread, thrd_start_t fn, void *arg)
{
	struct start *start = malloc(sizeof *start);

	if (!start)
		return thrd_nomem;
	*start = (struct start){ fn, arg };
	if (pthread_create(thread, NULL, run, start) == 0)
		return thrd_success;
	free(start);
	return thrd_error;
}

int thrd_join(thrd_t thread, int *result)
{
	void *value;

	if (pthread_join(thread, &value) != 0)
		return thrd_error;
	if (result)
		*result = (int)(intptr_t)value;
	return thrd_success;
}

int thrd_detach(thrd_t thread)
{
	return pthread_detach(thread) == 0 ? thrd_success : thrd_error;
}

static int status(int error)
{
	return error == 0           ? thrd_success
	       : error == EBUSY     ? thrd_busy
	       : error == ETIMEDOUT ? thrd_timedout
				    : thrd_error;
}

static pthread_mutex_t *mutex(mtx_t *mtx)
{
	return (pthread_mutex_t *)(void *)mtx;
}

static pthread_cond_t *condition(cnd_t *cnd)
{
	return (pthread_cond_t *)(void *)cnd;
}

int mtx_init(mtx_t *mtx, int type)
{
	pthread_mutexattr_t attributes;

	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_settype(&attributes,
				  type & mtx_recursive ? PTHREAD_MUTEX_RECURSIVE : PTHREAD_MUTEX_NORMAL);
	int error = pthread_mutex_init(mutex(mtx), &attributes);

	pthread_mutexattr_destroy(&attributes);
	return status(error);
}

void mtx_destroy(mtx_t *mtx)
{
	pthread_mutex_destroy(mutex(mtx));
}

int mtx_lock(mtx_t *mtx)
{
	return status(pthread_mutex_lock(mutex(mtx)));
}

int mtx_trylock(mtx_t *mtx)
{
	return status(pthread_mutex_trylock(mutex(mtx)));
}

int mtx_unlock(mtx_t *mtx)
{
	return status(pthread_mutex_unlock(mutex(mtx)));
}

int cnd_init(cnd_t *cnd)
{
	return status(pthread_cond_init(condition(cnd), NULL));
}

void cnd_destroy(cnd_t *cnd)
{
	pthread_cond_destroy(condition(cnd));
}

int cnd_signal(cnd_t *cnd)
{
	return status(pthread_cond_signal(condition(cnd)));
}

int cnd_broadcast(cnd_t *cnd)
{
	return status(pthread_cond_broadcast(condition(cnd)));
}

int cnd_wait(cnd_t *cnd, mtx_t *mtx)
{
	return status(pthread_cond_wait(condition(cnd), mutex(mtx)));
}

int cnd_timedwait(cnd_t *cnd, mtx_t *mtx, const struct timespec *until)
{
	return status(pthread_cond_timedwait(condition(cnd), mutex(mtx), until));
}
