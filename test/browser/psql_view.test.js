/*
 * A state as the demo's page says that psql would.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answer, question } from '../../demo/www/psql_view.js'

test('an id from the page\'s address cannot end the text that it is shown in', () => {
  assert.equal(question('MeshProgressChannel', "x'); DROP TABLE jobs; --", {}),
    "SELECT * FROM sync.sync_progress(sync.sync_progress_session('mesh', 'x''); DROP TABLE jobs; --'));")
})

test('a bar has twenty cells, whatever the percentage', () => {
  for (const [percent, cells] of [[-5, 0], [0, 0], [50, 10], [100, 20], [150, 20]]) {
    assert.equal(answer({ status: 'processing', progress_percentage: percent }).match(/[▓░]+/)[0], '▓'.repeat(cells) + '░'.repeat(20 - cells))
  }
})
