/*
 * element_follow.js: the newest run of its reader, whichever that is.
 *
 * The list is read once its events are coming, and again whenever some may have
 * been missed.  A run that goes on, or failed, is watched; otherwise there is
 * none, and the last one that was completed is told.  A run that ends while it
 * is watched stays, until the next one is created.
 */
const PAGE = 50
const RETRY_MS = [2_000, 5_000, 15_000, 30_000]
const LONGEST_MS = 3_600_000

// Changes of a list come in crowds, and one look sees them all.
const SETTLE_MS = 500

export function follow(source) {
  const { client, signal } = source
  const kind = kindOf(source.channel)
  let attempt = 0
  let timer
  let looking = 0

  async function look() {
    const mine = ++looking
    clearTimeout(timer)
    try {
      const { sessions } = await client.request(`sessions?limit=${PAGE}`, { signal })
      if (mine !== looking || signal.aborted) return
      attempt = 0
      choose(source, sessions.filter(each => each.kind === kind))
    } catch ({ status, retryAfterMs }) {
      if (mine !== looking || signal.aborted) return
      if (status === 401 || status === 403) source.refuse()
      else lookIn(Math.max(RETRY_MS[Math.min(attempt++, RETRY_MS.length - 1)], Math.min(retryAfterMs || 0, LONGEST_MS)))
    }
  }

  function lookIn(ms) {
    clearTimeout(timer)
    timer = setTimeout(look, ms)
  }

  const subscription = client.subscribe({ channel: 'SessionsChannel' }, {
    onConnected: look,
    onEvent({ type, data }) {
      if (data?.kind !== undefined && data.kind !== kind) return
      if (type === 'session_created' && data) {
        looking++ // a list that is on its way may be older than this
        source.watch(data.source_id)
      }
      if (/deleted|reloaded/.test(type) || !data) lookIn(SETTLE_MS)
    },
    onRejected: look // a token for some sessions only has a list, but no events
  })
  signal.addEventListener('abort', () => {
    clearTimeout(timer)
    subscription.unsubscribe()
  })
}

function choose(source, runs) {
  const [newest] = runs
  if (newest && (newest.source_id === source.watched || !/completed|cancelled/.test(newest.status))) return source.watch(newest.source_id)
  const completed = runs.find(({ status, completed_at: at }) => status === 'completed' && at)
  source.rest(completed ? Math.max(0, Date.now() - Date.parse(completed.completed_at)) / 1000 : null)
}

// "MeshProgressChannel" is of kind "mesh".
function kindOf(channel) {
  return channel.match(/^[A-Z]?[a-z]*/)[0].toLowerCase()
}
