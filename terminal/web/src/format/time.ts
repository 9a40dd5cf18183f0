/** Times in IST, whatever this machine's zone, and ages in words. */

import { UNKNOWN } from './price'

const ZONE = 'Asia/Kolkata'
const TIME = new Intl.DateTimeFormat('en-GB', { timeZone: ZONE, hour: '2-digit', minute: '2-digit', second: '2-digit' })
const MINUTE = new Intl.DateTimeFormat('en-GB', { timeZone: ZONE, hour: '2-digit', minute: '2-digit' })
const DAY = new Intl.DateTimeFormat('en-GB', { timeZone: ZONE, weekday: 'short', day: '2-digit', month: 'short' })
const DATE = new Intl.DateTimeFormat('en-GB', { timeZone: 'UTC', day: '2-digit', month: 'short', year: 'numeric' })
const SECOND = 1_000
const SIXTY = 60

type Moment = number | string | null | undefined

/** 09:15:07 */
export function time(moment: Moment): string {
  return moment ? TIME.format(new Date(moment)) : UNKNOWN
}

/** 09:15 */
export function minute(moment: Moment): string {
  return moment ? MINUTE.format(new Date(moment)) : UNKNOWN
}

/** Tue, 03 Feb */
export function day(moment: Moment): string {
  return moment ? DAY.format(new Date(moment)) : UNKNOWN
}

/** 2026-02-24 -> 24 Feb 2026 */
export function date(iso: string | null | undefined): string {
  return iso ? DATE.format(new Date(`${iso}T00:00:00Z`)) : UNKNOWN
}

/** 850 ms, 12 s, 4 min, 3 h */
export function age(milliseconds: number): string {
  if (milliseconds < SECOND) return `${Math.max(0, Math.round(milliseconds))} ms`
  const seconds = Math.floor(milliseconds / SECOND)
  if (seconds < SIXTY) return `${seconds} s`
  const minutes = Math.floor(seconds / SIXTY)
  return minutes < SIXTY ? `${minutes} min` : `${Math.floor(minutes / SIXTY)} h`
}
