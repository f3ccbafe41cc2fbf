#include "apps/evilnet/x_http.h"

#include <curl/curl.h>
#include <pthread.h>

#include "apps/evilnet/util.h"

struct x_http {
	CURLM *multi;
	CURL *easy;
	char *authorization;
	struct curl_slist *headers;
	x_http_bytes_fn *on_bytes;
	void *user;
	char error[CURL_ERROR_SIZE];
	bool running;
};

static void init_curl(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

static size_t on_write(char *data, size_t size, size_t n, void *user)
{
	struct x_http *h = user;
	long status = 0;

	curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &status);
	h->on_bytes(status, data, size * n, h->user);
	return size * n;
}

struct x_http *x_http_new(const char *token, x_http_bytes_fn *on_bytes, void *user)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	static const char bearer[] = "Authorization: Bearer ";
	struct x_http *h = evilnet_new(sizeof *h);
	size_t size = sizeof bearer + strlen(token);

	pthread_once(&once, init_curl);
	h->on_bytes = on_bytes;
	h->user = user;
	h->multi = curl_multi_init();
	h->easy = curl_easy_init();
	h->authorization = evilnet_malloc(size);
	snprintf(h->authorization, size, "%s%s", bearer, token);
	h->headers = curl_slist_append(NULL, h->authorization);
	h->headers = curl_slist_append(h->headers, "Content-Type: application/json");
	weir_assert(h->multi && h->easy && h->headers);
	return h;
}

void x_http_free(struct x_http *h)
{
	if (!h)
		return;
	x_http_cancel(h);
	curl_easy_cleanup(h->easy);
	curl_multi_cleanup(h->multi);
	explicit_bzero(h->headers->data, strlen(h->headers->data));
	curl_slist_free_all(h->headers);
	explicit_bzero(h->authorization, strlen(h->authorization));
	free(h->authorization);
	free(h);
}

/* What no waiting would mend. */
static bool check_url(const char *url, weir_error *err)
{
	CURLU *u = curl_url();
	char *scheme = NULL;
	CURLUcode code = curl_url_set(u, CURLUPART_URL, url, 0);

	if (code == CURLUE_OK)
		code = curl_url_get(u, CURLUPART_SCHEME, &scheme, 0);
	bool good = scheme && (strcmp(scheme, "https") == 0 || strcmp(scheme, "http") == 0);
	if (!good)
		weir_fail(err, WEIR_CONFIG, "%s: an address with http:// or https:// is wanted%s%s", url,
			  code == CURLUE_OK ? "" : ": ", code == CURLUE_OK ? "" : curl_url_strerror(code));
	curl_free(scheme);
	curl_url_cleanup(u);
	return good;
}

bool x_http_begin(struct x_http *h, const struct x_http_request *request, weir_error *err)
{
	CURL *easy = h->easy;

	weir_assert(!h->running);
	if (!check_url(request->url, err))
		return false;
	curl_easy_reset(easy);
	h->error[0] = 0;
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, h->error);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "evilnet");
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, h->headers);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_write);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, h);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)request->connect_timeout_ms);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
	if (request->body)
		curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, request->body);
	curl_easy_setopt(easy, CURLOPT_URL, request->url);
	CURLMcode added = curl_multi_add_handle(h->multi, easy);
	if (added != CURLM_OK)
		return weir_fail(err, WEIR_IO, "%s: %s", request->url, curl_multi_strerror(added));
	h->running = true;
	return true;
}

void x_http_cancel(struct x_http *h)
{
	if (h->running)
		curl_multi_remove_handle(h->multi, h->easy);
	h->running = false;
}

static int64_t rate_limit_reset_ms(CURL *easy)
{
	struct curl_header *header;
	char *end;

	if (curl_easy_header(easy, "x-rate-limit-reset", 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
		return -1;
	long long seconds = strtoll(header->value, &end, 10);
	return end > header->value && seconds > 0 && seconds < INT64_MAX / 1000 ? seconds * 1000 : -1;
}

static bool ended(struct x_http *h, struct x_http_result *result)
{
	int left;
	CURLMsg *message = curl_multi_info_read(h->multi, &left);

	if (!message)
		return false;
	CURLcode code = message->data.result;
	*result = (struct x_http_result){ .reset_ms = rate_limit_reset_ms(h->easy) };
	curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &result->status);
	if (code != CURLE_OK)
		snprintf(result->error, sizeof result->error, "%s",
			 h->error[0] ? h->error : curl_easy_strerror(code));
	x_http_cancel(h);
	return true;
}

bool x_http_turn(struct x_http *h, int64_t wait_ms, struct x_http_result *result)
{
	int running;

	weir_assert(h->running);
	curl_multi_perform(h->multi, &running);
	if (ended(h, result))
		return true;
	curl_multi_poll(h->multi, NULL, 0, (int)wait_ms, NULL);
	curl_multi_perform(h->multi, &running);
	return ended(h, result);
}
