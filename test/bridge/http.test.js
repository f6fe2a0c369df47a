/*
 * Plain HTTP: health, files, and what is refused.
 */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { chmodSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Bridge } from './lib/bridge.js'
import { Database } from './lib/database.js'
import { guardDirectory } from './lib/programs.js'

const SECRET = 'outside of the directory that is served'

let dir
let database
let bridge
let guard

before(async () => {
  dir = mkdtempSync(join(tmpdir(), 'sync-progress-www.'))
  guard = guardDirectory(dir)
  chmodSync(dir, 0o755)
  mkdirSync(join(dir, 'www/client'), { recursive: true })
  writeFileSync(join(dir, 'secret.txt'), SECRET)
  writeFileSync(join(dir, 'www/index.html'), '<!doctype html><title>José</title>')
  writeFileSync(join(dir, 'www/client/index.js'), 'export const answer = 42\n')
  writeFileSync(join(dir, 'www/large.css'), '/* large */\n'.repeat(50_000))
  writeFileSync(join(dir, 'www/.hidden'), SECRET)
  symlinkSync('index.html', join(dir, 'www/link.html'))
  database = await Database.start()
  bridge = await Bridge.start(database.conninfo(), ['--www', join(dir, 'www')])
  await bridge.ready()
})
after(async () => {
  await bridge?.stop()
  await database?.destroy()
  await guard?.release()
})

const get = (path, options) => fetch(bridge.origin + path, options)

/** The answer to a request that is sent as it stands, paths and all. */
function raw(request) {
  return new Promise((resolve, reject) => {
    const socket = connect(bridge.port, '127.0.0.1', () => socket.write(request))
    let answer = ''
    socket.setEncoding('utf8').setTimeout(10_000, () => socket.destroy(new Error(`no end of the answer: ${answer}`)))
    socket.on('data', text => { answer += text })
    socket.on('error', reject)
    socket.on('close', () => resolve({ answer, status: Number(answer.split(' ')[1]) }))
  })
}

const rawGet = path => raw(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`)

test('GET /healthz', async () => {
  const answer = await get('/healthz')
  assert.equal(answer.status, 200)
  assert.equal(await answer.text(), 'ok\n')
})

test('GET /readyz: ready, and why not while the database is away', async () => {
  assert.equal(await (await get('/readyz')).text(), 'ready\n')
  await database.stop()
  await bridge.ready(503)
  assert.match(await (await get('/readyz')).text(), /^not ready: .+/)
  assert.equal((await get('/healthz')).status, 200)
  await database.start()
  await bridge.ready()
})

test('the page, its modules, and their types', async () => {
  for (const [path, type, text] of [
    ['/', 'text/html; charset=utf-8', '<!doctype html><title>José</title>'],
    ['/index.html', 'text/html; charset=utf-8', '<!doctype html><title>José</title>'],
    ['/?session=42', 'text/html; charset=utf-8', '<!doctype html><title>José</title>'],
    ['/client/index.js', 'text/javascript; charset=utf-8', 'export const answer = 42\n'],
    ['/link.html', 'text/html; charset=utf-8', '<!doctype html><title>José</title>']
  ]) {
    const answer = await get(path)
    assert.equal(answer.status, 200, path)
    assert.equal(answer.headers.get('content-type'), type, path)
    assert.equal(answer.headers.get('referrer-policy'), 'no-referrer', path)
    assert.equal(answer.headers.get('x-content-type-options'), 'nosniff', path)
    assert.equal(await answer.text(), text, path)
  }
  assert.match((await get('/')).headers.get('content-security-policy'), /default-src 'self'/)
})

test('a file larger than a socket\'s buffer, whole, to many at once', async () => {
  const answers = await Promise.all(Array.from({ length: 20 }, () => get('/large.css').then(answer => answer.text())))
  for (const text of answers) assert.equal(text.length, 600_000)
})

test('a reader that stops in the middle of a large file holds up nobody', async t => {
  const socket = connect(bridge.port, '127.0.0.1')
  t.after(() => socket.destroy())
  await new Promise(resolve => socket.once('connect', resolve))
  socket.pause()
  socket.on('error', () => {}) // asking for more before the answer is read ends the connection
  for (let i = 0; i < 20; i++) socket.write('GET /large.css HTTP/1.1\r\nHost: x\r\n\r\n')
  for (let i = 0; i < 20; i++) assert.equal((await get('/healthz')).status, 200)
})

test('a file that changes is served anew; one that has not is not sent again', async () => {
  writeFileSync(join(dir, 'www/changing.txt'), 'one')
  const first = await get('/changing.txt')
  assert.equal(await first.text(), 'one')
  const etag = first.headers.get('etag')
  const same = await get('/changing.txt', { headers: { 'If-None-Match': etag } })
  assert.equal(same.status, 304)
  assert.equal(await same.text(), '')
  writeFileSync(join(dir, 'www/changing.txt'), 'two and a half')
  const second = await get('/changing.txt', { headers: { 'If-None-Match': etag } })
  assert.equal(second.status, 200)
  assert.equal(await second.text(), 'two and a half')
})

test('HEAD: the length, and no body', async () => {
  const { answer } = await raw('HEAD /client/index.js HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  assert.match(answer, /^HTTP\/1\.[01] 200 /)
  assert.match(answer, /Content-Length: 25\r\n/i)
  assert.ok(answer.endsWith('\r\n\r\n'))
})

for (const path of ['/no/such/page', '/client', '/client/', '/index.html/', '/cable', '/cable/x', '/INDEX.HTML', '/healthz/']) {
  test(`GET ${path}: 404`, async () => {
    assert.equal((await rawGet(path)).status, 404)
  })
}

for (const path of ['/../secret.txt', '/client/../../secret.txt', '/%2e%2e/secret.txt', '/..%2fsecret.txt', '/%2e%2e%2fsecret.txt',
  '/client/..%2f..%2fsecret.txt', '/....//secret.txt', '/..\\secret.txt', '/..%5csecret.txt', '//secret.txt', '/./../secret.txt',
  '/.hidden', '/%2ehidden', '/client/%00/../../../secret.txt', '/%252e%252e/secret.txt', '/index.html%00.js', '/%', 'http://x/../secret.txt']) {
  test(`no way out of the directory: ${path}`, async () => {
    const { answer, status } = await rawGet(path)
    assert.ok(!answer.includes(SECRET), answer)
    // hung up, refused, or what is left of the path inside the directory
    assert.ok(answer === '' || [400, 403, 404].includes(status) || (status === 200 && answer.includes('José')), answer)
  })
}

for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'FOO']) {
  test(`${method} is refused`, async () => {
    for (const path of ['/', '/cable', '/healthz']) {
      const { status, answer } = await raw(`${method} ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`)
      // what libwebsockets has never heard of it refuses by itself
      assert.ok(method === 'FOO' ? status === 403 : [404, 405].includes(status), `${path}: ${answer}`)
    }
  })
}

for (const [what, target, statuses] of [
  ['a long path', `/${'x'.repeat(2000)}`, [404]], ['a path longer than all headers may be', `/${'x'.repeat(20_000)}`, [400, 403, 404, 414, 431]],
  ['an asterisk', '*', [400, 403]], ['a whole address', 'http://127.0.0.1/healthz', [200, 400, 403, 404]],
  ['characters that divide arguments', '/a;b&c=d', [404]], ['many arguments', `/healthz?${'a=b&'.repeat(60)}`, [200]], ['arguments in vain', '/healthz?&&=&%3D=;', [200]],
  ['half an escape', '/healthz?%4', [200, 400, 403]], ['NUL', '/healthz%00', [400, 403, 404]]
]) {
  test(`a target with ${what} is answered or hung up on`, async () => {
    const { answer, status } = await rawGet(target)
    assert.ok(answer === '' || statuses.includes(status), answer.slice(0, 300))
    assert.equal((await get('/healthz')).status, 200)
  })
}

test('several requests on one connection', async () => {
  const { answer } = await raw('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /nope HTTP/1.1\r\nHost: x\r\n\r\n' +
    'GET /client/index.js HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  assert.deepEqual(answer.match(/HTTP\/1\.\d \d+/g).map(line => Number(line.slice(-3))), [200, 404, 200])
})

test('without --www there are no files, only health', async t => {
  const bare = await Bridge.start(database.conninfo())
  t.after(() => bare.stop())
  assert.equal((await fetch(`${bare.origin}/`)).status, 404)
  assert.equal((await fetch(`${bare.origin}/healthz`)).status, 200)
})

test('more connections than allowed: 503, and served again when some have gone', async t => {
  const small = await Bridge.start(database.conninfo(), ['--max-connections', '5'])
  t.after(() => small.stop())
  const held = await Promise.all(Array.from({ length: 5 }, () => new Promise(resolve => {
    const socket = connect(small.port, '127.0.0.1', () => resolve(socket))
  })))
  const refused = await new Promise((resolve, reject) => {
    const socket = connect(small.port, '127.0.0.1')
    let answer = ''
    socket.setEncoding('utf8').on('data', text => { answer += text }).on('error', reject).on('close', () => resolve(answer))
  })
  assert.match(refused, /^HTTP\/1\.1 503 /)
  for (const socket of held) socket.destroy()
  await small.ready()
})
