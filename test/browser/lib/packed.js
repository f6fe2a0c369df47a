/*
 * packed.js: the package as an application gets it: packed by npm, and put into
 * a directory of its own beside the libraries that it is for.
 */
import { execFile } from 'node:child_process'
import { cp, mkdir, readFile, readdir, rm, symlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

export const CLIENT = fileURLToPath(new URL('../../../client', import.meta.url))
const TEST = fileURLToPath(new URL('../..', import.meta.url))
const CONSUMER = fileURLToPath(new URL('../consumer', import.meta.url))
const LIBRARIES = ['react', 'react-dom', '@types', '@hotwired', 'csstype']

const execute = promisify(execFile)

export const run = (...args) => execute(...args).catch(error => {
  throw new Error(`${args[0]} ${args[1].join(' ')}\n${error.stdout}\n${error.stderr}`)
})

/** The manifest, and the names of the entries that are modules: ".", "./react" … */
export async function manifestOf(directory = CLIENT) {
  const manifest = JSON.parse(await readFile(join(directory, 'package.json')))
  const modules = Object.keys(manifest.exports).filter(name => !/\.(json|css)$/.test(name))
  return { manifest, modules }
}

/** "./react" → "sync-progress/react" */
export const specifier = entry => entry.replace('.', 'sync-progress')

/** { files, tarball, directory, package }: an application with the package in its node_modules, and the consumer's sources. */
export async function packed(name) {
  const directory = join(TEST, 'tmp', `package_${name}`)
  await rm(directory, { recursive: true, force: true })
  const modules = join(directory, 'node_modules')
  await mkdir(modules, { recursive: true })
  const { stdout } = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', directory], { cwd: CLIENT })
  const [{ filename, files }] = JSON.parse(stdout)
  const tarball = join(directory, filename)
  await run('tar', ['-xzf', tarball, '-C', directory])
  await cp(join(directory, 'package'), join(modules, 'sync-progress'), { recursive: true })
  for (const library of LIBRARIES) {
    await mkdir(dirname(join(modules, library)), { recursive: true })
    await symlink(join(TEST, 'node_modules', library), join(modules, library))
  }
  for (const source of await readdir(CONSUMER)) await cp(join(CONSUMER, source), join(directory, source))
  return { files: files.map(({ path }) => path).sort(), tarball, directory, package: join(modules, 'sync-progress') }
}
