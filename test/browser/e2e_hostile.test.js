/*
 * Texts that want to be more than texts, from SQL to the widget: in every field
 * that an application can fill.
 */
import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { World } from './lib/world.js'

const HOSTILE = [
  '<img src=x onerror="globalThis.owned=true">',
  '<script>globalThis.owned=true</script>',
  '"><svg onload=globalThis.owned=true>',
  '{{constructor.constructor("globalThis.owned=true")()}}',
  '</p></section><iframe srcdoc="<script>parent.owned=true</script>"></iframe>',
  '\u202e\u0007&lt;b&gt;&#60;b&#62;'
]

let world
before(async () => { world = await World.start() })
after(() => world?.stop())
afterEach(() => world.reset())

const quoted = text => `'${text.replaceAll("'", "''")}'`

/** A widget on a page of its own, that shows that run. */
async function widget(session, attributes = {}) {
  const tab = await (await world.context()).open(world.front.page({ 'session-id': session, 'token-url': '/token/alice', ...attributes }, 'widget.html'))
  return tab
}

function shows(tab, text) {
  return tab.until(() => globalThis.look(), look => look.text.includes(text), `the widget shows ${text}`)
}

/** The same when it has its buttons and links, which come a moment later. */
async function showsAll(tab, text) {
  await shows(tab, text)
  return tab.until(() => globalThis.look(), look => look.elements.includes('a'), 'the widget has its links')
}

function assertHarmless({ elements, handlers, addresses, violations, owned, title }, tab) {
  for (const name of ['script', 'iframe', 'img', 'object', 'embed', 'base', 'form']) assert.ok(!elements.includes(name), `there is a ${name}`)
  assert.deepEqual(handlers, [])
  for (const address of addresses) assert.ok(address.startsWith(`${world.front.origin}/`), address)
  assert.deepEqual([violations, tab.problems, owned, title], [[], [], false, 'A widget'])
}

for (const hostile of HOSTILE) {
  test(`[000-35] shown as it is: ${JSON.stringify(hostile)}`, async () => {
    const accounts = JSON.stringify([{ name: `name ${hostile}`, email: `mail ${hostile}`, total_count: 10 }, { name: 'plain', total_count: 10 }])
    const session = await world.database.session(`title => ${quoted(hostile)}, accounts => ${quoted(accounts)}`)
    const tab = await widget(session)
    for (const text of [hostile, `name ${hostile}`, `mail ${hostile}`]) await shows(tab, text)

    await world.database.sql(`SELECT sync.sync_progress_set(${session}, message => ${quoted(`message ${hostile}`)});
      SELECT sync.sync_session_fail(${session}, ${quoted(`account ${hostile}`)}, min(id)) FROM sync.sync_session_accounts WHERE sync_session_id = ${session}`)
    await shows(tab, `message ${hostile}`)
    await shows(tab, `account ${hostile}`)
    assertHarmless(await tab.call(() => globalThis.look()), tab)

    await world.database.sql(`SELECT sync.sync_session_fail(${session}, ${quoted(`run ${hostile}`)})`)
    assertHarmless(await shows(tab, `run ${hostile}`), tab)
  })
}

for (const address of ['javascript:globalThis.owned=true', 'data:text/html,<script>opener.owned=true</script>', 'https://elsewhere.example/result',
  '//elsewhere.example/result', 'vbscript:x', ' \u0001javascript:globalThis.owned=true', 'https://127.0.0.1@elsewhere.example/', '\\\\elsewhere.example\\x']) {
  test(`[000-35] leads nowhere: ${JSON.stringify(address)}`, async () => {
    const session = await world.database.session()
    const tab = await widget(session)
    await world.database.sql(`SELECT sync.sync_session_complete(${session}, message => 'it is done', result_url => ${quoted(address)})`)
    assertHarmless(await showsAll(tab, 'it is done'), tab)
  })
}

test('a result of this site can be reached', async () => {
  const session = await world.database.session()
  const tab = await widget(session)
  await world.database.sql(`SELECT sync.sync_session_complete(${session}, message => 'it is done', result_url => '/results/${session}?a=1')`)
  const look = await showsAll(tab, 'it is done')
  assert.deepEqual(look.addresses, [`${world.front.origin}/results/${session}?a=1`])
  assertHarmless(look, tab)
})
