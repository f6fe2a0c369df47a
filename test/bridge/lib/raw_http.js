/*
 * raw_http.js: requests that are sent as they stand, right or wrong.
 */
import { connect } from 'node:net'

/**
 * Sends text and waits for the end of the connection; the answer, its status
 * and its body. end: this side is closed once everything is sent.
 */
export function raw(bridge, text, { ms = 20_000, end = false } = {}) {
  return new Promise((resolve, reject) => {
    const socket = connect(bridge.port, '127.0.0.1', () => end ? socket.end(text) : socket.write(text))
    let answer = ''
    socket.setEncoding('utf8').setTimeout(ms, () => socket.destroy(new Error(`no end of the answer: ${answer}`)))
    socket.on('data', part => { answer += part })
    socket.on('error', error => answer === '' ? reject(error) : resolve(read(answer)))
    socket.on('close', () => resolve(read(answer)))
  })
}

function read(answer) {
  return { answer, status: Number(answer.split(' ')[1]), body: answer.slice(answer.indexOf('\r\n\r\n') + 4) }
}

/** A request with JSON in it, over fetch; its status, headers and what it was answered. */
export async function call(bridge, method, path, { token, body, headers = {} } = {}) {
  const answer = await fetch(bridge.origin + path, {
    method,
    headers: {
      ...(token != null && { Authorization: `Bearer ${token}` }),
      ...(body !== undefined && { 'Content-Type': 'application/json' }),
      ...headers
    },
    body: body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
  })
  const text = await answer.text()
  return { status: answer.status, headers: answer.headers, text, json: text.startsWith('{') ? JSON.parse(text) : undefined }
}
