/*
 * A database that is reached by its name and over TLS: its certificate is
 * checked, states larger than a TLS record arrive whole, and an outage is
 * survived as without.
 */
import assert from 'node:assert/strict'
import { chmodSync, chownSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { after, before, test } from 'node:test'
import { Bridge } from './lib/bridge.js'
import { Certificate } from './lib/certificate.js'
import { Database } from './lib/database.js'
import { freePort } from './lib/middle.js'
import { RawClient, identifierOf } from './lib/raw_client.js'

let database
let certificate
let conninfo
let settings

before(async () => {
  const port = await freePort()
  process.env.PGPORT = port
  settings = [`port=${port}`, 'listen_addresses=127.0.0.1']
  database = await Database.start({ settings })
  certificate = await Certificate.make()
  // the server insists that nobody else can read its key
  const { uid, gid } = statSync(`/proc/${database.postmaster()}`)
  chmodSync(dirname(certificate.file('key.pem')), 0o755)
  chownSync(certificate.file('key.pem'), uid, gid)
  chmodSync(certificate.file('key.pem'), 0o600)
  await database.sql(`ALTER SYSTEM SET ssl_cert_file = '${certificate.file('cert.pem')}'`)
  await database.sql(`ALTER SYSTEM SET ssl_key_file = '${certificate.file('key.pem')}'`)
  await database.sql('ALTER SYSTEM SET ssl = on')
  await database.sql('SELECT pg_reload_conf()')
  conninfo = `host=localhost user=bridge dbname=app sslmode=verify-full sslrootcert=${certificate.file('cert.pem')}`
})
after(async () => {
  await database?.destroy()
  await certificate?.destroy()
})

async function start(t, more = '') {
  const bridge = await Bridge.start(conninfo + more, ['--auth', 'none'])
  t.after(() => bridge.stop())
  return bridge
}

test('large states, through an outage', async t => {
  const bridge = await start(t)
  await bridge.ready()
  assert.equal(await database.sql(`SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'bridge'`), 't')
  const accounts = Array.from({ length: 400 }, (_, i) => ({ name: `Bank ${i} of San José`, email: `account${i}@example.com`, total_count: 100 }))
  const ids = []
  for (let i = 0; i < 5; i++) ids.push(await database.session(`accounts => '${JSON.stringify(accounts)}'`))
  const client = await RawClient.welcomed(bridge.cable())
  t.after(() => client.close())
  for (const id of ids) client.subscribe(identifierOf(id))
  for (const id of ids) assert.equal((await client.message(identifierOf(id))).accounts.length, 400)
  const all = async count => {
    await Promise.all(ids.map(id => database.increment(id, 1)))
    for (const id of ids) await client.message(identifierOf(id), state => state.processed_count === count && state.accounts.length === 400, { ms: 20_000 })
  }
  for (let count = 1; count <= 3; count++) await all(count)
  await database.stop('immediate')
  await bridge.ready(503)
  await database.start(...settings)
  await bridge.ready()
  await all(4)
})

test('a certificate that is not trusted, or is another host\'s: the log says so', async t => {
  await certificate.issue('other.pem', 'other-key.pem')
  const distrusts = await start(t, ` sslrootcert=${certificate.file('other.pem')}`)
  await distrusts.line(/no database, still trying: .*certificate verify failed/)
  const elsewhere = await start(t, ' host=localhost.localdomain hostaddr=127.0.0.1')
  await elsewhere.line(/no database, still trying: .*does not match host name "localhost.localdomain"/)
})
