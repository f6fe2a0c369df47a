/*
 * jwt.js: tokens of any kind, sound and unsound.
 */
import { createHmac } from 'node:crypto'

const encode = value => Buffer.from(JSON.stringify(value)).toString('base64url')

/** A token with this header and these claims; secret null leaves the signature empty. */
export function jwt(header, claims, secret, hash = 'sha256') {
  const input = `${encode(header)}.${encode(claims)}`
  const signature = secret === null ? '' : createHmac(hash, Buffer.from(secret, 'base64url')).update(input).digest('base64url')
  return `${input}.${signature}`
}

export function secondsFromNow(seconds) {
  return Math.floor(Date.now() / 1000) + seconds
}
