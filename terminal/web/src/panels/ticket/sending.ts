/** Sending a ticket once: its reference stays until the server has said no, so that sending again is the same order. */

import { useRef, useState } from 'preact/hooks'

import { api, ApiError, sentence } from '../../api/rest'
import { said, STATUS_WORDS } from '../../trading/words'
import { newReference, placeBody, type Draft, type Tradable } from '../../trading/ticket'

export interface Refusal {
  code: string
  text: string
}

interface Placed {
  id: number
  status: string
  together: readonly { id: number }[]
}

export interface Sending {
  busy: boolean
  refusal: Refusal | null
  /** Resolves with what to tell of the order, or null when it was not taken. */
  send: (draft: Draft, instrument: Tradable, account: number) => Promise<string | null>
  forget: () => void
}

const UNANSWERED = 'Whether it was taken is not known. Sending again is safe: it is the same order.'

export function useSending(): Sending {
  const reference = useRef(newReference())
  const [busy, setBusy] = useState(false)
  const [refusal, setRefusal] = useState<Refusal | null>(null)
  const send = async (draft: Draft, instrument: Tradable, account: number): Promise<string | null> => {
    setBusy(true)
    setRefusal(null)
    try {
      const order = await api.post<Placed>('orders', placeBody(draft, instrument, account, reference.current))
      reference.current = newReference()
      return told(order)
    } catch (error) {
      if (isAnswered(error)) reference.current = newReference()
      setRefusal(refusalOf(error))
      return null
    } finally {
      setBusy(false)
    }
  }
  return { busy, refusal, send, forget: () => setRefusal(null) }
}

/** A refusal is stored under its reference and would be answered again; without an answer the order may be there. */
function isAnswered(error: unknown): boolean {
  return error instanceof ApiError && error.status >= 400 && error.status < 500
}

function refusalOf(error: unknown): Refusal {
  const code = error instanceof ApiError ? error.code : ''
  if (!isAnswered(error)) return { code, text: `${sentence(error)} ${UNANSWERED}` }
  return { code, text: `${sentence(error)}${fieldTexts(error)}` }
}

/** Of INVALID the details say which field and why. */
function fieldTexts(error: unknown): string {
  if (!(error instanceof ApiError) || error.code !== 'INVALID') return ''
  return Object.entries(error.details)
    .map(([field, why]) => ` ${field}: ${String(why)}`)
    .join('')
}

function told({ id, status, together }: Placed): string {
  const more = together.length ? ` with ${together.length} more` : ''
  return `Order ${id}${more}: ${said(STATUS_WORDS, status).toLowerCase()}`
}
