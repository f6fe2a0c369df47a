/* Frames and array literals are written as their readers expect. */
#include "buf.h"
#include "intern.h"
#include "msg.h"
#include "tap.h"

int
main(void)
{
	struct buf	buf = {0};
	struct intern *intern = intern_create();
	struct istr *a;
	struct istr *b;
	struct msg *msg;
	char		big[5000];

	buf_reset(&buf);
	is(buf.data, "", "an empty buffer is an empty text");
	buf_add_json_string(&buf, "a\"b\\c\n\x01\xc3\xa9/", 10);
	is(buf.data, "\"a\\\"b\\\\c\\u000a\\u0001\xc3\xa9/\"", "a JSON string escapes what it must and no more");

	buf_reset(&buf);
	buf_add_text(&buf, "{");
	buf_add_array_item(&buf, "a,b", 3);
	buf_add_array_item(&buf, "q\"\\{}", 5);
	buf_add_array_item(&buf, "", 0);
	buf_add_text(&buf, "}");
	is(buf.data, "{\"a,b\",\"q\\\"\\\\{}\",\"\"}", "elements of an array literal are quoted");

	memset(big, 'x', sizeof(big));
	buf_reset(&buf);
	for (int i = 0; i < 300; i++)
		buf_add(&buf, big, sizeof(big));
	is_int((long long) buf.len, 1500000, "a buffer grows");
	memset(buf.data - BUF_HEADROOM, 'h', BUF_HEADROOM);
	buf_reset(&buf);
	ok(buf.cap < 1024 * 1024, "the memory of a huge message is given back");
	buf_printf(&buf, "%d-%s", 42, "x");
	is(buf.data, "42-x", "printf appends");
	buf_free(&buf);

	a = intern_get(intern, "same", 4);
	b = intern_get(intern, "same", 4);
	ok(a == b, "equal texts are one object");
	ok(intern_find(intern, "sam", 3) == NULL, "a prefix is another text");
	intern_drop(a);
	ok(intern_find(intern, "same", 4) == b, "it stays while it is held");
	intern_drop(b);
	ok(intern_find(intern, "same", 4) == NULL, "and goes with the last who held it");
	intern_free(intern);

	msg = msg_create("payload", 7);
	msg_hold(msg);
	msg_drop(msg);
	is(msg->bytes, "payload", "a message lives while it is held");
	msg_drop(msg);
	return tap_done();
}
