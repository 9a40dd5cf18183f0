/** What an order would need and cost, asked a moment after the last change of the ticket. */

import { useEffect, useState } from 'preact/hooks'

import { api } from '../../api/rest'
import { paise } from '../../format/price'

const QUIET_MILLISECONDS = 350

export interface Margin {
  total: number
  available: number
  sufficient: boolean
  is_estimate: boolean
}

export interface Charges {
  total: number
  lines: readonly (readonly [line: string, amount: number])[]
}

export interface Estimate {
  margin: Margin | null
  charges: Charges | null
  error: unknown
  /** What is shown belongs to an earlier state of the ticket. */
  old: boolean
}

interface MarginAnswer {
  total: string
  available: string
  sufficient: boolean
  together: { is_estimate: boolean }
}

interface ChargesAnswer {
  total: string
  lines: { line: string; amount: string }[]
}

const NOTHING: Estimate = { margin: null, charges: null, error: undefined, old: false }

/** `planned` null: the ticket is not whole. `bindsMargin` false: exits bind none, and none is asked for. */
export function useEstimate(account: number, planned: object | null, bindsMargin: boolean): Estimate {
  const [estimate, setEstimate] = useState<Estimate>(NOTHING)
  const question = JSON.stringify([account, planned, bindsMargin])
  useEffect(() => {
    if (planned === null) {
      setEstimate(NOTHING)
      return undefined
    }
    let asked = true
    setEstimate((before) => ({ ...before, old: true }))
    const timer = setTimeout(() => {
      ask(account, planned, bindsMargin).then(
        (answer) => asked && setEstimate(answer),
        (error: unknown) => asked && setEstimate({ ...NOTHING, error }),
      )
    }, QUIET_MILLISECONDS)
    return () => {
      asked = false
      clearTimeout(timer)
    }
  }, [question])
  return estimate
}

async function ask(account: number, planned: object, bindsMargin: boolean): Promise<Estimate> {
  const [margin, charges] = await Promise.all([
    bindsMargin ? api.post<MarginAnswer>('margin', { account, orders: [planned] }) : null,
    api.post<ChargesAnswer>('charges', { orders: [planned] }),
  ])
  return { margin: margin && marginFrom(margin), charges: chargesFrom(charges), error: undefined, old: false }
}

function marginFrom({ total, available, sufficient, together }: MarginAnswer): Margin {
  return { total: paise(total) ?? 0, available: paise(available) ?? 0, sufficient, is_estimate: together.is_estimate }
}

function chargesFrom({ total, lines }: ChargesAnswer): Charges {
  return { total: paise(total) ?? 0, lines: lines.map(({ line, amount }) => [line, paise(amount) ?? 0] as const) }
}
