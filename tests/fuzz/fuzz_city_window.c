/* A city's window as it stands in Kafka, up to the row that the database would be given. */
#include "apps/evilnet/mysql_rows.h"
#include "schemas/city_window.h"
#include "tests/fuzz/fuzz.h"

static void again(const struct city_window *w)
{
	size_t room = CITY_WINDOW_FRAME_BYTES + w->place.len, len;
	char *buf = malloc(room);
	struct city_window back;
	weir_error err;

	weir_assert(buf);
	len = city_window_encode(w, buf, room);
	weir_assert(len > 0 && city_window_decode(weir_bytes_of(buf, len), &back, &err));
	weir_assert(weir_bytes_equal(back.place, w->place) && back.window_start_ms == w->window_start_ms &&
		    back.window_seconds == w->window_seconds && back.tweets == w->tweets &&
		    back.retweets == w->retweets && back.users == w->users && back.upto == w->upto);
	free(buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct city_window w;
	weir_error err = { .code = WEIR_OK };

	if (!city_window_decode(weir_bytes_of(data, size), &w, &err)) {
		weir_assert(err.code == WEIR_DECODE && err.message[0]);
		return 0;
	}
	again(&w);
	if (!evilnet_row_check(&w, &err))
		weir_assert(err.message[0]);
	struct evilnet_row rows[] = { { w, 0 }, { w, 1 } };

	rows[1].window.upto = w.upto / 2;
	weir_assert(evilnet_rows_coalesce(rows, 2) == 1 && rows[0].window.upto == w.upto);
	return 0;
}
