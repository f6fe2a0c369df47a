/*
 * The README of the package: its snippets compile, and its pages show what they
 * say in a real browser.
 */
import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join, normalize } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { launchChromium, openPage } from './lib/chromium.js'
import { FakeCable } from './lib/fake_cable.js'
import { payload } from './lib/payloads.js'
import { CLIENT, manifestOf, packed, run, specifier } from './lib/packed.js'

const TSC = fileURLToPath(new URL('../node_modules/typescript/bin/tsc', import.meta.url))

let readme
let browser
before(async () => {
  readme = await readFile(join(CLIENT, 'README.md'), 'utf8')
  browser = await launchChromium()
})
after(() => browser?.close())

/** The snippets in that language, and the names that they give themselves. */
function snippets(...languages) {
  return [...readme.matchAll(/^```(\w+)\n(.*?)^```$/gms)]
    .filter(([, language]) => languages.includes(language))
    .map(([, language, text]) => ({ language, text, name: text.match(/^\/\/ (\S+\.\w+)$/m)?.[1] }))
}

const TYPES = { html: 'text/html', js: 'text/javascript', css: 'text/css' }

/** A server of that page, of the package, and of a token for whoever asks. */
async function site(html, script = '') {
  return FakeCable.start({
    async serve(request, response) {
      const { pathname } = new URL(request.url, 'http://localhost')
      const answer = (type, body) => response.writeHead(200, { 'Content-Type': `${type}; charset=utf-8` }).end(body)
      if (pathname === '/') answer(TYPES.html, `<!doctype html><html lang="en" data-user="ana"><title>x</title><link rel="icon" href="data:,">${html}`)
      else if (pathname === '/app.js') answer(TYPES.js, script)
      else if (pathname === '/my/token') answer('text/plain', 'from-the-page')
      else {
        const file = join(CLIENT, normalize(pathname).replace('/sync-progress/', ''))
        await readFile(file, 'utf8').then(text => answer(TYPES[file.split('.').pop()], text), () => response.writeHead(404).end())
      }
    }
  })
}

/** The snippet that starts Stimulus, as a bundler makes a page of it. */
async function stimulusScript() {
  const [{ text }] = snippets('js').filter(({ text }) => text.includes('register('))
  const { outputFiles } = await build({
    stdin: { contents: text.replace('sync-progress/stimulus', './stimulus.js'), resolveDir: CLIENT },
    bundle: true,
    write: false,
    format: 'esm',
    nodePaths: [fileURLToPath(new URL('../node_modules', import.meta.url))]
  })
  return outputFiles[0].text
}

test('the snippets compile', async () => {
  const { directory } = await packed('readme')
  const all = snippets('tsx', 'js')
  assert.ok(all.length >= 12, String(all.length))
  for (const [index, { language, text, name = `snippet_${index}.${language}` }] of all.entries()) {
    const path = join(directory, 'readme', language === 'js' ? `snippet_${index}.js` : name)
    await mkdir(join(path, '..'), { recursive: true })
    await writeFile(path, `${text}\nexport {}\n`)
  }
  const { stdout } = await run(process.execPath, [TSC, '-p', 'tsconfig.readme.json', '--pretty', 'false'], { cwd: directory })
  assert.equal(stdout, '')
})

test('the pages in plain HTML show the run, with a token of the page', async () => {
  const pages = snippets('html')
  assert.ok(pages.length >= 2)
  for (const { text } of pages) {
    const isStimulus = text.includes('data-controller')
    const cable = await site(isStimulus ? `${text}<script type="module" src="/app.js"></script>` : text, isStimulus ? await stimulusScript() : '')
    const { page, problems, close } = await openPage(browser, cable.origin)
    const { peer, identifier } = await cable.nextWatcher()
    assert.equal(identifier, '{"channel":"SyncStatusChannel","session_id":42}')
    assert.equal(peer.token, 'from-the-page')
    peer.message(identifier, payload({ progress_percentage: 45 }))
    await page.locator('body').getByText('45%', { exact: true }).first().waitFor()
    assert.deepEqual(problems, [])
    await close()
    await cable.stop()
  }
})

test('the import map of Rails, and the events: what is asked before, done after, and said in texts of the page', async () => {
  const pins = Object.fromEntries([...readme.matchAll(/^pin "([^"]+)", to: "([^"]+)"$/gm)].map(([, name, to]) => [name, to]))
  const { manifest } = await manifestOf()
  for (const [name, to] of Object.entries(pins)) {
    const entry = manifest.exports[name.replace('sync-progress', '.')]
    assert.equal(`/sync-progress/${entry.default.slice(2)}`, to)
  }
  const script = snippets('js').map(({ text }) => text).filter(text => /application\.js|widget\.texts|sync-progress:(complete|action)/.test(text)).join('\n')
  const cable = await site(`<script type="importmap">${JSON.stringify({ imports: pins })}</script>
    <style>${snippets('css')[0].text}</style>
    <sync-progress session-id="42" locale="es" actions="pause cancel"></sync-progress><script type="module" src="/app.js"></script>`, script)
  const { page, problems, close } = await openPage(browser, cable.origin)
  const { peer, identifier } = await cable.nextWatcher()
  peer.message(identifier, payload())
  await page.locator('sync-progress').getByText('Detener').waitFor()
  const asked = page.waitForEvent('dialog').then(dialog => dialog.dismiss())
  await page.locator('sync-progress').getByRole('button', { name: /cancelar/i }).click()
  await asked
  const bar = page.locator('sync-progress').getByRole('progressbar')
  assert.equal(await bar.evaluate(node => getComputedStyle(node).height), '16px')
  assert.equal(await bar.evaluate(node => getComputedStyle(node.firstChild).backgroundColor), 'rgb(109, 40, 217)')
  assert.deepEqual(problems, [])
  await close()
  await cable.stop()
})

test('the snippet of the client runs', async () => {
  const [{ text }] = snippets('js').filter(({ text }) => text.includes('new SyncProgressClient'))
  const { outputFiles } = await build({
    stdin: { contents: text.replace("'sync-progress'", "'./index.js'"), resolveDir: CLIENT }, bundle: true, write: false, format: 'esm', logLevel: 'silent'
  })
  const cable = await site('<script type="module" src="/app.js"></script>', outputFiles[0].text)
  const { close } = await openPage(browser, cable.origin)
  const { peer, identifier } = await cable.nextWatcher()
  assert.equal(peer.token, 'from-the-page')
  assert.match(identifier, /"session_id":42/)
  await close()
  await cable.stop()
})

test('every entry is in the reference', async () => {
  const { modules } = await manifestOf()
  for (const entry of modules) assert.ok(readme.includes(`| \`${specifier(entry)}\` |`) || readme.includes(`\`${specifier(entry)}\``), entry)
})
