/** Paise as the text that people read, in Indian grouping. A price of 0 is "not known". */

const GROUPED = new Intl.NumberFormat('en-IN', { minimumFractionDigits: 2, maximumFractionDigits: 2 })
const WHOLE = new Intl.NumberFormat('en-IN', { maximumFractionDigits: 0 })
export const UNKNOWN = '–'
const LAKH = 100_000
const CRORE = 10_000_000
const PAISE = 100

/** 2610040 -> 26,100.40 */
export function price(paise: number | null | undefined): string {
  return paise ? GROUPED.format(paise / PAISE) : UNKNOWN
}

/** Money may be nothing: 0 -> 0.00 */
export function money(paise: number | null | undefined): string {
  return paise === null || paise === undefined ? UNKNOWN : GROUPED.format(paise / PAISE)
}

/** +12.30, −4.00, 0.00 with a true minus, so that columns align. */
export function signed(paise: number | null | undefined): string {
  if (paise === null || paise === undefined) return UNKNOWN
  return `${sign(paise)}${GROUPED.format(Math.abs(paise) / PAISE)}`
}

export function percent(value: number | null | undefined, digits = 2): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return UNKNOWN
  return `${sign(value)}${Math.abs(value).toFixed(digits)}%`
}

/** 26100.40 rupees as the server's text -> paise. Null for what is no price. */
export function paise(rupees: string): number | null {
  const match = /^\s*(-?)(\d+)(?:\.(\d{1,2}))?\s*$/.exec(rupees.replaceAll(',', ''))
  if (!match) return null
  const whole = Number(match[2]) * PAISE + Number((match[3] ?? '').padEnd(2, '0'))
  return match[1] ? -whole : whole
}

/** 2610040 -> "26100.40", what REST takes. */
export function rupees(paise: number): string {
  const whole = Math.abs(Math.round(paise))
  const text = `${Math.floor(whole / PAISE)}.${String(whole % PAISE).padStart(2, '0')}`
  return paise < 0 ? `-${text}` : text
}

/** 1,23,456 as it is; larger ones as 12.3 L and 4.56 Cr. */
export function short(value: number | null | undefined): string {
  if (value === null || value === undefined) return UNKNOWN
  const size = Math.abs(value)
  if (size >= CRORE) return `${(value / CRORE).toFixed(2)} Cr`
  if (size >= LAKH) return `${(value / LAKH).toFixed(2)} L`
  return WHOLE.format(value)
}

/** up, down or flat: the class of what is coloured by its sign. */
export function tone(value: number | null | undefined): 'up' | 'down' | 'flat' {
  return !value ? 'flat' : value > 0 ? 'up' : 'down'
}

function sign(value: number): string {
  return value > 0 ? '+' : value < 0 ? '−' : ''
}
