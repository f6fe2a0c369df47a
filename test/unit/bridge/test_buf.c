/*
 * test_buf.c
 *		Frames and array literals are written as their readers expect; texts and
 *		messages live as long as somebody holds them.
 */
#include <string.h>

#include "buf.h"
#include "intern.h"
#include "msg.h"
#include "unit.h"

static void
an_empty_buffer_is_an_empty_text(void **state)
{
	struct buf	buf = {0};

	buf_reset(&buf);
	assert_string_equal(buf.data, "");
	buf_add_text(&buf, "old");
	buf_reset(&buf);
	assert_string_equal(buf.data, "");
	buf_free(&buf);
}

static void
a_json_string_escapes_what_it_must_and_no_more(void **state)
{
	struct buf	buf = {0};

	buf_add_json_string(&buf, "a\"b\\c\n\x01\xc3\xa9/", 10);
	assert_string_equal(buf.data, "\"a\\\"b\\\\c\\u000a\\u0001\xc3\xa9/\"");
	buf_free(&buf);
}

static void
elements_of_an_array_literal_are_quoted(void **state)
{
	struct buf	buf = {0};

	buf_add_text(&buf, "{");
	buf_add_array_item(&buf, "a,b", 3);
	buf_add_array_item(&buf, "q\"\\{}", 5);
	buf_add_array_item(&buf, "", 0);
	buf_add_text(&buf, "}");
	assert_string_equal(buf.data, "{\"a,b\",\"q\\\"\\\\{}\",\"\"}");
	buf_free(&buf);
}

static void
a_buffer_grows(void **state)
{
	struct buf	buf = {0};
	char		big[5000];

	memset(big, 'x', sizeof(big));
	for (int i = 0; i < 300; i++)
		buf_add(&buf, big, sizeof(big));
	assert_int_equal(buf.len, 1500000);
	assert_int_equal(strspn(buf.data, "x"), 1500000);
	buf_free(&buf);
}

static void
the_memory_of_a_huge_message_is_given_back(void **state)
{
	struct buf	buf = {0};

	buf_printf(&buf, "%*s", 1500000, "x");
	memset(buf.data - BUF_HEADROOM, 'h', BUF_HEADROOM);
	buf_reset(&buf);
	assert_in_range(buf.cap, 1, 1024 * 1024);
	buf_free(&buf);
}

static void
the_memory_of_a_usual_message_is_kept(void **state)
{
	struct buf	buf = {0};
	size_t		cap;

	buf_printf(&buf, "%*s", 10000, "x");
	cap = buf.cap;
	buf_reset(&buf);
	assert_int_equal(buf.cap, cap);
	buf_free(&buf);
}

static void
printf_appends(void **state)
{
	struct buf	buf = {0};

	buf_printf(&buf, "%d-%s", 42, "x");
	assert_string_equal(buf.data, "42-x");
	buf_printf(&buf, "+%d", 1);
	assert_string_equal(buf.data, "42-x+1");
	buf_free(&buf);
}

static void
equal_texts_are_one_object(void **state)
{
	struct intern *intern = intern_create();
	struct istr *a = intern_get(intern, "same", 4);
	struct istr *b = intern_get(intern, "same", 4);

	assert_ptr_equal(a, b);
	assert_null(intern_find(intern, "sam", 3));
	intern_drop(a);
	intern_drop(b);
	intern_free(intern);
}

static void
a_text_stays_while_it_is_held(void **state)
{
	struct intern *intern = intern_create();
	struct istr *a = intern_get(intern, "same", 4);
	struct istr *b = intern_get(intern, "same", 4);

	intern_drop(a);
	assert_ptr_equal(intern_find(intern, "same", 4), b);
	intern_drop(b);
	assert_null(intern_find(intern, "same", 4));
	intern_free(intern);
}

static void
a_message_lives_while_it_is_held(void **state)
{
	struct msg *msg = msg_create("payload", 7);

	msg_hold(msg);
	msg_drop(msg);
	assert_string_equal(msg->bytes, "payload");
	msg_drop(msg);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_buffer_is_an_empty_text),
		cmocka_unit_test(a_json_string_escapes_what_it_must_and_no_more),
		cmocka_unit_test(elements_of_an_array_literal_are_quoted),
		cmocka_unit_test(a_buffer_grows),
		cmocka_unit_test(the_memory_of_a_huge_message_is_given_back),
		cmocka_unit_test(the_memory_of_a_usual_message_is_kept),
		cmocka_unit_test(printf_appends),
		cmocka_unit_test(equal_texts_are_one_object),
		cmocka_unit_test(a_text_stays_while_it_is_held),
		cmocka_unit_test(a_message_lives_while_it_is_held),
	};

	return run_units(tests);
}
