/*
 * What a page's token address answers, and what is made of it.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tokenFrom } from '../../client/token_url.js'

for (const [what, body, token] of [
  ['a text', ' abc.def.ghi\n', 'abc.def.ghi'],
  ['a JSON text', '"abc.def.ghi"', 'abc.def.ghi'],
  ['an object', '{"token":"abc.def.ghi"}', 'abc.def.ghi'],
  ['a page to log in', '<!doctype html><title>Log in</title>', null],
  ['no token', '{"token":null}', null],
  ['an error', '{"error":"session expired"}', null],
  ['a sentence', 'please log in', null]
]) {
  test(`${what}: ${token === null ? 'is no token, and is not sent to the server as one' : 'is the token'}`, async t => {
    t.mock.method(globalThis, 'fetch', async () => new Response(body))
    const asked = tokenFrom(`/${encodeURIComponent(what)}`)()
    if (token === null) await assert.rejects(asked, /: no token$/)
    else assert.equal(await asked, token)
  })
}
