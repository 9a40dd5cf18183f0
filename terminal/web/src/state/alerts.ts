/** PURE: price alerts in words. */

import type { Fact, InstrumentKey } from '../api/types'
import { percent, price } from '../format/price'
import { quantity } from '../format/quantity'

export type AlertColumn = 'LAST_PRICE' | 'CHANGE_PERCENT' | 'OPEN_INTEREST' | 'VOLUME'
export type AlertDirection = 'ABOVE' | 'BELOW'

/** As the topic of the user tells it. `level`: paise, hundredths of a percent, or units. */
export interface AlertBody {
  id: number
  instrument: InstrumentKey
  symbol: string
  name: string
  column: AlertColumn
  direction: AlertDirection
  level: number
  repeat: boolean
  note: string
  status: 'ACTIVE' | 'PAUSED' | 'FIRED' | 'EXPIRED' | 'DELETED'
  fired_count: number
  fired_at: number | null
}

export interface FiringBody extends AlertBody {
  number: number
  reached: number
  last_price: number
  at: number
}

export const COLUMN_WORDS: Record<AlertColumn, string> = {
  LAST_PRICE: 'Last price',
  CHANGE_PERCENT: 'Change %',
  OPEN_INTEREST: 'Open interest',
  VOLUME: 'Volume',
}

/** A whole number of its unit as text: 2600000 paise -> 26,000.00 */
export function levelText(column: AlertColumn, level: number): string {
  if (column === 'LAST_PRICE') return price(level)
  return column === 'CHANGE_PERCENT' ? percent(level / 100) : quantity(level)
}

/** "Last price above 26,000.00" */
export function condition(alert: Pick<AlertBody, 'column' | 'direction' | 'level'>): string {
  return `${COLUMN_WORDS[alert.column]} ${alert.direction.toLowerCase()} ${levelText(alert.column, alert.level)}`
}

/** REST says levels as text in rupees, percent or units; null for what is no number. */
export function levelOf(column: AlertColumn, text: string): number | null {
  const value = Number(text)
  if (!text.trim() || !Number.isFinite(value)) return null
  return column === 'LAST_PRICE' || column === 'CHANGE_PERCENT' ? Math.round(value * 100) : value
}

/** Whether any of these facts changed what a list of alerts shows. */
export function changesAlerts(facts: readonly Fact[]): boolean {
  return facts.some(([, kind]) => kind === 'ALERT' || kind === 'ALERT_FIRED')
}
