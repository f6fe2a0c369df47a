import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { launchChromium, openPage } from './lib/chromium.js'
import { FakeCable } from './lib/fake_cable.js'
import { payload } from './lib/payloads.js'
import { reactSite } from './lib/react_page.js'
import { within } from './lib/wait.js'

const STREAM = { channel: 'SyncStatusChannel', session_id: 42 }
const ID = JSON.stringify(STREAM)

let browser
let open
let cable
const sites = {}
before(async () => {
  browser = await launchChromium()
})
after(async () => {
  await browser?.close()
})
afterEach(async () => {
  const { problems, close } = open ?? {}
  open = null
  await close?.()
  await cable?.stop()
  assert.deepEqual(problems ?? [], [])
})

const requests = []

// An action over HTTP.
function answer(request, response) {
  if (request.method !== 'POST') return false
  requests.push({ url: request.url, authorization: request.headers.authorization })
  response.writeHead(200, { 'Content-Type': 'application/json' }).end('{"result":{"status":"paused"},"state":null}')
  return true
}

/** A page of that React with a scene in it, and the server's end of its connection. */
async function show(scene, props, { version = 19 } = {}) {
  sites[version] ??= await reactSite({ version, answer })
  cable = await FakeCable.start({ serve: sites[version] })
  open = await openPage(browser, cable.origin)
  const { page } = open
  await page.locator('[data-ready]').waitFor({ state: 'attached' })
  await page.evaluate(([scene, props]) => globalThis.show(scene, props), [scene, props])
  return { page, peer: await cable.nextConnection() }
}

async function subscribed(peer, identifier = ID) {
  const { identifier: asked } = await peer.nextCommand('subscribe')
  assert.equal(asked, identifier)
  peer.confirm(identifier)
}

async function watching(scene, props, options) {
  const opened = await show(scene, props, options)
  opened.peer.welcome()
  await subscribed(opened.peer)
  return opened
}

function shows(page, text, where = 'output') {
  return page.waitForFunction(([text, where]) => document.querySelector(where)?.textContent === text, [text, where], { timeout: 10_000 })
}

const called = (page, name) => page.evaluate(name => globalThis.called(name), name)

const gone = peer => peer.nextCommand('unsubscribe')

for (const version of [18, 19]) {
  test(`[003-08] React ${version}, StrictMode: one connection, one subscription, and an unsubscribe a second after the end`, async () => {
    const { page, peer } = await watching('One', { identifier: STREAM }, { version })
    peer.message(ID, payload({ processed_count: 1 }))
    await shows(page, '1 processing')
    await shows(page, 'confirmed live isActive', 'p')
    assert.equal(peer.commandsNamed('subscribe').length, 1)
    assert.equal(peer.commandsNamed('unsubscribe').length, 0)

    await page.evaluate(() => globalThis.leave())
    assert.equal((await gone(peer)).identifier, ID)
    assert.equal(cable.connections.all.length, 1)
  })

  test(`React ${version}: what the server sends comes to the screen and to the callbacks, the end once`, async () => {
    const { page, peer } = await watching('One', { identifier: STREAM }, { version })
    for (const processed_count of [1, 2]) peer.message(ID, payload({ processed_count }))
    const end = payload({ processed_count: 3, status: 'completed' })
    peer.message(ID, end)
    peer.message(ID, payload({ processed_count: 3, status: 'completed', title: 'renamed after the end' }))
    await shows(page, '3 completed')
    assert.deepEqual((await called(page, 'onProgress')).map(([{ processed_count }]) => processed_count), [1, 2, 3, 3])
    assert.deepEqual(await called(page, 'onComplete'), [[end]])
    assert.deepEqual(await called(page, 'onError'), [])
  })
}

test('who leaves and comes back within the grace is shown the newest state at once, and the server hears nothing of it', async () => {
  const { page, peer } = await watching('One', { identifier: STREAM })
  peer.message(ID, payload({ processed_count: 7 }))
  await shows(page, '7 processing')
  const first = await page.evaluate(async ([scene, props]) => {
    globalThis.leave()
    globalThis.show(scene, props)
    await new Promise(resolve => requestAnimationFrame(resolve))
    return document.querySelector('output').textContent
  }, ['One', { identifier: STREAM }])
  assert.equal(first, '7 processing')

  // Longer than the grace: whatever was to be sent because of it has been.
  await page.evaluate(() => new Promise(resolve => setTimeout(resolve, 1_300)))
  peer.message(ID, payload({ processed_count: 8 }))
  await shows(page, '8 processing')
  assert.deepEqual(peer.commands.all.map(({ command }) => command), ['subscribe'])
})

test('who comes back after the grace subscribes anew', async () => {
  const { page, peer } = await watching('One', { identifier: STREAM })
  await page.evaluate(() => globalThis.leave())
  await gone(peer)
  await page.evaluate(props => globalThis.show('One', props), { identifier: STREAM })
  await subscribed(peer)
  peer.message(ID, payload({ processed_count: 9 }))
  await shows(page, '9 processing')
})

test('components of one stream share a subscription; it stays until the last has gone', async () => {
  const { page, peer } = await watching('Two', { identifier: STREAM })
  peer.message(ID, payload({ processed_count: 1 }))
  await shows(page, '1 processing', '#first output')
  await shows(page, '1 processing', '#second output')
  await page.evaluate(props => globalThis.show('One', props), { identifier: STREAM, id: 'second' })
  peer.message(ID, payload({ processed_count: 2 }))
  await shows(page, '2 processing', '#second output')
  assert.deepEqual(peer.commands.all.map(({ command }) => command), ['subscribe'])
})

test('another identifier shows nothing of the one before; null watches nothing', async () => {
  const { page, peer } = await watching('One', { identifier: STREAM })
  peer.message(ID, payload({ processed_count: 1 }))
  await shows(page, '1 processing')

  const other = '{"channel":"SyncStatusChannel","session_id":43}'
  await page.evaluate(props => globalThis.show('One', props), { identifier: JSON.parse(other) })
  await shows(page, 'nothing')
  await subscribed(peer, other)
  assert.equal((await gone(peer)).identifier, ID)
  peer.message(other, payload({ processed_count: 5, session_id: 43 }))
  await shows(page, '5 processing')

  await page.evaluate(props => globalThis.show('One', props), { identifier: null })
  await shows(page, 'nothing')
  await shows(page, 'idle live', 'p')
  assert.equal((await gone(peer)).identifier, other)
})

test('[003-12] a lost connection leaves the state on the screen; the next one is told once what is watched', async () => {
  const { page, peer } = await watching('Two', { identifier: STREAM })
  peer.message(ID, payload({ processed_count: 1 }))
  await shows(page, '1 processing', '#first output')
  peer.drop()
  await page.waitForFunction(() => /^pending (backoff|connecting) isActive$/.test(document.querySelector('p').textContent))
  await shows(page, '1 processing', '#first output')

  const again = await cable.nextConnection()
  again.welcome()
  await subscribed(again)
  again.message(ID, payload({ processed_count: 2 }))
  await shows(page, '2 processing', '#second output')
  assert.equal(again.commandsNamed('subscribe').length, 1)
})

test('a run that fails, is retried and completes: onError, then onComplete, once each', async () => {
  const { page, peer } = await watching('One', { identifier: STREAM })
  peer.message(ID, payload())
  const failed = payload({ status: 'failed', error_message: 'IMAP said no' })
  peer.message(ID, failed)
  await shows(page, 'confirmed live isFailed IMAP said no', 'p')
  peer.message(ID, payload({ ...failed, version: failed.version + 1000 }))
  const again = payload({ status: 'completed', job_id: 'another', version: failed.version + 2000 })
  peer.message(ID, again)
  await shows(page, 'confirmed live isComplete', 'p')
  assert.deepEqual(await called(page, 'onError'), [['IMAP said no', failed]])
  assert.deepEqual(await called(page, 'onComplete'), [[again]])
})

test('a run that was over before is shown, and no news; with includeEnded it is', async () => {
  for (const includeEnded of [false, true]) {
    const { page, peer } = await watching('One', { identifier: STREAM, includeEnded })
    peer.message(ID, payload({ status: 'completed' }))
    await shows(page, 'confirmed live isComplete', 'p')
    assert.equal((await called(page, 'onComplete')).length, includeEnded ? 1 : 0)
    await open.close()
    await cable.stop()
  }
})

test('what names no stream says so, and what is not known yet watches nothing', async () => {
  const { page, peer } = await show('Two', { identifier: STREAM })
  peer.welcome()
  await subscribed(peer)
  await page.evaluate(props => globalThis.show('Two', props), { identifier: { channel: 'SyncStatusChannel', session_id: null } })
  await shows(page, 'idle live', 'p')
  assert.equal((await gone(peer)).identifier, ID)
  assert.equal(peer.commandsNamed('subscribe').length, 1)
  for (const wrong of [{ session_id: 42 }, { id: 'a' }, 42, true]) {
    assert.match(await page.evaluate(identifier => {
      try {
        globalThis.useSyncProgress(identifier)
      } catch ({ name, message }) {
        return `${name}: ${message}`
      }
    }, wrong), /^TypeError: useSyncProgress: an identifier names its channel/)
  }
})

test('what is not allowed says so', async () => {
  const { page, peer } = await show('One', { identifier: STREAM })
  peer.welcome()
  await peer.nextCommand('subscribe')
  peer.reject(ID)
  await shows(page, 'rejected live', 'p')
  assert.equal((await called(page, 'onRejected')).length, 1)
})

test('actions go to the server, with the token; without a stream they are refused', async () => {
  const { page } = await watching('One', { identifier: STREAM, provider: { token: 'good' } })
  await page.getByText('pause').click()
  await page.waitForFunction(() => globalThis.called('paused').length === 1)
  assert.deepEqual(requests.at(-1), { url: '/sessions/SyncStatusChannel/42/pause', authorization: 'Bearer good' })

  await page.evaluate(props => globalThis.show('One', props), { identifier: null, provider: { token: 'good' } })
  await shows(page, 'idle live', 'p')
  await page.getByText('pause').click()
  await page.waitForFunction(() => globalThis.called('refused').length === 1)
})

test('a token callback written inline makes one client, and is asked as it is now', async () => {
  const { page, peer } = await watching('InlineToken', { token: 'inline', identifier: STREAM })
  assert.equal(peer.token, 'inline-0')
  await page.evaluate(() => globalThis.renderAgain())
  await page.evaluate(() => globalThis.renderAgain())
  await shows(page, '2', 'b')
  peer.message(ID, payload({ processed_count: 3 }))
  await shows(page, '3 processing')
  assert.equal(cable.connections.all.length, 1)

  // a retry within a second of the last time has the same token again
  let next = peer
  do {
    next.drop()
    next = await cable.nextConnection()
  } while (next.token === 'inline-0')
  assert.equal(next.token, 'inline-2')
})

test('a provider with a token closes its connection after it has gone', async () => {
  const { page, peer } = await watching('One', { identifier: STREAM, provider: { token: 'good' } })
  assert.equal(peer.token, 'good')
  await page.evaluate(() => globalThis.leave())
  await peer.closed()
})

test('useSyncClient and useConnectionState', async () => {
  const { page, peer } = await show('Connection')
  await shows(page, 'connecting')
  peer.welcome()
  await shows(page, 'live')
})

test('concurrent rendering shows one state at a time, however slow the components are', async () => {
  const { page, peer } = await watching('Stripes', { identifier: STREAM, strict: false })
  let processed_count = 0
  peer.message(ID, payload({ processed_count }))
  await shows(page, '0', 'i')
  for (let turn = 1; turn <= 5; turn++) {
    await page.evaluate(([props]) => globalThis.showInTransition('Stripes', props), [{ identifier: STREAM, strict: false, turn }])
    for (let each = 0; each < 10; each++) peer.message(ID, payload({ processed_count: ++processed_count }))
    await page.waitForFunction(turn => globalThis.called('committed').some(([each]) => each === turn), turn)
  }
  await shows(page, '50', 'i')
  const torn = (await called(page, 'committed')).filter(([, shown]) => shown.length !== 1)
  assert.deepEqual(torn, [])
})

test('a thousand updates a second cost at most one rendering in 16 ms; the last is shown', async () => {
  const { page, peer } = await watching('One', { identifier: STREAM, strict: false })
  peer.message(ID, payload({ processed_count: 0 }))
  await shows(page, '0 processing')
  const before = await page.evaluate(() => [globalThis.commits(), performance.now()])
  for (let processed_count = 1; processed_count <= 1_000; processed_count++) peer.message(ID, payload({ processed_count }))
  await within(shows(page, '1000 processing'), 'the last update')
  const [commits, now] = await page.evaluate(() => [globalThis.commits(), performance.now()])
  const frames = Math.ceil((now - before[1]) / 16) + 1
  assert.ok(commits - before[0] <= frames, `${commits - before[0]} renderings in ${frames} frames`)
  assert.equal((await called(page, 'onProgress')).length, 1_001)
})
