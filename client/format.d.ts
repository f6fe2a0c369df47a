export interface Phrases {
  counts: string
  remaining: string
  almostDone: string
  rate: string
  second: string
  minute: string
  justNow: string
}

type Maybe = number | null | undefined

export interface Format {
  count(number: Maybe): string
  percentage(percent: Maybe): string
  counts(done: Maybe, total: Maybe): string
  rate(perSecond: Maybe): string
  remaining(seconds: Maybe): string
  duration(seconds: Maybe): string
  age(seconds: Maybe): string
}

export function createFormat(locale?: string, overrides?: Partial<Phrases>): Format
export function roundEstimate(seconds: number): number
