/** Alerts as REST has them: levels are text in the unit of their column. */

import { api } from '../../api/rest'
import type { InstrumentKey, Page } from '../../api/types'
import { levelOf, type AlertBody, type AlertColumn, type AlertDirection } from '../../state/alerts'

interface RestAlert extends Omit<AlertBody, 'level' | 'fired_at'> {
  value: string
  fired_at: string | null
  created_at: string
}

export interface Alert extends RestAlert {
  level: number
}

interface RestFiring {
  id: number
  alert: number | null
  number: number
  instrument: InstrumentKey
  symbol: string
  name: string
  column: AlertColumn
  direction: AlertDirection
  value: string
  reached: string
  last_price: string
  note: string
  at: string
}

export interface Firing extends RestFiring {
  level: number
  reachedLevel: number
}

export interface NewAlert {
  instrument: InstrumentKey
  column: AlertColumn
  direction: AlertDirection
  value: string
  repeat: boolean
  note: string
}

const SHOWN = 200

export async function standingAlerts(): Promise<Alert[]> {
  const page = await api.get<Page<RestAlert>>(`alerts?page_size=${SHOWN}`)
  return page.results.map((each) => ({ ...each, level: levelOf(each.column, each.value) ?? 0 }))
}

export async function firedAlerts(): Promise<Firing[]> {
  const page = await api.get<Page<RestFiring>>(`alerts/fired?page_size=${SHOWN}`)
  return page.results.map((each) => ({
    ...each,
    level: levelOf(each.column, each.value) ?? 0,
    reachedLevel: levelOf(each.column, each.reached) ?? 0,
  }))
}

export function makeAlert(alert: NewAlert): Promise<unknown> {
  return api.post('alerts', alert)
}

export function setActive(id: number, active: boolean): Promise<unknown> {
  return api.patch(`alerts/${id}`, { active })
}

export function deleteAlert(id: number): Promise<unknown> {
  return api.delete(`alerts/${id}`)
}
