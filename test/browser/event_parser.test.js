import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EventParser } from '../../client/event_parser.js'

const all = (...pieces) => {
  const parser = new EventParser()
  return { parser, messages: pieces.flatMap(piece => parser.push(piece)) }
}

test('[003-07] messages, ids, retries and comments', () => {
  const { parser, messages } = all(': hello\n\nretry: 1500\n\nid: 7\ndata: {"a":1}\n\ndata\ndata:x\ndata:  y\n\nevent: z\n\nid\ndata: e\n\n')
  assert.deepEqual(messages, [{ id: '7', data: '{"a":1}' }, { id: null, data: '\nx\n y' }, { id: '', data: 'e' }])
  assert.equal(parser.retryMs, 1500)
  assert.equal(parser.lastId, '')
})

test('[003-07] however it is cut, and whatever ends a line', () => {
  const text = 'id: 12\r\ndata: é:1\r\n\r\ndata: 2\n\ndata: 3\r\rid: 13\ndata: 4\n\n'
  const whole = all(text).messages
  assert.deepEqual(whole.map(({ data }) => data), ['é:1', '2', '3', '4'])
  for (let cut = 1; cut < text.length; cut++) {
    const { parser, messages } = all(text.slice(0, cut), text.slice(cut))
    assert.deepEqual(messages, whole, `cut at ${cut}`)
    assert.equal(parser.lastId, '13')
  }
  assert.deepEqual(all(...text).messages, whole, 'each character by itself')
})

test('what was not complete when an answer ended is void', () => {
  const parser = new EventParser()
  assert.deepEqual(parser.push('id: 5\ndata: half'), [])
  parser.restart()
  assert.deepEqual(parser.push('data: whole\n\n'), [{ id: null, data: 'whole' }])
  assert.equal(parser.lastId, '', 'an id counts with its message')
})

test('retries that are none, and ids with a null character, are not taken', () => {
  const { parser } = all('retry: soon\nretry: -5\nid: a\0b\ndata: x\n\n')
  assert.deepEqual([parser.retryMs, parser.lastId], [null, ''])
})
