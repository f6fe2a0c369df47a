/*
 * script.js: what is played against both servers.
 *
 * A case is one connection: its handshake, then steps.  A step is a text that
 * is sent, or an object for everything else: see STEPS in conform.js.  Between
 * steps everything that was asked is answered.  "own" is a session that only
 * this case uses, "bobs" somebody else's, "none" is nobody's.
 */
const subscribe = identifier => JSON.stringify({ command: 'subscribe', identifier })
const unsubscribe = identifier => JSON.stringify({ command: 'unsubscribe', identifier })
const message = (identifier, data) => JSON.stringify({ command: 'message', identifier, data })
const perform = (identifier, action, data = {}) => message(identifier, JSON.stringify({ ...data, action }))
const watch = id => JSON.stringify({ channel: 'SyncStatusChannel', session_id: id })

/** A frame as RFC 6455 has it, right or wrong: first byte and payload, masked with zeroes. */
export function frame(first, payload = '', { masked = true, length } = {}) {
  const body = Buffer.from(payload)
  const head = [first, (masked ? 0x80 : 0) | (length ?? (body.length > 125 ? 126 : body.length))]
  if (body.length > 125) head.push(body.length >> 8, body.length & 255)
  if (masked) head.push(0, 0, 0, 0)
  return { write: Buffer.concat([Buffer.from(head), body]) }
}

/** Frames to be sent at once: nothing is waited for between them. */
const burst = (...texts) => ({ burst: texts })

const spelled = {
  'the id as a string': id => JSON.stringify({ channel: 'SyncStatusChannel', session_id: String(id) }),
  'the keys the other way round': id => JSON.stringify({ session_id: id, channel: 'SyncStatusChannel' }),
  'blanks and line ends in it': id => ` {\t"channel" :\n"SyncStatusChannel" , "session_id":${id} } `,
  'unicode escapes': id => `{"channel":"SyncStatus\\u0043hannel","\\u0073ession_id":${id}}`,
  'a slash escaped': id => `{"channel":"SyncStatusChannel","session_id":${id},"path":"a\\/b"}`,
  'further members, nested': id => JSON.stringify({ channel: 'SyncStatusChannel', session_id: id, more: [{ a: { b: [null, true, 1.50] } }] }),
  'letters of all kinds': id => JSON.stringify({ channel: 'SyncStatusChannel', session_id: id, note: 'José ✓ 😀 \u2028 <b>&amp;</b> " \\ \u007f' }),
  'a member twice, the last one counts': id => `{"channel":"NoSuchChannel","channel":"SyncStatusChannel","session_id":${id}}`,
  'JSON escaped twice': id => JSON.stringify({ channel: 'SyncStatusChannel', session_id: id, note: JSON.stringify({ a: '"' }) }),
  '512 bytes': id => watch(id).replace('}', `,"note":"${'x'.repeat(512 - watch(id).length - 10)}"}`)
}

const identified = {
  'the sign of nobody\'s session': ({ none }) => watch(none),
  'somebody else\'s session': ({ bobs }) => watch(bobs),
  'the id null': () => watch(null),
  'no id': () => '{"channel":"SyncStatusChannel"}',
  'the id an empty string': () => watch(''),
  'the id a word': () => watch('abc'),
  'the id negative': () => watch(-1),
  'the id a fraction': ({ own }) => `{"channel":"SyncStatusChannel","session_id":${own}.5}`,
  'the id followed by letters': ({ own }) => watch(`${own}abc`),
  'the id an object': () => watch({}),
  'the id true': () => watch(true),
  'SQL in the id': ({ own }) => watch(`${own}' OR '1'='1`),
  'an unknown channel': ({ own }) => JSON.stringify({ channel: 'NoSuchChannel', session_id: own }),
  'a channel that is a class of something else': () => '{"channel":"String","session_id":1}',
  'the channel in small letters': ({ own }) => JSON.stringify({ channel: 'syncstatuschannel', session_id: own }),
  'no channel': ({ own }) => JSON.stringify({ session_id: own }),
  'the channel null': () => '{"channel":null}',
  'the channel a number': () => '{"channel":7}',
  'an empty object': () => '{}',
  'an array': () => '[]',
  'a number': () => '7',
  'a JSON string': () => '"SyncStatusChannel"',
  null: () => 'null',
  'a bare word': () => 'SyncStatusChannel',
  'half of an object': ({ own }) => watch(own).slice(0, -1),
  'something behind the object': ({ own }) => `${watch(own)}x`,
  '513 bytes': ({ own }) => spelled['512 bytes'](own).replace('note', 'notes'),
  '60,000 bytes': ({ own }) => watch(own).replace('}', `,"note":"${'x'.repeat(60_000)}"}`),
  '150 brackets': ({ own }) => watch(own).replace('}', `,"note":${'['.repeat(150)}${']'.repeat(150)}}`),
  'half a surrogate pair': ({ own }) => watch(own).replace('}', ',"note":"\\ud800"}'),
  'a NUL': ({ own }) => watch(own).replace('}', ',"note":"\\u0000"}')
}

const notUnderstood = {
  'a word': 'subscribe',
  'an empty text': '',
  blanks: '  \n ',
  'half of an object': '{"command":"subscribe","identifier":"{',
  'two objects': '{"command":"subscribe"}{"command":"subscribe"}',
  null: 'null',
  'a number': '7',
  'an array': '[]',
  'an array of a command': '["subscribe"]',
  'a string': '"subscribe"',
  'an empty object': '{}',
  'no command': '{"identifier":"x"}',
  'the command a number': '{"command":7,"identifier":"x"}',
  'the command null': '{"command":null}',
  'an unknown command': '{"command":"explode","identifier":"x"}',
  'the command in capitals': '{"command":"SUBSCRIBE","identifier":"x"}',
  'a command of the server': '{"type":"welcome"}',
  'subscribe without identifier': '{"command":"subscribe"}',
  'the identifier null': '{"command":"subscribe","identifier":null}',
  'the identifier a number': '{"command":"subscribe","identifier":7}',
  'the identifier an object': '{"command":"subscribe","identifier":{"channel":"SyncStatusChannel","session_id":1}}',
  'an empty identifier': subscribe(''),
  'a NUL in the identifier': subscribe('\u0000'),
  'unsubscribe without identifier': '{"command":"unsubscribe"}',
  'unsubscribe from what is not subscribed': unsubscribe('never'),
  'a message without identifier': '{"command":"message","data":"{}"}',
  'a message to what is not subscribed': message('never', '{"action":"request_update"}'),
  'sixty thousand brackets': '['.repeat(60_000),
  'brackets in a member': `{"command":"explode","x":${'['.repeat(150)}${']'.repeat(150)}}`
}

const messages = {
  'a known action': '{"action":"request_update"}',
  'a known action, with data': '{"action":"request_update","a":[1,{"b":null}]}',
  'an unknown action': '{"action":"no_such_action"}',
  'no action': '{}',
  'an empty action': '{"action":""}',
  'a blank action': '{"action":" "}',
  'the action null': '{"action":null}',
  'the action false': '{"action":false}',
  'the action a number': '{"action":7}',
  'the action an object': '{"action":{}}',
  'an action that is a method of the channel': '{"action":"subscribed"}',
  'an action that is a method of every object': '{"action":"instance_eval"}',
  'the action in capitals': '{"action":"REQUEST_UPDATE"}',
  'data that is no JSON': 'nonsense',
  'empty data': '',
  'data that is an array': '[]',
  'data that is a string': '"request_update"',
  'data that is null': 'null',
  'the action twice': '{"action":"no_such_action","action":"request_update"}'
}

export const CASES = [
  { name: 'welcome', steps: () => [] },
  { name: 'subscribed', steps: ({ own }) => [subscribe(watch(own))] },
  { name: 'a state that changes', steps: ({ own }) => [subscribe(watch(own)), { update: own }, { update: own }] },
  { name: 'subscribed before the welcome', isEarly: true, steps: ({ own }) => [subscribe(watch(own))] },
  { name: 'much before the welcome', isEarly: true, steps: ({ own, bobs }) => [burst('nonsense', subscribe(watch(own)), subscribe(watch(bobs)), subscribe(watch(own)))] },
  { name: 'subscribed twice', steps: ({ own }) => [subscribe(watch(own)), subscribe(watch(own)), { update: own }] },
  { name: 'subscribed five times at once, as clients do that are not answered', steps: ({ own }) => [burst(...Array(5).fill(subscribe(watch(own)))), { update: own }] },
  { name: 'subscribed under two identifiers', steps: ({ own }) => [subscribe(watch(own)), subscribe(spelled['the id as a string'](own)), { update: own }] },
  { name: 'subscribed and unsubscribed', steps: ({ own }) => [subscribe(watch(own)), unsubscribe(watch(own)), { update: own }] },
  { name: 'unsubscribed twice', steps: ({ own }) => [subscribe(watch(own)), unsubscribe(watch(own)), unsubscribe(watch(own))] },
  { name: 'subscribed again', steps: ({ own }) => [subscribe(watch(own)), unsubscribe(watch(own)), { update: own }, subscribe(watch(own)), { update: own }] },
  { name: 'one of two identifiers unsubscribed', steps: ({ own }) => [subscribe(watch(own)), subscribe(spelled['the id as a string'](own)), unsubscribe(watch(own)), { update: own }] },
  { name: 'unsubscribed with the identifier spelled otherwise', steps: ({ own }) => [subscribe(watch(own)), unsubscribe(spelled['the id as a string'](own)), { update: own }] },
  { name: 'rejected, and asked again', steps: ({ bobs }) => [subscribe(watch(bobs)), subscribe(watch(bobs))] },
  { name: 'rejected, and asked twice at once', steps: ({ bobs }) => [burst(subscribe(watch(bobs)), subscribe(watch(bobs)))] },
  { name: 'a message to what was rejected', steps: ({ bobs }) => [subscribe(watch(bobs)), perform(watch(bobs), 'request_update')] },
  { name: 'a message after unsubscribing', steps: ({ own }) => [subscribe(watch(own)), unsubscribe(watch(own)), perform(watch(own), 'request_update')] },
  { name: 'a message with the identifier spelled otherwise', steps: ({ own }) => [subscribe(watch(own)), perform(spelled['the id as a string'](own), 'request_update')] },
  { name: 'a message right after subscribing', steps: ({ own }) => [burst(subscribe(watch(own)), perform(watch(own), 'no_such_action'))] },
  { name: 'two messages', steps: ({ own }) => [subscribe(watch(own)), perform(watch(own), 'request_update'), { update: own }, perform(watch(own), 'request_update')] },
  ...Object.entries(spelled).map(([what, of]) => ({ name: `identifier: ${what}`, steps: ({ own }) => [subscribe(of(own)), { update: own }, perform(of(own), 'request_update'), unsubscribe(of(own)), { update: own }] })),
  ...Object.entries(identified).map(([what, of]) => ({ name: `identifier: ${what}`, steps: ids => [subscribe(of(ids)), subscribe(watch(ids.own))] })),
  ...Object.entries(notUnderstood).map(([what, text]) => ({ name: `frame: ${what}`, steps: ({ own }) => [text, subscribe(watch(own))] })),
  { name: 'frame: members nobody knows', steps: ({ own }) => [subscribe(watch(own)).replace('{', '{"x":[1],"data":7,')] },
  { name: 'frame: blanks around it', steps: ({ own }) => [` \n${subscribe(watch(own))}\t `] },
  { name: 'frame: unicode escapes', steps: ({ own }) => [subscribe(watch(own)).replace('subscribe', '\\u0073ubscribe').replace('identifier', 'identif\\u0069er')] },
  { name: 'frame: the identifier twice', steps: ({ own, bobs }) => [`{"command":"subscribe","identifier":${JSON.stringify(watch(bobs))},"identifier":${JSON.stringify(watch(own))}}`] },
  { name: 'frame: the command twice', steps: ({ own }) => [subscribe(watch(own)).replace('{', '{"command":"unsubscribe",')] },
  { name: 'frame: a comment in it', steps: ({ own }) => [subscribe(watch(own)).replace('{', '{/* */')] },
  { name: 'frame: not a number', steps: ({ own }) => [subscribe(watch(own)).replace('{', '{"x":NaN,')] },
  ...Object.entries(messages).map(([what, data]) => ({ name: `message: ${what}`, steps: ({ own }) => [subscribe(watch(own)), message(watch(own), data)] })),
  { name: 'message: no data', steps: ({ own }) => [subscribe(watch(own)), message(watch(own))] },
  { name: 'message: data null', steps: ({ own }) => [subscribe(watch(own)), message(watch(own), null)] },
  { name: 'message: data a number', steps: ({ own }) => [subscribe(watch(own)), message(watch(own), 7)] },
  { name: 'message: data an object', steps: ({ own }) => [subscribe(watch(own)), message(watch(own), { action: 'request_update' })] },

  // -- WebSocket -----------------------------------------------------------------
  { name: 'websocket: a binary frame', steps: ({ own }) => [{ binary: Buffer.from([0, 1, 2, 255]) }, subscribe(watch(own))] },
  { name: 'websocket: a command in a binary frame', steps: ({ own }) => [{ binary: Buffer.from(subscribe(watch(own))) }] },
  { name: 'websocket: a command in many fragments', steps: ({ own }) => [{ fragments: [...subscribe(watch(own))] }] },
  { name: 'websocket: fragments with pings between them', steps: ({ own }) => [{ fragments: subscribe(watch(own)).match(/.{1,20}/g), ping: 'there?' }] },
  { name: 'websocket: a ping', steps: () => [{ ping: '' }, { ping: 'x'.repeat(125) }] },
  { name: 'websocket: a pong nobody asked for', steps: ({ own }) => [frame(0x8a, 'pong'), subscribe(watch(own))] },
  { name: 'websocket: text that is not UTF-8', steps: () => [frame(0x81, Buffer.from([0x22, 0xff, 0x22])), { end: true }] },
  { name: 'websocket: not masked', steps: () => [frame(0x81, '{}', { masked: false }), { end: true }] },
  { name: 'websocket: a reserved bit', steps: () => [frame(0xc1, '{}'), { end: true }] },
  { name: 'websocket: an unknown opcode', steps: () => [frame(0x83, '{}'), { end: true }] },
  { name: 'websocket: an unknown control frame', steps: () => [frame(0x8b, '{}'), { end: true }] },
  { name: 'websocket: a ping in two parts', steps: () => [frame(0x09, 'x'), { end: true }] },
  { name: 'websocket: a ping of 126 bytes', steps: () => [frame(0x89, 'x'.repeat(126)), { end: true }] },
  { name: 'websocket: a continuation of nothing', steps: () => [frame(0x80, '{}'), { end: true }] },
  { name: 'websocket: a new text within a text', steps: () => [frame(0x01, '{'), frame(0x81, '{}'), { end: true }] },
  { name: 'websocket: a text of 70,000 bytes', steps: ({ own }) => [subscribe(watch(own)).padEnd(70_000, ' '), { end: 'if closed' }] },
  ...[1000, 1001, 3000, 4999].map(code => ({ name: `websocket: closed by the client with ${code}`, steps: ({ own }) => [subscribe(watch(own)), { close: code }, { end: true }] })),
  { name: 'websocket: closed by the client with nothing said', steps: () => [{ close: undefined }, { end: true }] },
  { name: 'websocket: closed with a code that must not be sent', steps: () => [frame(0x88, Buffer.from([0x03, 0xed])), { end: true }] },

  // -- the handshake -----------------------------------------------------------
  { name: 'handshake: no token', handshake: { token: undefined }, steps: () => [{ end: true }] },
  { name: 'handshake: a bad token', handshake: { token: 'nonsense' }, steps: () => [{ end: true }] },
  { name: 'handshake: commands that come with a bad token', handshake: { token: 'nonsense' }, isEarly: true, steps: ({ own }) => [subscribe(watch(own)), { end: true }] },
  { name: 'handshake: a page on the list', handshake: { origin: 'https://app.example' }, steps: () => [] },
  { name: 'handshake: a page on the list, in capitals', handshake: { origin: 'https://APP.example' }, steps: () => [] },
  { name: 'handshake: a page on the list, with a slash', handshake: { origin: 'https://app.example/' }, steps: () => [] },
  { name: 'handshake: another scheme', handshake: { origin: 'http://app.example' }, steps: () => [] },
  { name: 'handshake: another port', handshake: { origin: 'https://app.example:8443' }, steps: () => [] },
  { name: 'handshake: a page below it', handshake: { origin: 'https://x.app.example' }, steps: () => [] },
  { name: 'handshake: another page', handshake: { origin: 'https://elsewhere.example' }, steps: () => [] },
  { name: 'handshake: another page, and no token', handshake: { origin: 'https://elsewhere.example', token: undefined }, steps: () => [] },
  { name: 'handshake: the origin null', handshake: { origin: 'null' }, steps: () => [] },
  { name: 'handshake: no origin', handshake: { origin: null }, steps: () => [] },
  { name: 'handshake: our address over TLS', handshake: { origin: 'https://HOST' }, steps: () => [] },
  { name: 'handshake: another path', handshake: { path: '/cables' }, steps: () => [] },
  { name: 'handshake: below the path', handshake: { path: '/cable/x' }, steps: () => [] },
  { name: 'handshake: a slash behind the path', handshake: { path: '/cable/' }, steps: () => [] },
  { name: 'handshake: no protocol', handshake: { protocols: [] }, steps: ({ own }) => [subscribe(watch(own)), { update: own }, { ping: 'there?' }, { close: 1000 }, { end: true }] },
  { name: 'handshake: no protocol, and no token', handshake: { protocols: [], token: undefined }, steps: () => [{ end: true }] },
  { name: 'handshake: one protocol', handshake: { protocols: ['actioncable-v1-json'] }, steps: ({ own }) => [subscribe(watch(own))] },
  { name: 'handshake: one more protocol', handshake: { protocols: ['graphql-ws', 'actioncable-v1-json', 'actioncable-unsupported'] }, steps: ({ own }) => [subscribe(watch(own))] },
  { name: 'handshake: the extended protocol first', handshake: { protocols: ['actioncable-v1-ext-json', 'actioncable-v1-json'] }, steps: ({ own }) => [subscribe(watch(own))] },
  { name: 'handshake: an unknown protocol', handshake: { protocols: ['graphql-ws'] }, steps: () => [] },
  { name: 'handshake: actioncable-unsupported', handshake: { protocols: ['actioncable-unsupported'] }, steps: () => [{ end: 'if closed' }] },
  { name: 'handshake: actioncable-unsupported first', handshake: { protocols: ['actioncable-unsupported', 'actioncable-v1-json'] }, steps: () => [{ end: 'if closed' }] },

  // -- HTTP ----------------------------------------------------------------------
  { name: 'http: GET without upgrade', request: {} },
  { name: 'http: GET from another page', request: { headers: { Origin: 'https://elsewhere.example' } } },
  { name: 'http: HEAD', request: { method: 'HEAD' } },
  { name: 'http: POST', request: { method: 'POST' } },
  { name: 'http: an upgrade to something else', request: { headers: { Connection: 'Upgrade', Upgrade: 'h2c' } } },
  { name: 'http: an upgrade by POST', request: { method: 'POST', headers: { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Protocol': 'actioncable-v1-json' } } },
  { name: 'http: another path', request: { path: '/nothing/here' } },

  // last: both end with it
  { name: 'the server restarts', isLast: true, steps: ({ own }) => [subscribe(watch(own)), { restart: true }, { end: true }] }
]
