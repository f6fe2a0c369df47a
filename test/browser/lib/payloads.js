/*
 * payloads.js: what a run of kind "sync" says, ready made.
 */
const FIRST_VERSION = 1_763_776_000_000_000
let version = FIRST_VERSION

/** A run in progress; each call has a newer version than the one before. */
export function payload(changes = {}) {
  return {
    session_id: 42,
    job_id: '6f1d3c1e-3a53-4c57-9f4e-0c2b6b1f3a10',
    kind: 'sync',
    source_id: '42',
    status: 'processing',
    title: 'Mail of four banks',
    message: null,
    error_message: null,
    progress_percentage: 45,
    processed_count: 450,
    total_count: 1000,
    detected_count: 31,
    error_count: 0,
    time_remaining: 120,
    eta_seconds: 118,
    eta_low: 96,
    eta_high: 151,
    eta_state: 'steady',
    rate: 4.6,
    counters: {},
    accounts: [],
    result_url: null,
    started_at: '2025-11-22T06:00:00.000000+00:00',
    completed_at: null,
    updated_at: '2025-11-22T06:01:38.000000+00:00',
    version: ++version,
    lock_version: 0,
    ...changes
  }
}

export function account(id, changes = {}) {
  return {
    id,
    name: `Account ${id}`,
    email: null,
    status: 'pending',
    progress_percentage: 0,
    processed_count: 0,
    total_count: 200,
    detected_count: 0,
    error_count: 0,
    error_message: null,
    ...changes
  }
}
