/*
 * exceptions.js: where ours answers otherwise than Rails, and why.
 *
 * An exception changes what Rails answered into what ours must answer.  One
 * with "cases" is for these alone, and each of them must differ in that way.
 */
const named = (group, ...names) => names.map(name => `${group}: ${name}`)

/** The frames of each identifier in each step, changed. */
function eachList(trace, change) {
  for (const { frames } of [trace].flat()) {
    for (const identifier of Object.keys(frames ?? {})) frames[identifier] = change(frames[identifier])
  }
}

const rejection = identifier => ({ identifier, type: 'reject_subscription' })

/** The first step, a subscribe, is rejected. */
function rejected([, step]) {
  const { identifier } = JSON.parse(step.step)
  step.frames = { [identifier]: [rejection(identifier)] }
}

/** This step is not answered. */
const unanswered = index => trace => { trace[index].frames = {} }

/** The connection is closed with this code in the last step. */
const closedWith = code => trace => {
  trace.at(-2).closed = code
  trace.at(-1).isOpen = false
}

/** The handshake is answered like this, and that is all. */
const refusedWith = answer => () => [{ step: 'handshake', ...answer, frames: {} }]

const letIn = () => [{ step: 'handshake', status: 101, protocol: 'actioncable-v1-json', frames: { '': [{ type: 'welcome' }] } }, { step: 'at the end', isOpen: true }]

export const EXCEPTIONS = [
  {
    name: 'confirmed first, then the state',
    reason: 'What a channel transmits in subscribed() comes before the confirmation, which Rails sends once its LISTEN is done. received() before connected() surprises applications.',
    change: trace => eachList(trace, list => {
      const confirm = list.findIndex(({ type }) => type === 'confirm_subscription')
      return confirm < 0 ? list : [list[confirm], ...list.slice(0, confirm), ...list.slice(confirm + 1)]
    })
  },
  {
    name: 'what cannot be subscribed to is rejected',
    reason: 'Rails logs it and answers nothing, and clients ask again every 500 ms for ever.',
    cases: named('identifier', 'an unknown channel', 'a channel that is a class of something else', 'the channel in small letters', 'no channel', 'the channel null',
      'the channel a number', 'an empty object', 'an array', 'a number', 'a JSON string', 'null', 'a bare word', 'half of an object', 'something behind the object',
      'half a surrogate pair'),
    change: rejected
  },
  {
    name: 'an id is compared as a whole',
    reason: 'Active Record makes a number of whatever an id begins with, so that "42abc" and 42.5 watch session 42. Here these are ids of nothing.',
    cases: named('identifier', 'the id a fraction', 'the id followed by letters', 'SQL in the id', 'the id true'),
    change: rejected
  },
  {
    name: 'no NUL in an identifier',
    reason: 'PostgreSQL has no such letter: the identifier is one that it cannot read.',
    cases: named('identifier', 'a NUL'),
    change: rejected
  },
  {
    name: 'an identifier has at most 512 bytes',
    reason: 'It is kept for each subscription and echoed in every frame. Rails sets no bound.',
    cases: named('identifier', '513 bytes', '60,000 bytes'),
    change: rejected
  },
  {
    name: 'an identifier may be nested deeply',
    reason: 'Ruby\'s parser gives up at 100 levels. Its 512 bytes bound it here.',
    cases: named('identifier', '150 brackets'),
    change: trace => {
      const { identifier } = JSON.parse(trace[1].step)
      trace[1].frames = { [identifier]: Object.values(trace[2].frames)[0].map(frame => ({ ...frame, identifier })) }
    }
  },
  {
    name: 'one question, one answer',
    reason: 'A subscribe repeated before the answer is the client asking whether it got lost. Rails rejects each of them, as it does not confirm each.',
    cases: ['rejected, and asked twice at once'],
    change: trace => eachList(trace, list => list.slice(0, 1))
  },
  {
    name: 'members must not come twice in a command',
    reason: 'Parsers differ in which one counts, and who checks one must not be shown another. No client sends it.',
    cases: [...named('frame', 'the identifier twice', 'the command twice')],
    change: unanswered(1)
  },
  {
    name: 'members must not come twice in data',
    reason: 'The same.',
    cases: named('message', 'the action twice'),
    change: unanswered(2)
  },
  {
    name: 'JSON has no comments',
    reason: 'Ruby\'s parser takes them, the standard does not.',
    cases: named('frame', 'a comment in it'),
    change: unanswered(1)
  },
  {
    name: 'an action that is refused says so',
    reason: 'Rails logs what it cannot do, and calls every public method of a channel, subscribed() too, as generators write it. Whoever pressed a button learns nothing.',
    cases: [...named('message', 'an unknown action', 'a blank action', 'an action that is a method of the channel', 'an action that is a method of every object',
      'the action in capitals'), 'a message right after subscribing'],
    change: trace => {
      const [identifier] = Object.keys(trace[1].frames)
      // the action has a step of its own, or one with the subscribe
      const step = trace.at(-2)
      const before = step === trace[1] ? step.frames[identifier] : []
      step.frames = { [identifier]: [...before, { identifier, message: { type: 'error', status: 422 } }] }
    }
  },
  {
    name: 'data may be an object',
    reason: 'Rails demands JSON in a string. Clients written by hand often send the object itself, and mean the same.',
    cases: named('message', 'data an object'),
    change: trace => {
      const { identifier } = JSON.parse(trace[1].step)
      trace[2].frames = { [identifier]: trace[1].frames[identifier].slice(-1) }
    }
  },
  {
    name: 'what is not masked is taken',
    reason: 'libwebsockets does not look. Masks protect proxies from what browsers are made to send, and browsers always mask.',
    cases: named('websocket', 'not masked'),
    change: trace => {
      trace[2].closed = 'not within 4 s'
      trace.at(-1).isOpen = true
    }
  },
  {
    name: 'a ping too long ends the connection without a code',
    reason: 'libwebsockets hangs up on it. No library sends one.',
    cases: named('websocket', 'a ping of 126 bytes'),
    change: closedWith(1006)
  },
  {
    name: 'a frame has at most 64 KiB',
    reason: 'Rails takes 64 MiB of anybody.',
    cases: named('websocket', 'a text of 70,000 bytes'),
    change: trace => {
      unanswered(1)(trace)
      trace[2] = { step: trace[2].step, closed: 1009, frames: {} }
      trace.at(-1).isOpen = false
    }
  },
  {
    name: 'a close without a code is answered without one',
    reason: 'RFC 6455, 5.5.1: the code is echoed.',
    cases: named('websocket', 'closed by the client with nothing said'),
    change: closedWith(1005)
  },
  {
    name: 'names of hosts have no case',
    reason: 'RFC 6454. Browsers write them in small letters.',
    cases: named('handshake', 'a page on the list, in capitals'),
    change: letIn
  },
  {
    name: 'the bridge\'s own address, over TLS',
    reason: 'A proxy in front may speak TLS where the bridge does not. Rails needs X-Forwarded-Proto of that proxy.',
    cases: named('handshake', 'our address over TLS'),
    change: letIn
  },
  {
    name: 'clients that are no browsers need no Origin',
    reason: 'The check is against pages that use their visitor\'s cookie. Without an Origin a cookie counts for nothing, a token that is shown does. Rails answers 404.',
    cases: named('handshake', 'no origin'),
    change: letIn
  },
  {
    name: 'a protocol that is not spoken is refused at once',
    reason: 'Rails answers 101 without a protocol, and browsers then fail the connection.',
    cases: named('handshake', 'an unknown protocol'),
    change: refusedWith({ status: 400 })
  },
  {
    name: 'actioncable-unsupported is closed',
    reason: 'Rails agrees to it, welcomes the client and goes on; the stock client closes. It is closed here too.',
    cases: named('handshake', 'actioncable-unsupported', 'actioncable-unsupported first'),
    change: trace => {
      trace[0].frames = {}
      trace[1] = { step: trace[1].step, closed: 1000, frames: {} }
      trace.at(-1).isOpen = false
    }
  },
  {
    name: 'an upgrade to something else',
    reason: 'Clients that try HTTP/2 are told to ask without; Rails says 404.',
    cases: named('http', 'an upgrade to something else'),
    change: () => ({ status: 400 })
  }
]
